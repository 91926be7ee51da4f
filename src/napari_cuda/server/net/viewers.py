"""Viewers: who is connected, and who may come back, as the network thread knows them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.backlog import MessageBacklog
from napari_cuda.server.net.endings import post

log = logging.getLogger(__name__)


MOST_UNACKED = 256
"""Intents of one viewer waiting for the render thread; past it its socket is not read."""

MOST_AWAY = 64
LONGEST_AWAY_S = 900.0
"""How many viewers whose connection was lost are remembered, and how long: a lunch break, and a few
kilobytes each. Who comes back later starts with a snapshot and a new name."""

MOST_REFUSALS = 32
"""Acks that refused something, kept for a viewer whose connection dies before it has read them."""


class Seat:
    """One connection of a viewer. Owner: network thread."""

    def __init__(self, news: asyncio.Event) -> None:
        self.outbox: MessageBacklog[m.ServerMessage] = MessageBacklog()
        self.news = news
        """Set when the outbox has something, or `lost` was set."""
        self.greeted = False
        self.lost = ""
        """Why this connection must be ended; empty while all is well."""
        self.goodbye = ""
        """What the client is told before the connection is ended, with which its session is over."""
        self._pixels_over = asyncio.Event()

    def take_pixels(self) -> asyncio.Event:
        """A pixel socket opens, in place of an older one; return what tells it that its time is over."""
        self._pixels_over.set()
        self._pixels_over = asyncio.Event()
        return self._pixels_over

    def tell(self, news: m.ServerMessage) -> None:
        """Say something that the next of its kind replaces, to a viewer that has had the scene."""
        if self.greeted:
            self.outbox.renew(news)
            self.news.set()

    def lose(self, reason: str) -> None:
        """Have the connection ended."""
        self.lost = reason
        self.news.set()
        self.end()

    def end(self) -> None:
        """The state socket is over: the pixel socket ends with it."""
        self._pixels_over.set()


class Viewer:
    """One viewer, through all its connections. Owner: network thread."""

    def __init__(self, name: str, seat: Seat) -> None:
        self.name = name
        self.resume_token = secrets.token_urlsafe(16)
        """Who shows it is this viewer: one viewer must not be able to act as another."""
        self.seat: Seat | None = None
        """Its connection; None while it is away."""
        self.seated = asyncio.Event()
        """Set while it has a connection."""
        self.room = asyncio.Event()
        """Set while more intents may be taken from the socket."""
        self.taken = 0
        """Newest intent handed to the render thread, which carries out each one."""
        self.away_since_s = 0.0
        self._unacked: deque[int] = deque()
        self._newest_ack: m.Ack | None = None
        self._refusals: deque[m.Ack] = deque(maxlen=MOST_REFUSALS)
        self.room.set()
        self.sit(seat)

    def is_named_by(self, token: str) -> bool:
        """Return whether `token` is this viewer's."""
        return secrets.compare_digest(self.resume_token.encode(), token.encode())

    def sit(self, seat: Seat | None) -> None:
        """Go over to another connection, or to none."""
        self.seat = seat
        if seat is not None:
            self.seated.set()
        else:
            self.seated.clear()

    @property
    def unacked(self) -> int:
        """Intents that the render thread is not done with."""
        return len(self._unacked)

    def take(self, intent: int) -> bool:
        """Note that an intent goes to the render thread; False if it went there before."""
        if intent <= self.taken:
            return False
        self.taken = intent
        self._unacked.append(intent)
        if len(self._unacked) >= MOST_UNACKED:
            self.room.clear()
        return True

    def acked(self, ack: m.Ack) -> None:
        """Note that the render thread is done with all intents up to this one."""
        self._newest_ack = ack
        if ack.refused:
            self._refusals.append(ack)
        while self._unacked and self._unacked[0] <= ack.intent:
            self._unacked.popleft()
        if len(self._unacked) < MOST_UNACKED:
            self.room.set()

    def told(self) -> list[m.Ack]:
        """Return the acks that a returning viewer may have missed; it ignores those it has read."""
        newest = [] if self._newest_ack is None or self._newest_ack.refused else [self._newest_ack]
        return [*self._refusals, *newest]


class Viewers:
    """Hand state messages from the render thread to the sockets.

    `broadcast` and `deliver` are called on the render thread; all else on the network thread.
    A connection gets no delta before its snapshot, or what stands for one.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        resync: Callable[[str], None],
        forgotten: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._resync = resync
        self._forgotten = forgotten
        self._clock = clock
        self._viewers: dict[str, Viewer] = {}
        self._over = False
        """Everybody was told goodbye."""

    # --- render thread ------------------------------------------------------------------

    def broadcast(self, messages: Sequence[m.ServerMessage], then: Mapping[str, m.ServerMessage]) -> None:
        """Tell every viewer that has had its snapshot, and then some of them one message more."""
        post(self._loop, self._put_all, messages, then)

    def deliver(self, viewer: str, messages: Sequence[m.ServerMessage]) -> None:
        """Tell one viewer."""
        post(self._loop, self._put_addressed, viewer, messages)

    def say_goodbye(self, reason: str, within_s: float) -> None:
        """End the sessions of all viewers, telling them why; return when they were told."""
        with contextlib.suppress(RuntimeError, TimeoutError):  # the loop is closed, or a viewer does not read
            asyncio.run_coroutine_threadsafe(self._part_all(reason), self._loop).result(within_s)

    def tell_busy(self, text: str) -> None:
        """Tell all viewers, also those who have had no scene yet, what keeps the render thread; any thread."""
        post(self._loop, self._put_busy, m.Busy(text))

    # --- network thread -----------------------------------------------------------------

    async def _part_all(self, reason: str) -> None:
        self._over = True
        while seats := self._connections():
            for seat in seats:
                seat.goodbye = reason
                seat.news.set()
            await asyncio.sleep(0.02)

    def _put_busy(self, message: m.Busy) -> None:
        for seat in self._connections():
            seat.outbox.renew(message)
            seat.news.set()

    def add(self, seat: Seat) -> Viewer:
        """Welcome a new viewer."""
        self._forget_the_long_gone()
        viewer = Viewer(f"V{secrets.token_hex(8)}", seat)
        self._viewers[viewer.name] = viewer
        return viewer

    def resume(self, token: str, seat: Seat) -> Viewer | None:
        """Give a viewer that comes back its place; None if nobody is remembered by that token.

        Its old connection may still look open: it is replaced.
        """
        self._forget_the_long_gone()
        viewer = next((known for known in self._viewers.values() if known.is_named_by(token)), None)
        if viewer is not None:
            if viewer.seat is not None:
                viewer.seat.lose("the viewer came back on another connection")
            viewer.sit(seat)
        return viewer

    def part(self, viewer: Viewer, seat: Seat, *, for_good: bool) -> None:
        """A connection has ended; `for_good` if the viewer will not come back."""
        seat.end()
        if viewer.seat is not seat:
            return
        viewer.sit(None)
        if self._over:
            viewer.seated.set()  # what waits for it to come back waits for nothing
        viewer.away_since_s = self._clock()
        if for_good:
            self._forget(viewer)
        self._forget_the_long_gone()

    def get(self, name: str) -> Viewer | None:
        """Return the viewer of that name, connected or away."""
        return self._viewers.get(name)

    def __len__(self) -> int:
        return len(self._connections())

    @property
    def messages_waiting(self) -> int:
        """Messages that no socket has taken yet, of all viewers."""
        return sum(len(seat.outbox) for seat in self._connections())

    @property
    def intents_unacked(self) -> int:
        """Intents that the render thread is not done with, of all viewers."""
        return sum(viewer.unacked for viewer in self._viewers.values())

    def _connections(self) -> list[Seat]:
        return [viewer.seat for viewer in self._viewers.values() if viewer.seat is not None]

    def _forget_the_long_gone(self) -> None:
        away = sorted((v for v in self._viewers.values() if v.seat is None), key=lambda viewer: viewer.away_since_s)
        oldest_s = self._clock() - LONGEST_AWAY_S
        for index, viewer in enumerate(away):
            if viewer.away_since_s < oldest_s or index < len(away) - MOST_AWAY:
                self._forget(viewer)

    def _forget(self, viewer: Viewer) -> None:
        del self._viewers[viewer.name]
        self._forgotten(viewer.name)

    def _put_all(self, messages: Sequence[m.ServerMessage], then: Mapping[str, m.ServerMessage]) -> None:
        for viewer in self._viewers.values():
            if viewer.seat is not None and viewer.seat.greeted:
                self._put(viewer, viewer.seat, messages)
        for name, message in then.items():
            self._put_addressed(name, [message])

    def _put_addressed(self, name: str, messages: Sequence[m.ServerMessage]) -> None:
        viewer = self._viewers.get(name)
        if viewer is None:
            return
        for message in messages:
            if isinstance(message, m.Ack):
                viewer.acked(message)
        if viewer.seat is not None:
            self._put(viewer, viewer.seat, messages)

    def _put(self, viewer: Viewer, seat: Seat, messages: Sequence[m.ServerMessage]) -> None:
        was_complete = not seat.outbox.overflowed
        for message in messages:
            if isinstance(message, m.Ack) and not seat.greeted and was_complete:
                continue  # it is told after the scene: what it settles must be known by then
            seat.outbox.put(message)
            if isinstance(message, m.SceneSnapshot):
                was_complete = True
            if isinstance(message, (m.SceneSnapshot, m.SceneResumed)) and not seat.greeted:
                seat.greeted = True
                for ack in viewer.told():
                    seat.outbox.put(ack)
        if seat.outbox.overflowed and was_complete:
            log.warning("viewer %s reads too slowly: its backlog is replaced by a snapshot", viewer.name)
            seat.greeted = False
            self._resync(viewer.name)
        if len(seat.outbox) > 2 * seat.outbox.limit:
            seat.lose("it stopped reading")
        seat.news.set()
