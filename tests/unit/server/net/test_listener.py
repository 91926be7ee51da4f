"""What the kernel is asked for on the listening socket, and that it may lack it."""

from __future__ import annotations

import socket

import pytest

from napari_cuda.server.config import ServerConfig
from napari_cuda.server.net import listener


def test_connections_inherit_what_keeps_queues_short() -> None:
    with (
        listener.bind(ServerConfig(port=0)) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as taken,
    ):
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_what_the_kernel_does_not_have_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = (("TCP_NO_SUCH_OPTION", 1), ("TCP_CONGESTION", b"none such"), ("TCP_NODELAY", 1))
    monkeypatch.setattr(listener, "_LOW_DELAY", lacking)
    with listener.bind(ServerConfig(port=0)) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
