"""Remote layers' tools: those that act on data do nothing here, and ask the server."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Labels, Layer, Points, Shapes
from napari.layers.base import no_op
from napari.utils.action_manager import action_manager
from napari.utils.key_bindings import KeymapHandler

from napari_cuda.client.mirror import remote_layers
from napari_cuda.client.mirror.napari_adapter import mode_actions
from napari_cuda.client.mirror.remote_tools import ask_for_layer_actions
from napari_cuda.layer_state import layer_spec, layer_values
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.layer_actions import LAYER_ACTIONS

REAL = {
    "labels": lambda: Labels(np.zeros((9, 9), int)),
    "points": lambda: Points([[1, 2]]),
    "shapes": lambda: Shapes([[[1, 2], [3, 4]]], shape_type="rectangle"),
}
Asked = list[tuple[str, bool]]


def remote(kind: str) -> tuple[Any, Asked]:
    """Return a remote layer of a kind, and what actions it asks the server for."""
    real: Layer = REAL[kind]()
    layer = remote_layers.build(m.LayerState(layer_spec(real, "L1"), layer_values(real)))
    asked: Asked = []
    layer.command = lambda name, **args: asked.append((args["action"], args["released"]))
    return layer, asked


@pytest.mark.parametrize("kind", REAL)
def test_only_tools_that_set_properties_act_here(kind: str) -> None:
    layer, _ = remote(kind)
    acting = set()
    for mode in type(layer)._modeclass:
        layer.mode = mode
        assert layer.mode == mode, "the layer can be edited"
        callbacks = [*layer.mouse_drag_callbacks, *layer.mouse_move_callbacks, *layer.mouse_double_click_callbacks]
        if any(callback is not no_op for callback in callbacks):
            acting.add(str(mode))
        if "polygon" in layer._overlays:
            assert not layer._overlays["polygon"].enabled
            assert not layer._overlays["brush_stroke"].enabled
        assert layer.tool_is_remote == (str(mode) not in ("pan_zoom", "transform"))
    assert acting == {"transform"} | ({"paint", "erase"} if kind == "labels" else set())


def test_the_cursor_shows_the_tool() -> None:
    layer, _ = remote("labels")
    layer.brush_size = 6
    layer.mode = "paint"
    assert (layer.cursor, layer.cursor_size) == ("circle", 6)
    layer.cursor = "circle_frozen"
    assert not layer.tool_is_remote, "while the mouse changes the size of the brush nothing is drawn"
    layer.cursor = "circle"
    layer.mode = "fill"
    assert layer.cursor == "cross"


@pytest.mark.parametrize(
    ("kind", "method", "action"),
    [
        ("labels", "undo", "undo"),
        ("labels", "redo", "redo"),
        ("points", "_copy_data", "copy"),
        ("points", "_paste_data", "paste"),
        ("points", "remove_selected", "delete_selected_points"),
        ("shapes", "remove_selected", "delete_selected_shapes"),
        ("shapes", "move_to_front", "move_shapes_selection_to_front"),
        ("shapes", "move_to_back", "move_shapes_selection_to_back"),
    ],
)
def test_methods_that_act_on_data_ask(kind: str, method: str, action: str) -> None:
    layer, asked = remote(kind)
    getattr(layer, method)()
    assert asked == [(action, False)]
    assert action in LAYER_ACTIONS[kind]


def test_napari_s_actions_ask_for_remote_layers_and_act_on_others() -> None:
    ask_for_layer_actions()
    ask_for_layer_actions()
    layer, asked = remote("labels")
    new_label = action_manager._actions["napari:new_label"].command
    new_label(layer)
    assert asked == [("new_label", False)]
    local = Labels(np.full((3, 3), 6))
    new_label(local)
    assert local.selected_label == 7


@pytest.mark.parametrize(
    "name", ["activate_points_add_mode", "activate_image_transform_mode", "activate_select_mode", "paste_shape"]
)
def test_an_action_leaves_a_layer_of_another_kind_alone(name: str) -> None:
    """A button of a panel triggers it for the active layer, whosever panel that is."""
    ask_for_layer_actions()
    layer, asked = remote("labels")
    action_manager._actions[f"napari:{name}"].command(layer)
    assert (layer.mode, asked) == ("pan_zoom", [])


def test_every_kind_of_layer_has_actions_that_set_its_mode() -> None:
    names = set(mode_actions())
    assert {f"activate_{kind}_transform_mode" for kind in REAL} <= names
    ask_for_layer_actions()
    layer, _asked = remote("labels")
    action_manager._actions["napari:activate_labels_paint_mode"].command(layer)
    assert layer.mode == "paint"


@pytest.mark.parametrize("kind", REAL)
def test_every_action_of_the_table_is_asked_for(kind: str) -> None:
    ask_for_layer_actions()
    layer, asked = remote(kind)
    keys = KeymapHandler()
    keys.keymap_providers = [layer]
    bound = {action.__name__: action for action in map(_function, keys.active_keymap.values())}
    for name in LAYER_ACTIONS[kind]:
        action = action_manager._actions.get(f"napari:{name}")
        for _ in (action.command if action is not None else bound.get(name, bound.get(f"_{name}")))(layer) or ():
            pass  # a key that is held, and let go
    assert [name for name, released in asked if not released] == list(LAYER_ACTIONS[kind])
    released = [name for name, released in asked if released]
    assert released == (["hold_to_lock_aspect_ratio"] if kind == "shapes" else [])


def _function(bound: Any) -> Any:
    return getattr(bound, "__func__", bound)
