"""Inbox: the one queue through which anything reaches the render thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from napari_cuda.protocol import messages as m


@dataclass(frozen=True, slots=True)
class ViewerIntent:
    """An intent and the viewer it came from."""

    viewer: str
    intent: m.Intent


class Inbox:
    """Commands for the render thread, in order.

    Bound: each viewer may have a bounded number of unacknowledged intents (the state socket
    stops reading past it), all else is a handful of calls.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._entries: deque[ViewerIntent | Callable[[], None]] = deque()
        self._woken = False

    def put(self, entry: ViewerIntent | Callable[[], None]) -> None:
        """Queue a command."""
        with self._condition:
            self._entries.append(entry)
            self._condition.notify()

    def wake(self) -> None:
        """End the present or next wait."""
        with self._condition:
            self._woken = True
            self._condition.notify()

    def wait(self, timeout_s: float | None) -> None:
        """Return when there is a command, after `wake`, or after `timeout_s` (None: never)."""
        with self._condition:
            self._condition.wait_for(lambda: self._woken or self._entries, timeout_s)
            self._woken = False

    def take(self) -> list[ViewerIntent | Callable[[], None]]:
        """Return and remove all commands, oldest first."""
        with self._condition:
            entries = list(self._entries)
            self._entries.clear()
            return entries
