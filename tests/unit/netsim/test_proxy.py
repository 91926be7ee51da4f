"""The proxy with real sockets on loopback. Times are bounded from below only: that is what a link adds."""

from __future__ import annotations

import errno
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import numpy as np
import pytest

from napari_cuda.netsim import Jitter, JitterKind, Link, NetSim
from napari_cuda.protocol.errors import ConfigError, StartupError

RTT_S = 0.05


class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets, and ends when the other side does."""

    def handle(self) -> None:
        try:
            while data := self.request.recv(65_536):
                self.request.sendall(data)
        except ConnectionError:
            return


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """Address of a server that sends back what it gets."""
    with EchoServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/?token=abc"
        server.shutdown()
        thread.join()


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def dial(sim: NetSim, sockets: ExitStack) -> socket.socket:
    address = ("127.0.0.1", urlsplit(sim.connect_url).port)
    return sockets.enter_context(socket.create_connection(address, timeout=30))


def exchange(end: socket.socket, data: bytes) -> bytes:
    """Send on one thread, receive on this one, until the echo ends."""
    sender = threading.Thread(target=lambda: (end.sendall(data), end.shutdown(socket.SHUT_WR)))
    sender.start()
    received = bytearray()
    while part := end.recv(65_536):
        received += part
    sender.join()
    return bytes(received)


def refused(sim: NetSim, sockets: ExitStack) -> bool:
    """True if a new connection is killed: at once, or as soon as it is used."""
    try:
        return lost(dial(sim, sockets))
    except ConnectionResetError:
        return True


def lost(end: socket.socket) -> bool:
    """True if the connection was killed, not ended."""
    try:
        while end.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    return False


def test_the_address_differs_in_host_and_port_only(echo: str) -> None:
    with NetSim(echo.replace("/?", "/napari/?")) as sim:
        parts = urlsplit(sim.connect_url)
        assert (parts.hostname, parts.path, parts.query) == ("127.0.0.1", "/napari/", "token=abc")
        assert parts.port != urlsplit(echo).port


def test_all_bytes_arrive_in_order_at_the_rate_and_both_ends_close(
    echo: str, sockets: ExitStack, rng: np.random.Generator
) -> None:
    data = rng.bytes(500_000)
    link = Link(0.005, Jitter(JitterKind.PARETO, 0.005), rate_bit_s=40e6, buffer_bytes=64_000)
    with NetSim(echo, link) as sim:
        began_s = time.monotonic()
        assert exchange(dial(sim, sockets), data) == data
        assert time.monotonic() - began_s >= 500_000 * 8 / 40e6
        assert sim.carried_bytes == (500_000, 500_000)


def test_a_round_trip_takes_both_delays(echo: str, sockets: ExitStack) -> None:
    with NetSim(echo, Link(0.01), up=Link(RTT_S - 0.01)) as sim:
        end = dial(sim, sockets)
        for _ in range(3):
            began_s = time.monotonic()
            end.sendall(b"ping")
            assert end.recv(10) == b"ping"
            assert time.monotonic() - began_s >= RTT_S


def test_all_connections_share_the_rate(echo: str, sockets: ExitStack) -> None:
    with NetSim(echo, Link(), up=Link(rate_bit_s=16e6)) as sim:
        ends = [dial(sim, sockets) for _ in range(2)]
        began_s = time.monotonic()
        for end in ends:
            threading.Thread(target=end.sendall, args=(b"x" * 100_000,), daemon=True).start()
        for end in ends:
            received = 0
            while received < 100_000:
                received += len(end.recv(65_536))
        assert time.monotonic() - began_s >= 200_000 * 8 / 16e6


def test_connections_are_killed_by_the_path_they_asked_for(echo: str, sockets: ExitStack) -> None:
    with NetSim(echo) as sim:
        ends = {path: dial(sim, sockets) for path in ("/ws/state", "/ws/pixels")}
        for path, end in ends.items():
            end.sendall(f"GET {path} HTTP/1.1\r\nX: /ws/other\r\n".encode())
            end.recv(100)
        assert sim.reset("/ws/other") == 0
        assert sim.reset("/ws/pixels") == 1
        assert lost(ends["/ws/pixels"])
        ends["/ws/state"].sendall(b"still here")
        assert ends["/ws/state"].recv(100) == b"still here"
        assert sim.reset() == 1
        assert lost(ends["/ws/state"])


def test_a_cut_network_takes_no_connections_until_it_is_restored(echo: str, sockets: ExitStack) -> None:
    with NetSim(echo) as sim:
        before = dial(sim, sockets)
        before.sendall(b"here")
        before.recv(10)
        assert sim.cut() == 1
        assert lost(before)
        assert refused(sim, sockets)
        sim.restore()
        after = dial(sim, sockets)
        after.sendall(b"again")
        assert after.recv(10) == b"again"


def test_connections_are_killed_at_random(echo: str, sockets: ExitStack) -> None:
    with NetSim(echo, reset_every_s=0.02) as sim:
        assert all(refused(sim, sockets) for _ in range(3))


def test_what_is_open_dies_with_the_simulator(echo: str, sockets: ExitStack) -> None:
    with NetSim(echo, Link(10.0)) as sim:
        end = dial(sim, sockets)
        end.sendall(b"on its way for ten seconds")
    assert lost(end)


def test_a_server_that_is_not_there_is_said(sockets: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with caplog.at_level(logging.WARNING), NetSim(f"http://127.0.0.1:{unused.getsockname()[1]}") as sim:
            assert refused(sim, sockets)
    assert "no answer from 127.0.0.1 port" in caplog.text


@pytest.mark.parametrize("url", ["", "http://", "http://[", "http://h:99999", "http://h:port/?token=a"])
def test_what_is_no_address_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(ConfigError, match="is not a server address: expected http://HOST:PORT/"):
        NetSim(url)


def test_a_port_that_is_taken_and_a_host_that_is_none_are_said_in_one_line(echo: str) -> None:
    taken = urlsplit(echo).port
    assert taken is not None
    with pytest.raises(StartupError, match=f"cannot listen on port {taken}: Address already in use. Choose another"):
        NetSim(echo, port=taken)
    with pytest.raises(StartupError, match="cannot find the host no-such-host: "):
        NetSim("http://no-such-host/")


def test_a_connection_that_cannot_be_taken_is_not_the_last(
    echo: str, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = NetSim(echo)
    accept, failures = sim._event_loop.sock_accept, [OSError(errno.EMFILE, "Too many open files")]

    async def reluctant(listening: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return await accept(listening)

    monkeypatch.setattr(sim._event_loop, "sock_accept", reluctant)
    with sim:
        assert exchange(dial(sim, sockets), b"abc") == b"abc"
    assert not failures
