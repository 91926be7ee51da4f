"""NetSim: a TCP proxy on loopback that passes bytes on as a network would, by the model in `link.py`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from napari_cuda.netsim.link import Bottleneck, Flow, Link
from napari_cuda.protocol.errors import ConfigError, StartupError
from napari_cuda.worker import Worker

log = logging.getLogger(__name__)

_CHUNK_BYTES = 65_536
_MOST_CHUNKS = 256
"""On their way in one direction of a connection: 16 MB, more than TCP's largest window."""
_KERNEL_BUFFER_BYTES = 65_536
"""What the kernel may take off a sender's hands before the model sees it; its default is megabytes."""
_LONGEST_CALL_S = 10.0
_ACCEPT_PAUSE_S = 0.1


class NetSim:
    """Context manager: `connect_url` leads to `url` through a link. Owner: its thread, "netsim".

    `link` is the way down, from server to client, and the way up too unless `up` is given. With
    `reset_every_s` all connections are killed at random times, so far apart on average. The
    same `seed` gives the same delays, stalls and resets for the same traffic.
    Raises ConfigError if `url` is none, StartupError if it has no address or the port is taken.
    """

    def __init__(
        self,
        url: str,
        link: Link | None = None,
        *,
        up: Link | None = None,
        reset_every_s: float | None = None,
        port: int = 0,
        seed: int = 0,
    ) -> None:
        self._url = url if "://" in url else f"http://{url}"
        self._reset_every_s = reset_every_s
        self._seed = seed
        self._address = _address(self._url)
        self._listening = _listen(port)
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._carried = {"up": 0, "down": 0}
        self._cut = False
        self._event_loop = asyncio.new_event_loop()
        now_s, down = self._event_loop.time(), link or Link()
        self._up = Bottleneck(up or down, seed=2 * seed, now_s=now_s)
        self._down = Bottleneck(down, seed=2 * seed + 1, now_s=now_s)
        self._worker = Worker("netsim", self._run, wake=self._wake)
        self._ended = asyncio.Event()

    @property
    def connect_url(self) -> str:
        """The address to connect to instead: path and token are those of the server's."""
        port = self._listening.getsockname()[1]
        return urlsplit(self._url)._replace(netloc=f"127.0.0.1:{port}").geturl()

    @property
    def carried_bytes(self) -> tuple[int, int]:
        """Bytes passed on so far: up, down."""
        return self._carried["up"], self._carried["down"]

    def reset(self, path: str = "") -> int:
        """Kill the open connections whose request names `path` (all if empty); return how many. Any thread."""
        return self._call(self._reset(path))

    def cut(self) -> int:
        """Kill all connections and refuse new ones until `restore`; return how many. Any thread."""
        self._cut = True
        return self.reset()

    def restore(self) -> None:
        """Take connections again."""
        self._cut = False

    def become(self, link: Link) -> None:
        """Be another link, both ways, for all connections. Any thread."""
        self._call(self._become(link))

    def start(self) -> None:
        """Begin to pass on connections."""
        self._worker.start()

    def stop(self) -> None:
        """Kill all connections and close the port."""
        self._worker.stop()
        self._listening.close()
        self._event_loop.close()

    def __enter__(self) -> NetSim:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _call(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._event_loop).result(_LONGEST_CALL_S)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop closes just now
            self._event_loop.call_soon_threadsafe(self._ended.set)

    # --- netsim thread ------------------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        self._event_loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        tasks = [asyncio.create_task(self._accept()), asyncio.create_task(self._reset_at_random())]
        await self._ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reset("")

    async def _become(self, link: Link) -> int:
        for way in (self._up, self._down):
            way.become(link)
        return 0

    async def _accept(self) -> None:
        while True:
            try:
                client, _ = await self._event_loop.sock_accept(self._listening)
            except OSError as error:  # it was gone already, or we have too many open files: others may still come
                log.warning("a connection could not be taken: %s", error)
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            if self._cut:
                _kill(client)
                continue
            connection = _Connection(client, Flow(self._up), Flow(self._down), self._carried)
            task = asyncio.create_task(connection.run(self._address))
            self._connections[task] = connection
            task.add_done_callback(self._connections.pop)

    async def _reset_at_random(self) -> None:
        if self._reset_every_s is None:
            return
        source = random.Random(f"{self._seed} resets")
        while True:
            await asyncio.sleep(source.expovariate(1 / self._reset_every_s))
            await self._reset("")

    async def _reset(self, path: str) -> int:
        chosen = [task for task, connection in self._connections.items() if path in connection.request]
        for task in chosen:
            task.cancel()
        await asyncio.gather(*chosen, return_exceptions=True)
        return len(chosen)


class _Connection:
    """One connection of a client, and ours to the server. Owner: the simulator's thread."""

    def __init__(self, client: socket.socket, up: Flow, down: Flow, carried: dict[str, int]) -> None:
        self.request = ""
        """The first line of what the client sent: it names the path."""
        self._client = client
        self._up = up
        self._down = down
        self._carried = carried

    async def run(self, address: tuple[int, Any]) -> None:
        """Pass bytes on until both sides have closed, one is lost, or the task is cancelled: then kill both."""
        family, where = address
        server = socket.socket(family, socket.SOCK_STREAM)
        in_order = False
        try:
            for end in (self._client, server):
                _prepare(end)
            if not await _connected(server, where):
                return
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass_on(self._client, server, self._up, "up"))
                tasks.create_task(self._pass_on(server, self._client, self._down, "down"))
            in_order = True
        except* OSError:
            log.info("%s: connection lost", self.request)
        finally:
            for end in (self._client, server):
                end.close() if in_order else _kill(end)

    async def _pass_on(self, source: socket.socket, sink: socket.socket, flow: Flow, way: str) -> None:
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MOST_CHUNKS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_in(source, flow, chunks, way))
            tasks.create_task(self._hand_out(sink, chunks))

    async def _take_in(
        self, source: socket.socket, flow: Flow, chunks: asyncio.Queue[tuple[float, bytes]], way: str
    ) -> None:
        loop = asyncio.get_running_loop()
        data = b"-"
        while data:
            while (wait_s := flow.wait_s(loop.time())) > 0:
                await asyncio.sleep(wait_s)
            data = await loop.sock_recv(source, _CHUNK_BYTES)
            if way == "up" and not self.request:
                self.request = data.partition(b"\r\n")[0].decode("latin-1")
            self._carried[way] += len(data)
            await chunks.put((flow.send(len(data), loop.time()), data))

    async def _hand_out(self, sink: socket.socket, chunks: asyncio.Queue[tuple[float, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            arrival_s, data = await chunks.get()
            await asyncio.sleep(max(0.0, arrival_s - loop.time()))
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            await loop.sock_sendall(sink, data)


async def _connected(server: socket.socket, where: Any) -> bool:
    try:
        await asyncio.get_running_loop().sock_connect(server, where)
    except OSError as error:
        log.warning("no answer from %s port %s: %s", *where[:2], os.strerror(error.errno or 0))
        return False
    return True


def _prepare(end: socket.socket) -> None:
    end.setblocking(False)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER_BYTES)


def _kill(end: socket.socket) -> None:
    """Close so that the other side gets a reset and not an orderly end."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def _address(url: str) -> tuple[int, Any]:
    """Return family and address of a URL's host; ConfigError or StartupError in one line if it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "wss": 443}.get(parts.scheme, 80)
    except ValueError:
        raise ConfigError(f"{url!r} is not a server address: expected http://HOST:PORT/?token=TOKEN") from None
    if not parts.hostname:
        raise ConfigError(f"{url!r} is not a server address: expected http://HOST:PORT/?token=TOKEN")
    try:
        family, _, _, _, where = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StartupError(f"cannot find the host {parts.hostname}: {reason}") from None
    return family, where


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Before it listens: the window that a connection offers is settled when it is made.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER_BYTES)
        listening.bind(("127.0.0.1", port))
        listening.listen(64)
        listening.setblocking(False)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = error.strerror if isinstance(error, OSError) else error
        raise StartupError(f"cannot listen on port {port}: {reason}. Choose another with --port (0: any)") from None
    return listening
