"""Pixel packets that arrive cut short: dropped, told once, made up for."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pytest

import napari_cuda
from integration.conftest import Serve
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.protocol.packet import HEADER_SIZE
from napari_cuda.server_process import ServerProcess
from relay import Relay


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("flat", size=(320, 240))


@pytest.fixture(scope="module")
def bystander(server: ServerProcess) -> Iterator[RemoteViewer]:
    with napari_cuda.connect(server.connect_url, window=False) as viewer:
        yield viewer


@pytest.mark.parametrize("rest", [True, False], ids=["still", "video"])
@pytest.mark.parametrize(
    ("kept", "counter"), [(10, "packets_malformed"), (HEADER_SIZE + 50, "decode_errors")], ids=["header", "payload"]
)
def test_a_truncated_packet(
    server: ServerProcess,
    bystander: RemoteViewer,
    rest: bool,
    kept: int,
    counter: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client drops it, says so once, asks for a new start and shows the right picture after all."""
    with Relay(server) as relay, napari_cuda.connect(relay.connect_url, window=False) as viewer:
        zoom = viewer.scene.camera.zoom
        expected = viewer.screenshot()
        viewer.scene.camera.zoom = 2 * zoom
        viewer.sync()
        if not rest:
            viewer.screenshot()
        with caplog.at_level(logging.WARNING, logger="napari_cuda"):
            relay.arm(lambda packet: packet[:kept])
            if not rest:
                viewer.scene.camera.zoom = 3 * zoom
                viewer.sync()
            viewer.screenshot()
        assert relay.damaged.is_set()
        assert viewer.metrics.counts()[counter] == 1
        assert len(caplog.records) == 1
        assert "packet" in caplog.records[0].getMessage()
        viewer.scene.camera.zoom = zoom
        assert np.array_equal(viewer.screenshot(), expected)
    # Who is connected directly has lost nothing.
    bystander.sync()
    assert np.array_equal(bystander.screenshot(), expected)
    assert bystander.metrics.counts().get(counter, 0) == bystander.metrics.counts().get("keyframe_requests", 0) == 0
