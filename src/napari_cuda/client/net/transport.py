"""SocketThread: one WebSocket on an asyncio thread of its own, with thread-safe sending."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import CloseCode

from napari_cuda.client.config import ClientConfig
from napari_cuda.worker import Worker

LARGEST_MESSAGE_BYTES = 1 << 28
"""The exact picture of the largest canvas, incompressible, is 200 MB."""


class SocketUser(Protocol):
    """What a channel does with its socket; called on the socket's thread."""

    def opened(self) -> None:
        """The socket is open; `SocketThread.send` works."""

    def received(self, data: str | bytes) -> None:
        """A message arrived."""

    def ticked(self) -> float:
        """Time passed; return the seconds until the next call at the latest."""

    def closed(self, reason: str) -> None:
        """The socket is gone, for this reason (one line); called once."""


class SocketThread:
    """One WebSocket. Owner: its thread, "napari-cuda-<name>"; `send` and `close` from any."""

    def __init__(self, name: str, url: str, config: ClientConfig, user: SocketUser) -> None:
        self._url = url
        self._config = config
        self._user = user
        # Bound: what is sent is bounded by the session (intents await acks) and the ack window.
        self._outgoing: deque[str] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: asyncio.Event | None = None
        self._closing = threading.Event()
        self._worker = Worker(name, self._run, wake=self.wake, on_error=lambda error: user.closed(f"{error}"))

    def start(self) -> None:
        """Connect, on the thread; the user hears `opened` or `closed`."""
        self._worker.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Send what waits, close the socket and end the thread."""
        self.request_close()
        return self._worker.stop(deadline_s)

    def request_close(self) -> None:
        """Send what waits and close the socket, without waiting."""
        self._closing.set()
        self.wake()

    def send(self, text: str) -> None:
        """Queue a message."""
        self._outgoing.append(text)
        self.wake()

    def wake(self) -> None:
        """Let the user tick now."""
        loop, news = self._loop, self._news
        if loop is not None and news is not None:
            with contextlib.suppress(RuntimeError):  # the loop closes just now
                loop.call_soon_threadsafe(news.set)

    def _run(self, _stop: threading.Event) -> None:
        reason = asyncio.run(self._serve())
        self._user.closed(reason)

    async def _serve(self) -> str:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        try:
            async with connect(
                self._url,
                additional_headers={"Authorization": f"Bearer {self._config.token}"},
                open_timeout=self._config.connect_timeout_s,
                close_timeout=2,
                ping_interval=None,
                compression=None,
                proxy=None,
                max_size=LARGEST_MESSAGE_BYTES,
            ) as socket:
                self._user.opened()
                reader = asyncio.create_task(self._read(socket))
                writer = asyncio.create_task(self._write(socket, self._news))
                await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
                for task in (reader, writer):
                    task.cancel()
                results = await asyncio.gather(reader, writer, return_exceptions=True)
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, UnicodeError) as error:
            return _why(self._url, error)
        for result in results:
            if isinstance(result, ConnectionClosed):
                return _last_words(result)
            if isinstance(result, Exception):
                raise result
        return socket.close_reason or "closed"

    async def _read(self, socket: ClientConnection) -> None:
        async for data in socket:
            self._user.received(data)
            if self._news is not None:
                self._news.set()  # what arrived may have changed what there is to send

    async def _write(self, socket: ClientConnection, news: asyncio.Event) -> None:
        while True:
            news.clear()
            wait_s = self._user.ticked()
            while self._outgoing:
                await socket.send(self._outgoing.popleft())
            if self._closing.is_set():
                return
            try:
                await asyncio.wait_for(news.wait(), wait_s)
            except TimeoutError:
                continue


def _last_words(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "the connection was lost"
    if closed.rcvd.code == CloseCode.SERVICE_RESTART:
        return "the server was stopped"
    return closed.rcvd.reason or f"the server closed the connection (code {closed.rcvd.code})"


def _why(url: str, error: BaseException) -> str:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        try:
            return f"the server refused us: {json.loads(error.response.body or b'')['message']}"
        except (ValueError, KeyError, TypeError):
            return f"the server refused us with HTTP status {status}"
    host = url.split("://")[1].split("/")[0]
    if isinstance(error, (TimeoutError, ConnectionRefusedError)) or "Connect call failed" in str(error):
        return f"no answer from {host}: is the server running, and the tunnel up?"
    if isinstance(error, OSError):
        return f"cannot reach {host}: {error.strerror or error}"
    return f"{host} is not a napari-cuda server: {error}"


Post = Callable[[Callable[[], None]], object]
"""Runs a call on the GUI thread, in order."""
