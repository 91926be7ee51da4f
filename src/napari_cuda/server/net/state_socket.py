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
from napari_cuda.server.net.viewers import Viewer, Viewers

log = logging.getLogger(__name__)


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
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and self._session.closed:
                await asyncio.wait({writer})  # the last words: a reject, a goodbye
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
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

    async def _write(self) -> None:
        """Send what session and outbox have, in order; keep the session's clock."""
        while True:
            self._news.clear()
            await self._flush()
            while self._viewer is not None and (message := self._viewer.outbox.take()) is not None:
                self._session.send(message)
                await self._flush()
            if self._session.closed:
                break
            if self._viewer is not None and self._viewer.lost:
                log.warning("viewer %s disconnected: %s", self._viewer.name, self._viewer.lost)
                break
            try:
                await asyncio.wait_for(self._news.wait(), max(0.0, self._session.next_tick_s() - time.monotonic()))
            except TimeoutError:
                self._session.tick(time.monotonic())
        await self._socket.close(1000)

    async def _flush(self) -> None:
        for text in self._session.data_to_send():
            await self._socket.send_text(text)
