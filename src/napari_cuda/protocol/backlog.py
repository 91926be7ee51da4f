"""MessageBacklog: state messages that wait for their reader, bounded.

A viewer that reads slowly must cost the server nothing, and a script that is busy elsewhere
its own process neither: deltas of the same object merge (newest value wins), and past the
bound the backlog is replaced by one snapshot.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar, cast

import msgspec

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s

MOST_WAITING = 512
"""More waiting messages than this cost more than a fresh snapshot of a large scene."""


T = TypeVar("T")


class MessageBacklog(Generic[T]):
    """Messages for one reader, oldest first. Pure; the owner locks if there are two threads.

    What is no state (acks, errors, whatever else the owner puts in between) is never dropped.
    """

    def __init__(self) -> None:
        self._waiting: deque[T] = deque()
        self.limit = MOST_WAITING
        """As many may wait; more after a snapshot, which each of its layers follows with a thumbnail."""
        self.overflowed = False
        """Set when the backlog was dropped, until a snapshot comes: the owner must ask for one."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: T) -> None:
        """Queue a message, merging it into the newest one if both update the same object."""
        if isinstance(message, m.SceneSnapshot):
            self._drop_state()
            self.overflowed = False
            self.limit = MOST_WAITING + len(message.layers)
        elif self.overflowed and _superseded_by_snapshot(message):
            return
        self._append(message)
        if len(self._waiting) > self.limit:
            self._drop_state()
            self.overflowed = True

    def renew(self, message: T) -> None:
        """Queue a message, in place of the newest one if that is of the same kind."""
        if self._waiting and type(self._waiting[-1]) is type(message):
            self._waiting[-1] = message
        else:
            self.put(message)

    def take(self) -> T | None:
        """Return and remove the oldest message, or None."""
        return self._waiting.popleft() if self._waiting else None

    def _append(self, message: T) -> None:
        merged = _merge(self._waiting[-1], message) if self._waiting else None
        if merged is None:
            self._waiting.append(message)
        else:
            self._waiting[-1] = cast("T", merged)

    def _drop_state(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for message in waiting:
            if not _superseded_by_snapshot(message):
                self._append(message)  # acks that stood apart merge now


_STATE = (
    m.SceneSnapshot, m.SceneResumed, m.SceneUpdate, m.LayerUpdate, m.DimsUpdate, m.CameraUpdate, m.ViewUpdate,
    m.LayerThumbnail,
)  # fmt: skip


def _superseded_by_snapshot(message: object) -> bool:
    return isinstance(message, _STATE)


def _merge(older: object, newer: object) -> m.ServerMessage | None:
    for kind in (m.DimsUpdate, m.CameraUpdate, m.ViewUpdate):
        if isinstance(older, kind) and isinstance(newer, kind):
            return msgspec.structs.replace(newer, values=older.values | newer.values)
    if isinstance(newer, m.LayerUpdate) and isinstance(older, m.LayerUpdate) and older.layer == newer.layer:
        values, spec = older.values | newer.values, newer.spec or older.spec
        return msgspec.structs.replace(newer, values=values, spec=spec, edited=older.edited or newer.edited)
    if isinstance(newer, m.JobUpdate) and isinstance(older, m.JobUpdate) and older.job == newer.job:
        return newer
    if isinstance(newer, s.SurfaceList) and isinstance(older, s.SurfaceList):
        return newer
    if isinstance(newer, m.Ack) and isinstance(older, m.Ack) and not older.refused:
        return newer
    return None
