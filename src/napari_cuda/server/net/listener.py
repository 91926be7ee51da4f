"""Listener: the network thread; uvicorn on a socket that was bound before, now or later."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from napari_cuda.protocol.errors import StartupError
from napari_cuda.protocol.messages import MAX_MESSAGE_BYTES
from napari_cuda.server.config import ServerConfig
from napari_cuda.server.net.endings import post
from napari_cuda.worker import Worker

MOST_CONNECTIONS = 256
"""Open at a time, before anyone shows a token: far more than a session has viewers, far fewer than a process
may have files."""

_LOW_DELAY: tuple[tuple[str, int | bytes], ...] = (
    ("TCP_NODELAY", 1),
    ("TCP_NOTSENT_LOWAT", 131_072),  # two or three pictures: the encoder waits for acks, not for the socket
    ("TCP_CONGESTION", b"bbr"),
)

KEEP_ALIVE_S = 10.0
"""So often each WebSocket carries a ping of its own, six bytes: at rest no picture does, and proxies close what is idle
for a minute, some for half of one."""

REQUEST_WITHIN_S = 10.0
"""A connection that has asked for nothing by then is closed."""


class BoundedHttp(H11Protocol):
    """HTTP before the token is looked at: so many connections, so long without a request. Owner: network thread."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Take the connection, or drop it at once."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._patience = self.loop.call_later(REQUEST_WITHIN_S, self._lose_patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._be_patient()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Something of a request arrived."""
        super().handle_events()
        if self.cycle is not None:
            self._be_patient()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """It was a WebSocket's request, and is another protocol's from now on."""
        self._be_patient()
        super().handle_websocket_upgrade(event)

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()

    def _lose_patience(self) -> None:
        self.transport.abort()


def bind(config: ServerConfig) -> socket.socket:
    """Return a listening socket; StartupError in one line if the address cannot be had."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        prefer_low_delay(listener)
        listener.bind((config.host, config.port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise StartupError(
            f"cannot listen on {config.host} port {config.port}: {error.strerror or error}. "
            "Choose another with --port (0: any free port)"
        ) from None
    return listener


def prefer_low_delay(listener: socket.socket) -> None:
    """Ask of the kernel for all connections of a listening socket what keeps queues short; what it lacks it lacks.

    They inherit it: packets go out at once, at most so much waits unsent, and BBR, where there is it, does not
    fill the buffers of the way before it slows down.
    """
    for name, value in _LOW_DELAY:
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):  # no such algorithm here, or not for us
                listener.setsockopt(socket.IPPROTO_TCP, option, value)


class Listener:
    """The network thread. Owner: whoever starts it.

    `event_loop` runs, and is closed, on that thread; others may only `call_soon_threadsafe`. It runs without a port
    too: a notebook's pages come another way.
    """

    def __init__(
        self,
        config: ServerConfig,
        listening: socket.socket | None,
        event_loop: asyncio.AbstractEventLoop,
        app: ASGIApp,
    ) -> None:
        self._config = config
        self._socket = listening
        self._event_loop = event_loop
        self._app = app
        self._server: uvicorn.Server | None = None
        self._called = asyncio.Event()
        """Set when there is a port to listen on, or all is to end."""
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._worker = Worker("network", self._run, wake=self._ask_to_exit, on_error=self._failed)

    def start(self) -> None:
        """Start the thread; with a port return when connections are answered."""
        if self._socket is not None:
            self._called.set()
        self._worker.start()
        if self._socket is not None:
            self._wait_until_answered()

    def listen(self, listening: socket.socket) -> None:
        """Answer connections on this port too; once, if there was none from the start."""
        self._socket = listening
        post(self._event_loop, self._called.set)
        self._wait_until_answered()

    def stop(self, deadline_s: float = 5.0) -> None:
        """Close all connections and the port."""
        self._worker.stop(deadline_s)
        if self._socket is not None:
            self._socket.close()

    def _wait_until_answered(self, timeout_s: float = 30.0) -> None:
        if not self._ready.wait(timeout_s) or self._failure is not None:
            raise StartupError(f"the network thread did not start: {self._failure or 'timed out'}")

    def _run(self, stop: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._event_loop) as runner:
            runner.run(self._serve(stop))

    async def _serve(self, stop: threading.Event) -> None:
        await self._called.wait()
        if self._socket is None or stop.is_set():
            return
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                http=BoundedHttp,
                ws="websockets-sansio",
                ws_max_size=MAX_MESSAGE_BYTES,
                # Frames are compressed already; deflating state costs latency and memory.
                ws_per_message_deflate=False,
                ws_ping_interval=KEEP_ALIVE_S,
                # Whether the peer is alive, and what a busy one may take, is the session's to judge.
                ws_ping_timeout=None,
                timeout_graceful_shutdown=2,
                ssl_certfile=self._config.tls[0] if self._config.tls else None,
                ssl_keyfile=self._config.tls[1] if self._config.tls else None,
                # X-Forwarded-Proto and -For of these only: who else says that it came by TLS did not.
                proxy_headers=True,
                forwarded_allow_ips=["127.0.0.1", "::1", *self._config.trusted_proxies],
            )
        )
        announce = asyncio.create_task(self._announce(self._server))
        await self._server.serve(sockets=[self._socket])
        announce.cancel()

    async def _announce(self, server: uvicorn.Server) -> None:
        while not server.started and not server.should_exit:
            await asyncio.sleep(0.01)
        self._ready.set()

    def _ask_to_exit(self) -> None:
        post(self._event_loop, self._called.set)
        if self._server is not None:
            self._server.should_exit = True

    def _failed(self, error: Exception) -> None:
        self._failure = error
        self._ready.set()
