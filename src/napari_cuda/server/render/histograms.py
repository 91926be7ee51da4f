"""Histograms: what the histograms of layers look like that clients show."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari.components.histogram import HistogramModel
from napari.layers import Image, Layer, Surface

from napari_cuda.layer_state import LARGE_BYTES, size_bytes
from napari_cuda.protocol import commands as c
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.data.jobs import Finish, Job
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
        self._jobs = commands.jobs
        self._counting: set[tuple[str, str]] = set()
        """(viewer, layer id) that a job counts for. Owner: render thread; the job takes its own out."""
        commands.register("layer.histogram", self._show)

    def tell(self) -> None:
        """Tell the viewers what changed. Computes: once the picture is at rest."""
        due, self._due = self._due, set()
        for layer, shown in self._shown.items():
            for viewer, (layer_id, model) in shown.items():
                if (viewer, layer_id) in due:
                    self._count(viewer, layer, layer_id, model)

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
            self._count(context.sender, layer, args.layer, model)
        else:
            shown.pop(context.sender, None)
            if not shown:
                self._let_go(layer)

    def _on_change(self, event: Any) -> None:
        for viewer, (layer_id, model) in self._shown.get(event.source, {}).items():
            if model.mode == "canvas" or event.type != "set_data":  # which comes with every slice
                self._due.add((viewer, layer_id))

    def _count(self, viewer: str, layer: Layer, layer_id: str, model: HistogramModel) -> None:
        """Count and tell; as a job if all of a large layer has to be read."""
        if model.mode == "canvas" or size_bytes(layer) <= LARGE_BYTES:
            self._deliver(viewer, [_histogram(layer_id, model)])
            return
        key = (viewer, layer_id)
        if key in self._counting:
            self._due.add(key)
            return
        self._counting.add(key)

        def work(job: Job) -> Finish:
            try:
                histogram = _histogram(layer_id, model, job.check)
            finally:
                self._counting.discard(key)

            def tell() -> dict[str, Any]:
                self._deliver(viewer, [histogram])
                if key in self._due:
                    self.tell()
                return {}

            return tell

        if not self._jobs.start(viewer, 0, f"Counting the values of {layer.name}", work):
            self._counting.discard(key)

    def _let_go(self, layer: Layer) -> None:
        del self._shown[layer]
        for name in _CHANGES:
            layer.events.emitters[name].disconnect(self._on_change)


def _histogram(layer_id: str, model: HistogramModel, check: Callable[[], None] = lambda: None) -> m.LayerHistogram:
    # A model that is not enabled notes what changes, and computes when it is asked.
    edges, counts = [0.0, 1.0], [0.0]
    for bin_edges, bin_counts in model.compute():
        check()
        edges, counts = bin_edges.tolist(), bin_counts.tolist()
    return m.LayerHistogram(layer_id, edges, counts)
