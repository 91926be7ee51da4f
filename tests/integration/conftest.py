"""Fixtures of the integration tests: real servers, connected clients, a real window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

import napari_cuda
from gl_window import Window, require_display
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.netsim import Link, NetSim
from napari_cuda.server_process import ServerProcess
from scene_server import SceneServer

Serve = Callable[..., ServerProcess]
Connect = Callable[..., RemoteViewer]
Network = Callable[..., NetSim]


@contextmanager
def connected_window(server: ServerProcess | NetSim) -> Iterator[StreamedViewer]:
    """Open the napari window on a server; it shows the server's scene, and is closed after."""
    require_display()
    viewer = napari_cuda.connect(server.connect_url, timeout_s=60)
    try:
        viewer.sync(60)
        yield viewer
    finally:
        viewer.close()


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Start `napari-cuda serve` with some arguments; the server ends with the module."""
    with ExitStack() as servers:
        yield lambda *arguments: servers.enter_context(ServerProcess([str(word) for word in arguments]))


@pytest.fixture(scope="module")
def serve_scene() -> Iterator[Serve]:
    """Start a server of a scene of `scenes.SCENES`; it ends with the module."""
    with ExitStack() as servers:
        yield lambda scene, **options: servers.enter_context(SceneServer(scene, **options))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect a headless client to a server, or to a network before one; it is closed after the test."""
    with ExitStack() as clients:

        def connect_to(server: ServerProcess | NetSim) -> RemoteViewer:
            viewer = napari_cuda.connect(server.connect_url, window=False, timeout_s=60)
            clients.callback(viewer.close)
            return viewer

        yield connect_to


@pytest.fixture
def network() -> Iterator[Network]:
    """Put a simulated network before a server: `connect` to what this returns. It ends with the test."""
    with ExitStack() as networks:

        def put_before(server: ServerProcess, link: Link, **options: object) -> NetSim:
            return networks.enter_context(NetSim(server.connect_url, link, **options))

        yield put_before


@pytest.fixture(scope="module")
def shared_window() -> Iterator[Window]:
    """One napari window for all tests of a module: opening one takes seconds."""
    window = Window()
    yield window
    window.close()


@pytest.fixture
def window(shared_window: Window) -> Iterator[Window]:
    """The module's window without layers, overlays, or video."""
    shared_window.frame = shared_window.destination = None
    shared_window.settle()
    yield shared_window
    shared_window.viewer.layers.clear()
    shared_window.viewer.canvas.overlays.scale_bar.visible = False
    shared_window.viewer.dims.ndisplay = 2
