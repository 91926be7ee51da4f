"""The layer list's context menu, and what of the Layers menu works on data: the entries run where the layers are."""

from __future__ import annotations

from collections.abc import Callable

import napari
from napari.components import LayerList

from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.client.qt.napari_adapter import replace_commands, wrap_menu_actions
from napari_cuda.protocol.layer_actions import MEASURE_SHAPES


def ask_for_menu_actions() -> None:
    """Have the entries of napari's layer menu ask the server if the selected layers are remote. Owner: GUI thread."""
    wrap_menu_actions(_act_where_the_layers_are)


def _act_where_the_layers_are(action: str, act_here: Callable[[LayerList], object], layers: LayerList) -> None:
    selected = [layer for layer in layers if layer in layers.selection]
    remote = [layer for layer in selected if isinstance(layer, RemoteLayer)]
    if not remote:
        act_here(layers)
        return
    active = layers.selection.active
    remote[0].ask(
        "layers.menu_action",
        action=action,
        selection=[layer.remote_id for layer in remote],
        active=active.remote_id if isinstance(active, RemoteLayer) else None,
    )


def ask_for_layers_menu(viewer: napari.Viewer) -> None:
    """Have what napari itself adds to this window's Layers menu act on the server."""

    def measure() -> None:
        _act_where_the_layers_are(MEASURE_SHAPES, lambda _layers: None, viewer.layers)

    replace_commands(viewer, {MEASURE_SHAPES: measure})
