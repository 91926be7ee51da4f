"""Viewers: the connected viewers as the network thread knows them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.backlog import MOST_WAITING, MessageBacklog
from napari_cuda.server.net.endings import post

log = logging.getLogger(__name__)


MOST_UNACKED = 256
"""Intents of one viewer waiting for the render thread; past it its socket is not read."""


class Viewer:
    """One connected viewer. Owner: network thread."""

    def __init__(self, name: str, news: asyncio.Event) -> None:
        self.name = name
        self.outbox = MessageBacklog()
        self.news = news
        """Set when the outbox has something, or `lost` was set."""
        self.room = asyncio.Event()
        """Set while more intents may be taken from the socket."""
        self.gone = asyncio.Event()
        """Set when the state socket has ended: the pixel socket ends with it."""
        self.greeted = False
        self.lost = ""
        """Why this viewer must be disconnected; empty while all is well."""
        self._unacked: deque[int] = deque()
        self.room.set()

    @property
    def unacked(self) -> int:
        """Intents that the render thread is not done with."""
        return len(self._unacked)

    def submitted(self, intent: int) -> None:
        """Note that an intent went to the render thread."""
        self._unacked.append(intent)
        if len(self._unacked) >= MOST_UNACKED:
            self.room.clear()

    def acked(self, intent: int) -> None:
        """Note that the render thread is done with all intents up to this one."""
        while self._unacked and self._unacked[0] <= intent:
            self._unacked.popleft()
        if len(self._unacked) < MOST_UNACKED:
            self.room.set()


class Viewers:
    """Hand state messages from the render thread to the sockets.

    `broadcast` and `deliver` are called on the render thread; all else on the network thread.
    A viewer gets no delta before its snapshot.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, resync: Callable[[str], None]) -> None:
        self._loop = loop
        self._resync = resync
        self._viewers: dict[str, Viewer] = {}

    # --- render thread ------------------------------------------------------------------

    def broadcast(self, messages: Sequence[m.ServerMessage]) -> None:
        """Tell every viewer that has had its snapshot."""
        self._hand_over(None, messages)

    def deliver(self, viewer: str, messages: Sequence[m.ServerMessage]) -> None:
        """Tell one viewer."""
        self._hand_over(viewer, messages)

    def _hand_over(self, viewer: str | None, messages: Sequence[m.ServerMessage]) -> None:
        post(self._loop, self._put, viewer, messages)

    # --- network thread -----------------------------------------------------------------

    def add(self, name: str, news: asyncio.Event) -> Viewer:
        """Register a viewer whose hello was accepted."""
        viewer = self._viewers[name] = Viewer(name, news)
        return viewer

    def remove(self, viewer: Viewer) -> None:
        """Forget a viewer."""
        self._viewers.pop(viewer.name, None)
        viewer.gone.set()

    def get(self, name: str) -> Viewer | None:
        """Return the viewer of that name, if connected."""
        return self._viewers.get(name)

    def __len__(self) -> int:
        return len(self._viewers)

    @property
    def messages_waiting(self) -> int:
        """Messages that no socket has taken yet, of all viewers."""
        return sum(len(viewer.outbox) for viewer in self._viewers.values())

    @property
    def intents_unacked(self) -> int:
        """Intents that the render thread is not done with, of all viewers."""
        return sum(viewer.unacked for viewer in self._viewers.values())

    def _put(self, name: str | None, messages: Sequence[m.ServerMessage]) -> None:
        chosen = list(self._viewers.values()) if name is None else [v for v in [self._viewers.get(name)] if v]
        for viewer in chosen:
            for message in messages:
                self._put_one(viewer, message, addressed=name is not None)

    def _put_one(self, viewer: Viewer, message: m.ServerMessage, *, addressed: bool) -> None:
        if isinstance(message, m.SceneSnapshot):
            viewer.greeted = True
        elif not viewer.greeted and not addressed:
            return
        if isinstance(message, m.Ack):
            viewer.acked(message.intent)
        was_complete = not viewer.outbox.overflowed
        viewer.outbox.put(message)
        if viewer.outbox.overflowed and was_complete:
            log.warning("viewer %s reads too slowly: its backlog is replaced by a snapshot", viewer.name)
            viewer.greeted = False
            self._resync(viewer.name)
        if len(viewer.outbox) > 2 * MOST_WAITING:
            viewer.lost = "it stopped reading"
        viewer.news.set()
