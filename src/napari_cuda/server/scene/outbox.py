"""ViewerOutbox: what still has to be told to one viewer.

A viewer that reads slowly must cost the server nothing: deltas of the same object merge
(newest value wins), and past the bound the backlog is replaced by one snapshot.
"""

from __future__ import annotations

from collections import deque

import msgspec

from napari_cuda.protocol import messages as m

MOST_WAITING = 512
"""More waiting messages than this cost more than a fresh snapshot of a large scene."""


class ViewerOutbox:
    """Messages for one viewer, oldest first. Owner: network thread. Pure."""

    def __init__(self) -> None:
        self._waiting: deque[m.ServerMessage] = deque()
        self.overflowed = False
        """Set when the backlog was dropped: the host must ask for a snapshot."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: m.ServerMessage) -> None:
        """Queue a message, merging it into the newest one if both update the same object."""
        if isinstance(message, m.SceneSnapshot):
            self._waiting = deque(kept for kept in self._waiting if not _superseded_by_snapshot(kept))
            self.overflowed = False
        elif self.overflowed and _superseded_by_snapshot(message):
            return
        elif self._waiting:
            merged = _merge(self._waiting[-1], message)
            if merged is not None:
                self._waiting[-1] = merged
                return
        self._waiting.append(message)
        if len(self._waiting) > MOST_WAITING:
            self._waiting = deque(kept for kept in self._waiting if not _superseded_by_snapshot(kept))
            self.overflowed = True

    def take(self) -> m.ServerMessage | None:
        """Return and remove the oldest message, or None."""
        return self._waiting.popleft() if self._waiting else None


_STATE = (m.SceneSnapshot, m.SceneUpdate, m.LayerUpdate, m.DimsUpdate, m.CameraUpdate, m.ViewUpdate, m.LayerThumbnail)


def _superseded_by_snapshot(message: m.ServerMessage) -> bool:
    return isinstance(message, _STATE)


def _merge(older: m.ServerMessage, newer: m.ServerMessage) -> m.ServerMessage | None:
    if isinstance(newer, (m.DimsUpdate, m.CameraUpdate, m.ViewUpdate)) and type(older) is type(newer):
        return msgspec.structs.replace(newer, values=older.values | newer.values)
    if isinstance(newer, m.LayerUpdate) and isinstance(older, m.LayerUpdate) and older.layer == newer.layer:
        return msgspec.structs.replace(newer, values=older.values | newer.values, spec=newer.spec or older.spec)
    if isinstance(newer, m.Ack) and isinstance(older, m.Ack) and not older.refused:
        return newer
    return None
