"""Inbox: the one queue through which anything reaches the render thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s


@dataclass(frozen=True, slots=True)
class ViewerIntent:
    """An intent and the viewer it came from."""

    viewer: str
    intent: m.Intent


LOOK_S = 1.0


def coalesce(entries: list[ViewerIntent | Callable[[], None]]) -> list[ViewerIntent | Callable[[], None]]:
    """Merge runs of intents of one viewer for one object: values are absolute, the newest win.

    The ack of the newest acknowledges all.
    """
    kept: list[ViewerIntent | Callable[[], None]] = []
    for entry in entries:
        older = kept[-1] if kept else None
        if isinstance(entry, ViewerIntent) and isinstance(older, ViewerIntent) and older.viewer == entry.viewer:
            intent = _merge(older.intent, entry.intent)
            if intent is not None:
                kept[-1] = ViewerIntent(entry.viewer, intent)
                continue
        kept.append(entry)
    return kept


def _merge(older: m.Intent, newer: m.Intent) -> m.Intent | None:
    if isinstance(older, m.LayerIntent) and isinstance(newer, m.LayerIntent) and older.layer == newer.layer:
        return replace(newer, values=older.values | newer.values)
    for kind in (m.DimsIntent, m.CameraIntent, m.ViewIntent):
        if isinstance(older, kind) and isinstance(newer, kind):
            return replace(newer, values=older.values | newer.values)
    if isinstance(older, s.SurfaceIntent) and isinstance(newer, s.SurfaceIntent):
        return s.merged(older, newer)
    return None


class Idle(Protocol):
    """Another way to wait, in which other things run on the render thread."""

    def wait(self, timeout_s: float) -> None:
        """Return when something ran, after `wake`, or after `timeout_s`."""

    def wake(self) -> None:
        """End the present or the next wait; any thread."""


class Inbox:
    """Commands for the render thread, in order.

    Bound: each viewer may have a bounded number of unacknowledged intents (the state socket
    stops reading past it), all else is a handful of calls.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._entries: deque[ViewerIntent | Callable[[], None]] = deque()
        self._woken = False
        self.idle: Idle | None = None
        """How to wait; None: just wait."""

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: ViewerIntent | Callable[[], None]) -> None:
        """Queue a command."""
        with self._condition:
            self._entries.append(entry)
            self._notify()

    def wake(self) -> None:
        """End the present or next wait."""
        with self._condition:
            self._woken = True
            self._notify()

    def _notify(self) -> None:
        self._condition.notify()
        if self.idle is not None:
            self.idle.wake()

    def wait(self, timeout_s: float | None) -> None:
        """Return when there is a command, after `wake`, or after `timeout_s`, at most LOOK_S."""
        # Never for ever: a signal between the look and the wait wakes nobody.
        longest_s = LOOK_S if timeout_s is None else min(timeout_s, LOOK_S)
        if self.idle is not None:
            self._wait_otherwise(self.idle, longest_s)
            return
        with self._condition:
            self._condition.wait_for(lambda: self._woken or self._entries, longest_s)
            self._woken = False

    def _wait_otherwise(self, idle: Idle, longest_s: float) -> None:
        """As `wait`, but also return when something else ran: it may have changed what is to be drawn."""
        with self._condition:
            ready = self._woken or bool(self._entries)
            self._woken = False
        if not ready:
            idle.wait(longest_s)

    def wait_for_wake(self, timeout_s: float) -> None:
        """Return after `wake` or `timeout_s`, whatever commands arrive."""
        with self._condition:
            self._condition.wait_for(lambda: self._woken, timeout_s)
            self._woken = False

    def take(self) -> list[ViewerIntent | Callable[[], None]]:
        """Return and remove all commands, oldest first."""
        with self._condition:
            entries = list(self._entries)
            self._entries.clear()
            return entries
