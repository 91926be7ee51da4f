"""Listeners: what code of the user's on the server, scripts and plugins, wants to hear of keyboard and pointer.

A client's window handles napari's own keys and callbacks itself, but for tools; what else is bound here it must be
told of, or the key would never be sent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, SupportsIndex

from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils import key_bindings
from napari.utils.key_bindings import Keymap, KeymapProvider

from napari_cuda.protocol import messages as m

KINDS: dict[Any, str] = {
    "drag": "mouse_drag_callbacks",
    "move": "mouse_move_callbacks",
    "wheel": "mouse_wheel_callbacks",
    "double": "mouse_double_click_callbacks",
}
"""What a client is told, and where napari keeps who listens to it."""


@functools.cache
def own_keys() -> dict[type, dict[Any, Any]]:
    """Return the keys that napari itself has bound to its classes; call first before any script or plugin binds one."""
    classes = [KeymapProvider]
    for known in classes:
        classes += known.__subclasses__()
    return {known: dict(vars(known).get("class_keymap", {})) for known in classes}


def is_own(callback: Any) -> bool:
    """Return whether a callback is one of napari's."""
    home = getattr(callback, "__module__", None) or getattr(type(callback), "__module__", "")
    return str(home).partition(".")[0] == "napari"


class _Switch:
    """Whether napari's own callbacks are passed over at the moment."""

    off = False


class _Callbacks(list[Callable[..., Any]]):
    """A list of callbacks that, while a switch is off, one goes through without napari's own."""

    def __init__(self, callbacks: list[Callable[..., Any]], switch: _Switch) -> None:
        super().__init__(callbacks)
        self._switch = switch

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        if self._switch.off:
            return iter([callback for callback in self[:] if not is_own(callback)])
        return super().__iter__()

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        return super().__getitem__(index)


class Listeners:
    """Owner: render thread."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._switch = _Switch()
        self._position = viewer.cursor.events.position
        self._own_followers = len(self._position.callbacks)
        viewer.layers.events.inserted.connect(lambda event: self._adopt(event.value))
        for provider in (viewer, *viewer.layers):
            self._adopt(provider)

    def wanted(self, layer_id: Callable[[Layer], str]) -> m.InputWanted:
        """Return what is listened to now."""
        viewer = self._viewer
        of_class = functools.cache(_keys_of_class)  # of hundreds of layers there are seven kinds
        keys = {"": _keys_of(viewer, of_class, key_bindings.USER_KEYMAP)}
        keys |= {layer_id(layer): _keys_of(layer, of_class) for layer in viewer.layers}
        pointer = [kind for kind in KINDS if self._is_heard(kind)]
        return m.InputWanted({owner: names for owner, names in keys.items() if names}, pointer)

    def hears_key(self, key: str) -> bool:
        """Return whether what napari would call for a key is the user's, and not its own."""
        active = self._viewer.layers.selection.active
        providers = [self._viewer] if active is None else [active, self._viewer]
        keymaps: list[tuple[Keymap, Keymap]] = [(key_bindings.USER_KEYMAP, {})]
        for provider in providers:
            keymaps += [(provider.keymap, {}), *_class_keymaps(type(provider))]
        for keymap, own in keymaps:  # in napari's order: the first that has it
            if key in _names(keymap):
                return key in _names(_of_user(keymap, own))
        return False

    @contextmanager
    def without_own(self) -> Iterator[None]:
        """Have only the user's callbacks called, and not what napari does with the pointer."""
        self._switch.off = True
        try:
            yield
        finally:
            self._switch.off = False

    def _adopt(self, provider: ViewerModel | Layer) -> None:
        for name in KINDS.values():
            # Past pydantic, which would make a plain list of it.
            vars(provider)[name] = _Callbacks(getattr(provider, name), self._switch)

    def _is_heard(self, kind: str) -> bool:
        if kind == "move" and len(self._position.callbacks) > self._own_followers:
            return True
        providers = (self._viewer, *self._viewer.layers)
        return any(not is_own(callback) for provider in providers for callback in getattr(provider, KINDS[kind]))


def _keys_of(provider: KeymapProvider, of_class: Callable[[type], frozenset[str]], *more: Keymap) -> list[str]:
    """Return the keys that are bound to an object, or to its classes, by others than napari."""
    names = {name for keymap in (provider.keymap, *more) for name in _names(keymap)}
    return sorted(names | of_class(type(provider)))


def _keys_of_class(kind: type) -> frozenset[str]:
    return frozenset(name for keymap, own in _class_keymaps(kind) for name in _names(_of_user(keymap, own)))


def _class_keymaps(kind: type) -> list[tuple[Keymap, Keymap]]:
    """Return the keymaps of a class and its bases, each with what napari itself has bound in it."""
    classes = [known for known in kind.__mro__ if "class_keymap" in vars(known)]
    return [(vars(known)["class_keymap"], own_keys().get(known, {})) for known in classes]


def _of_user(keymap: Keymap, own: Keymap) -> Keymap:
    return {key: bound for key, bound in keymap.items() if own.get(key) is not bound}


def _names(keymap: Keymap) -> list[str]:
    # `...`, all keys that are not bound, is napari's way to keep keys from itself: nothing is to be sent for it.
    return [str(key) for key in keymap if key is not Ellipsis]
