"""SocketThread with a real server on loopback: what a new connection takes over from the one before."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.net.transport import Ending, SocketThread

_LONG_S = 3600.0


class User:
    """Says something stale while the socket opens, and after its first tick what is new."""

    def __init__(self, url: str) -> None:
        self.socket = SocketThread("test", url, ClientConfig(url, "t"), self)
        self.opens, self.heard = threading.Semaphore(0), threading.Semaphore(0)
        self.endings: list[Ending] = []
        self.ended = threading.Event()
        self.fails = False

    def opened(self) -> None:
        self.socket.send("stale")
        self.opens.release()

    def received(self, data: str | bytes) -> None:
        if self.fails:
            raise RuntimeError("oops")
        self.heard.release()

    def ticked(self) -> float:
        self.socket.send("new")
        return _LONG_S

    def closed(self, ending: Ending) -> float:
        self.endings.append(ending)
        self.ended.set()
        return _LONG_S


@pytest.fixture
def heard() -> list[str | bytes]:
    return []


@pytest.fixture
def url(heard: list[str | bytes]) -> Iterator[str]:
    """Address of a server that answers each message, but closes the connection when it gets "bye"."""

    async def talk(socket: ServerConnection) -> None:
        async for message in socket:
            heard.append(message)
            if message == "bye":
                return
            await socket.send("hello")

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(_listen(talk))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.run_until_complete(server.wait_closed())
    loop.close()


async def _listen(talk: Callable[[ServerConnection], Awaitable[None]]) -> Server:
    return await serve(talk, "127.0.0.1", 0, close_timeout=0.1)


@pytest.fixture
def user(url: str) -> Iterator[User]:
    user = User(url)
    yield user
    assert user.socket.stop(30)


def test_what_was_for_the_connection_before_is_not_sent(user: User, heard: list[str | bytes]) -> None:
    user.socket.start()
    assert user.heard.acquire(timeout=30)
    assert heard[0] == "new"


def test_an_open_connection_that_may_stay_keeps_no_hurry_for_its_end(user: User) -> None:
    user.socket.start()
    assert user.opens.acquire(timeout=30)
    user.socket.reopen(opened_before_s=0.0)
    user.socket.send("bye")
    assert user.ended.wait(30)
    assert not user.opens.acquire(timeout=0.3), "it waits before the next attempt"


def test_a_thread_that_fails_says_so(user: User) -> None:
    user.fails = True
    user.socket.start()
    assert user.ended.wait(30)
    assert user.endings == [Ending("RuntimeError: oops", final=True, crashed=True)]
