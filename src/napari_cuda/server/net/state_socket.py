"""The state socket: drives the sans-I/O session of one viewer. Owner: network thread."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.session import PING_INTERVAL_S, ServerSession, SessionClosed
from napari_cuda.server.net.endings import CLOSING_S, close, run_until_first_ends
from napari_cuda.server.net.viewers import Viewer, Viewers

log = logging.getLogger(__name__)

CHECK_S = 1.0
"""How soon a viewer that is to be disconnected is."""


@dataclass(frozen=True, slots=True)
class SessionHost:
    """What a state socket needs of the server around it."""

    session: str
    server: str
    viewers: Viewers
    join: Callable[[str], None]
    leave: Callable[[str], None]
    submit: Callable[[str, m.Intent], None]


class StateSocket:
    """One viewer's state channel from accept to close."""

    def __init__(self, socket: WebSocket, host: SessionHost) -> None:
        self._socket = socket
        self._host = host
        self._session = ServerSession(time.monotonic())
        self._viewer: Viewer | None = None
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Serve the socket until either side ends it."""
        try:
            await run_until_first_ends("a state socket", self._read(), self._write(), self._keep_time())
            await self._say_last_words()
        finally:
            if self._viewer is not None:
                self._host.viewers.remove(self._viewer)
                self._host.leave(self._viewer.name)

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
            await self._flush()
            while self._viewer is not None and (message := self._viewer.outbox.take()) is not None:
                self._session.send(message)
                await self._flush()

    async def _keep_time(self) -> None:
        """Keep the session's clock; its own task, because a peer that does not read blocks the writer."""
        while not self._session.closed and not (self._viewer is not None and self._viewer.lost):
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
        lost = self._viewer.lost if self._viewer is not None else ""
        if lost and self._viewer is not None:
            log.warning("viewer %s disconnected: %s", self._viewer.name, lost)
        await close(self._socket, 1008 if lost else 1000, lost)

    async def _on_event(self, event: object) -> None:
        if isinstance(event, m.Hello):
            self._welcome(event)
        elif isinstance(event, m.Intent) and self._viewer is not None:
            await self._viewer.room.wait()
            self._viewer.submitted(event.intent)
            self._host.submit(self._viewer.name, event)
        elif isinstance(event, SessionClosed):
            log.info("viewer %s: %s", self._viewer.name if self._viewer else "(refused)", event.message)

    def _welcome(self, hello: m.Hello) -> None:
        viewer = self._host.viewers.add(f"V{secrets.token_hex(4)}", self._news)
        self._viewer = viewer
        self._session.accept(
            m.Welcome(m.PROTOCOL_VERSION, self._host.session, viewer.name, self._host.server, PING_INTERVAL_S)
        )
        log.info("viewer %s joined: %s", viewer.name, hello.client[:200])
        self._host.join(viewer.name)

    async def _flush(self) -> None:
        for text in self._session.data_to_send():
            await self._socket.send_text(text)
