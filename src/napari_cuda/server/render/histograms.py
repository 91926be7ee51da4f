"""Histograms: what the histograms of layers look like that clients show."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari.components.histogram import HistogramModel
from napari.layers import Image, Layer, Surface

from napari_cuda.protocol import commands as c
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.render.commands import CommandContext, Commands

_CHANGES = ("data", "set_data", "contrast_limits_range")
"""Events of a layer after which its histogram is another."""


class Histograms:
    """Carries out the command `layer.histogram`. Owner: render thread.

    One napari histogram for each layer and viewer that shows it, for each viewer may have its own mode and bins.
    """

    def __init__(self, commands: Commands, deliver: Callable[[str, list[m.LayerHistogram]], None]) -> None:
        self._deliver = deliver
        self._shown: weakref.WeakKeyDictionary[Layer, dict[str, tuple[str, HistogramModel]]] = (
            weakref.WeakKeyDictionary()
        )
        """Layer → viewer → the layer's id and the histogram. Bound: what the viewers show."""
        self._due: set[tuple[str, str]] = set()
        """(viewer, layer id) that are to be told."""
        commands.register("layer.histogram", self._show)

    def tell(self) -> None:
        """Tell the viewers what changed. Computes: once the picture is at rest."""
        due, self._due = self._due, set()
        for shown in self._shown.values():
            for viewer, (layer_id, model) in shown.items():
                if (viewer, layer_id) in due:
                    self._deliver(viewer, [_histogram(layer_id, model)])

    def forget(self, viewer: str) -> None:
        """A viewer is gone."""
        for layer, shown in list(self._shown.items()):
            if shown.pop(viewer, None) is not None and not shown:
                self._let_go(layer)

    def _show(self, context: CommandContext, args: c.ShowHistogram) -> None:
        layer = context.layer(args.layer)
        if not isinstance(layer, (Image, Surface)):
            raise CommandError(f"layer {layer.name!r} has no histogram")
        shown = self._shown.setdefault(layer, {})
        if not shown:
            for name in _CHANGES:
                layer.events.emitters[name].connect(self._on_change)
        if args.shown:
            model = HistogramModel(
                layer, bins=args.bins, mode=args.mode, log_scale=args.log_scale, max_samples=args.max_samples
            )
            shown[context.sender] = (args.layer, model)
            self._deliver(context.sender, [_histogram(args.layer, model)])
        else:
            shown.pop(context.sender, None)
            if not shown:
                self._let_go(layer)

    def _on_change(self, event: Any) -> None:
        self._due |= {(viewer, layer_id) for viewer, (layer_id, _) in self._shown.get(event.source, {}).items()}

    def _let_go(self, layer: Layer) -> None:
        del self._shown[layer]
        for name in _CHANGES:
            layer.events.emitters[name].disconnect(self._on_change)


def _histogram(layer_id: str, model: HistogramModel) -> m.LayerHistogram:
    # A model that is not enabled notes what changes, and computes when it is asked.
    edges, counts = [0.0, 1.0], [0.0]
    for bin_edges, bin_counts in model.compute():
        edges, counts = bin_edges.tolist(), bin_counts.tolist()
    return m.LayerHistogram(layer_id, edges, counts)
