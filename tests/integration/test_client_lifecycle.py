"""A client from start to stop, with every decoder it may choose: the right picture, and nothing left behind."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import numpy as np
import psutil
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication

import napari_cuda
from gl_window import require_display
from integration.conftest import Connect, Serve
from napari_cuda import workloads
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.server_process import ServerProcess

SIZE = (320, 240)


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("flat", size=SIZE)


def open_window(server: ServerProcess) -> StreamedViewer:
    require_display()
    return napari_cuda.connect(server.connect_url, timeout_s=60)


def open_headless(server: ServerProcess) -> RemoteViewer:
    return napari_cuda.connect(server.connect_url, window=False, timeout_s=60)


Open = Callable[[ServerProcess], StreamedViewer | RemoteViewer]
KINDS = pytest.mark.parametrize("open_viewer", [open_headless, open_window], ids=["script", "window"])


@KINDS
def test_surfaces_all_the_way(
    server: ServerProcess, open_viewer: Open, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures that stay in a decoder's surfaces move, rest and end as those of PyAV do."""
    reference = connect(server)
    monkeypatch.setenv("NAPARI_CUDA_DECODER", "emulated")
    viewer = open_viewer(server)
    loop = viewer._session.loop
    try:
        assert loop.pipeline.name == "emulated"
        outcome = workloads.drive(viewer, workloads.pan, 1)
        assert outcome.frames > 5
        assert loop.leases.live >= 1, "no picture was in a surface"
        viewer.sync(30)
        reference.sync(30)
        assert np.array_equal(viewer._session.screenshot(60), reference.screenshot())
        workloads.drive(viewer, workloads.zoom, 0.5)
    finally:
        viewer.close()
    assert loop.leases.live == 0


def test_a_decoder_that_does_not_work_here_is_said_once_and_software_decodes(
    server: ServerProcess, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = connect(server)
    monkeypatch.setenv("NAPARI_CUDA_DECODER", "videotoolbox")
    told = len(notification_manager.records)
    viewer = open_window(server)
    try:
        viewer.pump(0.2)
        lines = [record.message for record in notification_manager.records[told:]]
        assert len(lines) == 1
        assert "Decoding in software: videotoolbox cannot be used" in lines[0]
        assert viewer._session.loop.pipeline.name == "PyAV (software)"
        viewer.sync(30)
        reference.sync(30)
        assert np.array_equal(viewer.exact_screenshot(60), reference.screenshot())
    finally:
        viewer.close()


@KINDS
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_times_in_one_process(server: ServerProcess, open_viewer: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread, socket, file or surface stays from a client that was closed."""
    monkeypatch.setenv("NAPARI_CUDA_DECODER", "emulated")

    def once() -> None:
        viewer = open_viewer(server)
        viewer.sync(30)
        viewer.scene.camera.zoom *= 1.01
        viewer.sync(30)
        loop = viewer._session.loop
        viewer.close()
        assert loop.leases.live == 0

    def held() -> tuple[set[str], int, int]:
        if QApplication.instance() is not None:
            QApplication.processEvents()
        gc.collect()
        process = psutil.Process()
        names = {thread.name for thread in threading.enumerate() if thread.name.startswith("napari-cuda-")}
        return names, len(process.net_connections()), process.num_fds()

    once()  # what is made once for the process is there
    once()
    before = held()
    for _ in range(50):
        once()
    after = held()
    print(f"threads, sockets, files: {before} before, {after} after")
    assert after[0] == before[0]
    assert after[1] <= before[1]
    assert after[2] <= before[2] + 2, "each client leaves a file open"
