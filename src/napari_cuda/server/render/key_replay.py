"""KeyReplay: the keys that the viewers press, given to the code on the server that listens to them."""

from __future__ import annotations

import logging
from typing import Protocol

from napari_cuda.protocol import messages as m
from napari_cuda.server.render.refusals import first_line

log = logging.getLogger(__name__)


class KeyCanvas(Protocol):
    """What the replay needs of the canvas."""

    def hears_key(self, key: str) -> bool:
        """Return whether code of the user's listens to a key."""

    def press_key(self, key: str) -> None:
        """Have napari see a key pressed."""

    def release_key(self, key: str) -> None:
        """Have napari see a key let go."""


class KeyReplay:
    """Owner: render thread."""

    def __init__(self, canvas: KeyCanvas) -> None:
        self._canvas = canvas
        self._held: dict[str, list[str]] = {}
        """Viewer → keys down. Bound: the keys that are listened to."""

    def apply(self, viewer: str, event: m.InputKey) -> dict[str, str]:
        """Carry out one event; return why it was refused, by name (empty: done)."""
        held = self._held.setdefault(viewer, [])
        try:
            if event.action == "press":
                if self._canvas.hears_key(event.key):
                    if event.key not in held:
                        held.append(event.key)
                    self._canvas.press_key(event.key)
            elif event.key in held:
                held.remove(event.key)
                self._canvas.release_key(event.key)
        except Exception as error:  # it is the user's code, and may raise anything; the rest goes on
            log.exception("what is bound to a key failed")
            return {"input.key": f"what is bound to {event.key} failed: {type(error).__name__}: {first_line(error)}"}
        return {}

    def let_go(self, viewer: str) -> None:
        """A viewer's connection is gone: it holds no key any more."""
        for key in list(self._held.pop(viewer, ())):
            try:
                self._canvas.release_key(key)
            except Exception:
                log.exception("what is bound to a key failed when it was let go")
