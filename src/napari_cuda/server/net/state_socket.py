"""The state socket: drives the sans-I/O session of one viewer. Owner: network thread."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.roles import permits, refusal
from napari_cuda.protocol.session import PING_INTERVAL_S, ServerSession, SessionClosed
from napari_cuda.server.log_ring import LogRing
from napari_cuda.server.net.endings import CLOSING_S, close, run_until_first_ends
from napari_cuda.server.net.viewers import MOST_REFUSALS, Seat, Viewer, Viewers

log = logging.getLogger(__name__)

CHECK_S = 1.0
"""How soon a viewer that is to be disconnected is."""


@dataclass(frozen=True, slots=True)
class SessionHost:
    """What a state socket needs of the server around it."""

    session: str
    server: str
    host: str
    title: str
    viewers: Viewers
    log: LogRing
    join: Callable[[str, int], None]
    """Greet a viewer, who knows the scene up to a revision (0: nothing)."""
    parted: Callable[[Viewer], None]
    """A connection of a viewer has ended; it may have another by now."""
    submit: Callable[[str, m.Intent], None]
    ask: Callable[[str, m.CursorQuery | s.SurfaceQuery], None]
    """Answer a viewer's query, unless it asks another first."""


class StateSocket:
    """One viewer's state channel from accept to close."""

    def __init__(self, socket: WebSocket, host: SessionHost, role: m.Role) -> None:
        self._socket = socket
        self._host = host
        self._role = role
        self._session = ServerSession(time.monotonic())
        self._viewer: Viewer | None = None
        self._news = asyncio.Event()
        self._seat = Seat(self._news)
        self._left = False
        """The viewer will not come back."""
        self._log_asked: m.LogQuery | None = None
        """Latest wins: who asks faster than it reads must not fill the memory."""
        self._refused: m.Ack | m.Error | None = None
        """What is to be said to who may only look, and did more. One answer for all that waits, for the same reason."""

    async def run(self) -> None:
        """Serve the socket until either side ends it."""
        try:
            await run_until_first_ends("a state socket", self._read(), self._write(), self._keep_time())
            await self._say_last_words()
        finally:
            if self._viewer is not None:
                self._host.viewers.part(self._viewer, self._seat, for_good=self._left)
                self._host.parted(self._viewer)

    async def _read(self) -> None:
        while not self._session.closed:
            try:
                text = await self._socket.receive_text()
            except (WebSocketDisconnect, KeyError):
                # KeyError: starlette's way to say that the message was binary.
                return
            self._session.receive_data(text, time.monotonic())
            for event in self._session.events_received():
                await self._on_event(event)
            self._news.set()

    async def _write(self) -> None:
        """Send what session and outbox have, in order."""
        while True:
            await self._news.wait()
            self._news.clear()
            if (asked := self._log_asked) is not None:
                # From here and not by the render thread: one looks into the log when that hangs.
                self._log_asked = None
                self._session.send(m.LogLines(*self._host.log.since(asked.after)))
            if (refused := self._refused) is not None:
                self._refused = None
                self._session.send(refused)
            await self._flush()
            while (message := self._seat.outbox.take()) is not None:
                self._session.send(message)
                await self._flush()
            if self._seat.goodbye:
                self._session.say_goodbye(self._seat.goodbye)
                return

    async def _keep_time(self) -> None:
        """Keep the session's clock; its own task, because a peer that does not read blocks the writer."""
        while not self._session.closed and not self._seat.lost:
            now_s = time.monotonic()
            if self._viewer is not None and not self._viewer.room.is_set():
                self._session.heard(now_s)  # it is we who do not read
            self._session.tick(now_s)
            self._news.set()
            await asyncio.sleep(max(0.05, min(CHECK_S, self._session.next_tick_s() - now_s)))

    async def _say_last_words(self) -> None:
        """Send what is left (a reject, a goodbye) and close, if the peer still reads."""
        for event in self._session.events_received():
            await self._on_event(event)
        try:
            await asyncio.wait_for(self._flush(), CLOSING_S)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            log.debug("nobody read the last words of a state socket")
        lost = self._seat.lost
        if lost:
            log.warning("viewer %s disconnected: %s", self._name, lost)
        await close(self._socket, 1008 if lost else 1000, lost)

    @property
    def _name(self) -> str:
        return self._viewer.name if self._viewer is not None else "(refused)"

    async def _on_event(self, event: object) -> None:
        if isinstance(event, m.Hello):
            self._welcome(event)
        elif isinstance(event, m.Intent | m.Query) and not permits(self._role, event):
            self._refuse(event)
        elif isinstance(event, m.Intent) and self._viewer is not None:
            await self._take(self._viewer, event)
        elif isinstance(event, m.LogQuery):
            self._log_asked = event
        elif isinstance(event, m.CursorQuery | s.SurfaceQuery) and self._viewer is not None:
            self._host.ask(self._viewer.name, event)
        elif isinstance(event, SessionClosed):
            self._left = event.code != "session.silent"
            log.info("viewer %s: %s", self._name, event.message)

    def _welcome(self, hello: m.Hello) -> None:
        viewers = self._host.viewers
        resumed = viewers.resume(hello.resume_token, self._seat) if hello.resume_token else None
        self._viewer = viewer = resumed or viewers.add(self._seat)
        self._session.accept(
            m.Welcome(
                m.PROTOCOL_VERSION, self._host.session, viewer.name, self._host.server, PING_INTERVAL_S,
                viewer.resume_token, viewer.taken, self._host.host, self._host.title, self._role,
            )
        )  # fmt: skip
        log.info("viewer %s %s: %s", viewer.name, "came back" if resumed else "joined", hello.client[:200])
        self._host.join(viewer.name, hello.resume_revision if resumed else 0)

    def _refuse(self, message: m.Intent | m.Query) -> None:
        answer, waiting = refusal(message), self._refused
        if isinstance(answer, m.Ack) and isinstance(waiting, m.Ack):
            answer = m.Ack(answer.intent, 0, [*waiting.refused, *answer.refused][-MOST_REFUSALS:])
        self._refused = answer

    async def _take(self, viewer: Viewer, intent: m.Intent) -> None:
        await viewer.room.wait()
        if viewer.seat is not self._seat:
            return  # the viewer sends it again on the connection that replaced this one
        if viewer.take(intent.intent):
            self._host.submit(viewer.name, intent)
        else:
            text = f"intent {intent.intent} was ignored: intents up to {viewer.taken} were taken before"
            self._session.send(m.Error("intent.repeated", text))

    async def _flush(self) -> None:
        for text in self._session.data_to_send():
            await self._socket.send_text(text)
