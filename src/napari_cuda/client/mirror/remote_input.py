"""RemoteInput: keys and pointer events that code on the server listens to, besides napari's own tools."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal

from napari.components import ViewerModel
from napari.utils.key_bindings import KeyBinding, KeymapProvider, coerce_keybinding

from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.protocol import messages as m

UNNUMBERED = 0
"""The `intent` of a key until it is put in line with all else that the user does."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """A key that is bound here, and what it was bound to before."""

    owner: KeymapProvider
    key: KeyBinding
    forward: Callable[..., Any]
    before: Any


class RemoteInput:
    """Owner: GUI thread.

    A key is bound here, to the viewer or to the layer that it is bound to there, so that napari finds it in the same
    order and gives it to nobody who types into a field.
    """

    def __init__(self, viewer: ViewerModel, press: Callable[[m.InputKey], None]) -> None:
        self._viewer = viewer
        self._press = press
        self._bound: list[_Bound] = []
        self.pointer: frozenset[str] = frozenset()
        """What is to be sent of the pointer whatever the tool: some of drag, move, wheel, double."""

    def show(self, wanted: m.InputWanted) -> None:
        """Listen to what the server wants, and to nothing that it wanted before."""
        self._let_go()
        self.pointer = frozenset(wanted.pointer)
        owners: dict[str, KeymapProvider] = {"": self._viewer}
        owners |= {layer.remote_id: layer for layer in self._viewer.layers if isinstance(layer, RemoteLayer)}
        for owner_id, names in wanted.keys.items():
            if owner_id in owners:
                for name in names:
                    self._bind(owners[owner_id], name)

    def _bind(self, owner: KeymapProvider, name: str) -> None:
        try:
            key = coerce_keybinding(name)
        except ValueError:
            return  # a key that this napari does not know is on no keyboard here
        forward = self._forwarder(name)
        self._bound.append(_Bound(owner, key, forward, owner.keymap.get(key)))
        owner.keymap[key] = forward

    def _let_go(self) -> None:
        bound, self._bound = self._bound, []
        for one in bound:
            if one.owner.keymap.get(one.key) is not one.forward:
                continue  # the user bound it to something else meanwhile
            if one.before is None:
                del one.owner.keymap[one.key]
            else:
                one.owner.keymap[one.key] = one.before

    def _forwarder(self, name: str) -> Callable[..., Generator[None, None, None]]:
        def press(action: Literal["press", "release"]) -> None:
            self._press(m.InputKey(UNNUMBERED, action, name))

        def forward(_owner: object) -> Generator[None, None, None]:
            press("press")
            yield
            press("release")

        forward.__doc__ = f"What {name} is bound to on the server."
        return forward
