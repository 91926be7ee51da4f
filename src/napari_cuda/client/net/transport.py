"""SocketThread: one WebSocket, opened again as long as its user wants, on an asyncio thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import CloseCode

from napari_cuda.client.config import ClientConfig
from napari_cuda.worker import Worker

LARGEST_MESSAGE_BYTES = 1 << 28
"""The exact picture of the largest canvas, incompressible, is 200 MB."""

LONGEST_SEND_S = 8.0
"""What we send is small: a link that takes none of it for so long is dead."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection is over, in one line.

    `final` if the server refused it and will do so again, `orderly` if the server closed it in good order,
    `crashed` if the thread failed: nothing tries again.
    """

    reason: str
    final: bool = False
    orderly: bool = False
    crashed: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The connection is over at `at_s` (client's clock). `final`: no other will be tried."""

    reason: str
    at_s: float
    final: bool


class SocketUser(Protocol):
    """What a channel does with its socket; called on the socket's thread."""

    def opened(self) -> None:
        """The socket is open; what is sent from the next tick on goes out on it."""

    def received(self, data: str | bytes) -> None:
        """A message arrived."""

    def ticked(self) -> float:
        """Time passed; return the seconds until the next call at the latest."""

    def closed(self, ending: Ending) -> float | None:
        """The socket is gone, or could not be opened; return when to try again, in seconds, or None: never."""


class SocketThread:
    """One WebSocket at a time. Owner: its thread, "napari-cuda-<name>"; public methods from any."""

    def __init__(self, name: str, url: str, config: ClientConfig, user: SocketUser) -> None:
        self._url = url
        self._config = config
        self._user = user
        # Bound: what is sent is bounded by the session (intents await acks) and the ack window.
        self._outgoing: deque[str] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._cut = asyncio.Event()
        """The present connection, or the attempt at one, is to be dropped."""
        self._hurry = asyncio.Event()
        """The pause before the next attempt is over."""
        self._opened_s: float | None = None
        """When the present connection was opened, on the client's clock; None while there is none."""
        self._closing = threading.Event()
        self._worker = Worker(name, self._run, wake=self.wake, on_error=self._on_error)

    def start(self) -> None:
        """Connect, on the thread; the user hears `opened` or `closed`."""
        self._worker.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Send what waits, close the socket and end the thread."""
        self.request_close()
        return self._worker.stop(deadline_s)

    def request_close(self) -> None:
        """Send what waits and close the socket for good, without waiting."""
        self._closing.set()
        self._call(self._wind_up)

    def send(self, text: str) -> None:
        """Queue a message; it is dropped with the connection."""
        self._outgoing.append(text)
        self.wake()

    def wake(self) -> None:
        """Let the user tick now."""
        self._call(self._news.set)

    def reopen(self, opened_before_s: float = math.inf) -> None:
        """Drop a connection that was opened before a time (perf_counter); do not wait to open the next."""

        def drop() -> None:
            if self._opened_s is None:
                self._hurry.set()
            elif self._opened_s < opened_before_s:
                self._hurry.set()
                self._cut.set()

        self._call(drop)

    def redirect(self, url: str) -> None:
        """Go over to another address."""
        self._url = url

        def go() -> None:
            self._hurry.set()
            self._cut.set()

        self._call(go)

    # --- the socket's thread ------------------------------------------------------------

    def _on_error(self, error: Exception) -> None:
        self._user.closed(Ending(f"{type(error).__name__}: {error}", final=True, crashed=True))

    def _call(self, call: Callable[[], object]) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop closes just now
                loop.call_soon_threadsafe(call)

    def _wind_up(self) -> None:
        self._news.set()
        self._hurry.set()
        if self._opened_s is None:
            self._cut.set()

    def _run(self, _stop: threading.Event) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self._closing.is_set():
            self._cut.clear()
            self._hurry.clear()
            pause_s = self._user.closed(await self._connection())
            if pause_s is None:
                return
            await _wait(self._hurry, pause_s)

    async def _connection(self) -> Ending:
        """Have one connection, until it is over or dropped."""
        conversation = asyncio.create_task(self._converse())
        cut = asyncio.create_task(self._cut.wait())
        await asyncio.wait({conversation, cut}, return_when=asyncio.FIRST_COMPLETED)
        cut.cancel()
        conversation.cancel()
        try:
            return await conversation
        except asyncio.CancelledError:
            return Ending("the connection was dropped")
        finally:
            self._opened_s = None

    async def _converse(self) -> Ending:
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
                return await self._use(socket)
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, UnicodeError) as error:
            return _why(self._url, error)

    async def _use(self, socket: ClientConnection) -> Ending:
        self._opened_s = time.perf_counter()
        if not (self._closing.is_set() or self._cut.is_set()):
            self._hurry.clear()  # the pause that it was to end is over; what ends this connection may hurry too
        self._user.opened()
        # Only now: until the user knew of it, others may have sent what was for the connection before.
        self._outgoing.clear()
        reader = asyncio.create_task(self._read(socket))
        writer = asyncio.create_task(self._write(socket))
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            socket.transport.abort()  # nobody answers on it: no closing handshake
            raise
        finally:
            for task in (reader, writer):
                task.cancel()
            results = await asyncio.gather(reader, writer, return_exceptions=True)
        for result in results:
            if isinstance(result, ConnectionClosed):
                return _last_words(result)
            if isinstance(result, Exception):
                raise result
        return Ending(socket.close_reason or "closed", orderly=True)

    async def _read(self, socket: ClientConnection) -> None:
        async for data in socket:
            self._user.received(data)
            self._news.set()  # what arrived may have changed what there is to send

    async def _write(self, socket: ClientConnection) -> None:
        while True:
            self._news.clear()
            wait_s = self._user.ticked()
            while self._outgoing:
                async with asyncio.timeout(LONGEST_SEND_S):
                    await socket.send(self._outgoing.popleft())
            if self._closing.is_set():
                return
            await _wait(self._news, wait_s)


async def _wait(event: asyncio.Event, longest_s: float) -> None:
    """Wait for an event, but not for ever."""
    # Not wait_for: Python 3.11's swallows a cancellation that comes together with the event.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            await event.wait()


def _last_words(closed: ConnectionClosed) -> Ending:
    if closed.rcvd is None:
        return Ending("the connection was lost")
    if closed.rcvd.code == CloseCode.SERVICE_RESTART:
        return Ending("the server was stopped")
    return Ending(closed.rcvd.reason or f"the server closed the connection (code {closed.rcvd.code})")


def _why(url: str, error: BaseException) -> Ending:
    if isinstance(error, InvalidStatus):
        return _refusal(error)
    host = url.split("://")[1].split("/")[0]
    if isinstance(error, (TimeoutError, ConnectionRefusedError)) or "Connect call failed" in str(error):
        return Ending(f"no answer from {host}: is the server running, and the tunnel up?")
    if isinstance(error, OSError):
        return Ending(f"cannot reach {host}: {error.strerror or error}")
    return Ending(f"{host} is not a napari-cuda server: {error}")


def _refusal(refused: InvalidStatus) -> Ending:
    status = refused.response.status_code
    # What stands between may be down for a while; what the server itself says of us stays so.
    final = 400 <= status < 500
    try:
        return Ending(f"the server refused us: {json.loads(refused.response.body or b'')['message']}", final)
    except (ValueError, KeyError, TypeError):
        return Ending(f"the server refused us with HTTP status {status}", final)


Post = Callable[[Callable[[], None]], object]
"""Runs a call on the GUI thread, in order."""
