"""RemoteTools: napari's tools on a remote layer act on the server, where the data is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from napari.layers import Layer, Shapes
from napari.utils.key_bindings import KeyCode

from napari_cuda.client.mirror.napari_adapter import local_tools, mode_actions, wrap_layer_action
from napari_cuda.protocol.layer_actions import LAYER_ACTIONS

# Methods of napari's layers that do what an action of the table does: keys, buttons and scripts call them.
_METHODS = {
    "labels": {"undo": "undo", "redo": "redo"},
    "points": {"_copy_data": "copy", "_paste_data": "paste", "remove_selected": "delete_selected_points"},
    "shapes": {
        "remove_selected": "delete_selected_shapes",
        "move_to_front": "move_shapes_selection_to_front",
        "move_to_back": "move_shapes_selection_to_back",
    },
}


class RemoteTools:
    """Mixin of remote layers. Owner: GUI thread.

    A tool that only sets mirrored properties (the transform box, the size of the brush) acts here and at
    once. The others act where the data is: the pointer's events are sent there, in order and all.
    """

    mode: str
    cursor: str

    def command(self, name: str, **args: Any) -> None:
        """Ask the server to do something with this layer."""
        raise NotImplementedError  # `RemoteLayer` does it

    @property
    def tool_is_remote(self) -> bool:
        """True while what the pointer does on the canvas is for a tool on the server."""
        # The cursor is frozen while the pointer changes the size of the brush.
        return self.mode not in ("pan_zoom", "transform") and self.cursor != "circle_frozen"

    def act(self, action: str, *, released: bool = False) -> None:
        """Have the server do one of `LAYER_ACTIONS`, or end the one that a held key does."""
        self.command("layer.action", action=action, released=released)


def tool_members(base: type[Layer], kind: str) -> dict[str, Any]:
    """Return what a remote layer's class has in place of its base's tools."""
    methods = {method: _asking(action) for method, action in _METHODS.get(kind, {}).items()}
    return {**local_tools(base), **methods}


def bind_remote_keys(cls: Any) -> None:
    """Bind the keys of a remote class whose actions last while they are held."""
    if issubclass(cls, Shapes):
        cls.bind_key(KeyCode.Shift, _hold_to_lock_aspect_ratio, overwrite=True)


def ask_for_layer_actions() -> None:
    """Have napari's actions of the table, whatever their keys and buttons, ask the server if the layer is remote.

    None is done to a layer of a kind that it is not for, nor does one set a mode there.
    """
    for names in LAYER_ACTIONS.values():
        for name in names:
            wrap_layer_action(name, _act_where_the_data_is)
    for name in mode_actions():
        wrap_layer_action(name, _act_here)


def _act_where_the_data_is(name: str, act_here: Callable[[Layer], Any], layer: Layer) -> Any:
    if isinstance(layer, RemoteTools):
        layer.act(name)
        return None
    return act_here(layer)


def _act_here(_name: str, act: Callable[[Layer], Any], layer: Layer) -> Any:
    return act(layer)


def _asking(action: str) -> Callable[[RemoteTools], None]:
    def ask(self: RemoteTools) -> None:
        self.act(action)

    ask.__doc__ = f"Done on the server: `{action}`."
    return ask


def _hold_to_lock_aspect_ratio(layer: RemoteTools) -> Generator[None, None, None]:
    layer.act("hold_to_lock_aspect_ratio")
    yield
    layer.act("hold_to_lock_aspect_ratio", released=True)
