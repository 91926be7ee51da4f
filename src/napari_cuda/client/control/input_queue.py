"""InputQueue: what the user did on the canvas, in order, until it is sent."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from napari_cuda.protocol import messages as m

UNNUMBERED = 0
"""The `intent` of an event that still waits: it may be merged with the next."""


class InputQueue:
    """Owner: GUI thread; pure.

    A pointer move replaces the move before it, wheel turns add up: the last place and the sum always
    arrive. Only neighbours merge, so nothing ever passes a press, a release or a key. The bound is
    what a hand does between two `take`: whoever cannot send must `clear`.
    """

    def __init__(self) -> None:
        self._waiting: list[m.InputEvent] = []
        self._keys: dict[str, m.InputKey] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: m.InputEvent) -> None:
        """Take an event in."""
        if isinstance(event, m.InputKey):
            if event.action == "press":
                self._keys[event.key] = event
            elif self._keys.pop(event.key, None) is None:
                return  # pressed elsewhere: nobody was told, or it was let go of already
        last = self._waiting[-1] if self._waiting else None
        merged = None if last is None else _merged(last, event)
        if merged is None:
            self._waiting.append(event)
        else:
            self._waiting[-1] = merged

    def release_keys(self) -> None:
        """The canvas lost the keyboard: no key is held any more."""
        for key in list(self._keys.values()):
            self.add(msgspec.structs.replace(key, action="release", text=""))

    def take(self, number: Callable[[], int]) -> list[m.InputEvent]:
        """Return everything that waits, oldest first, each with a number of its own."""
        events, self._waiting = self._waiting, []
        return [msgspec.structs.replace(event, intent=number()) for event in events]

    def clear(self) -> None:
        """Forget everything: input is never sent late."""
        self._waiting.clear()
        self._keys.clear()


def _merged(last: m.InputEvent, event: m.InputEvent) -> m.InputEvent | None:
    """Return one event that says what both do, or None if there is none."""
    if isinstance(last, m.InputPointer) and isinstance(event, m.InputPointer):
        same = last.action == event.action == "move" and last.buttons == event.buttons
        return event if same and last.modifiers == event.modifiers else None
    if isinstance(last, m.InputWheel) and isinstance(event, m.InputWheel) and last.modifiers == event.modifiers:
        delta = [before + more for before, more in zip(last.delta, event.delta, strict=True)]
        return msgspec.structs.replace(event, delta=delta)
    return None
