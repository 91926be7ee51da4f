"""What belongs to the view of a session shows in its pictures: overlays, and how volumes are drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import napari_cuda
from integration.conftest import Connect, Serve
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.server_process import ServerProcess


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("image and labels", size=(320, 240))


@pytest.fixture(scope="module")
def viewer(server: ServerProcess) -> Iterator[RemoteViewer]:
    with napari_cuda.connect(server.connect_url, window=False, timeout_s=60) as viewer:
        yield viewer


def test_overlays_are_in_the_picture_of_who_has_no_window(
    viewer: RemoteViewer, server: ServerProcess, connect: Connect
) -> None:
    bare = viewer.screenshot(60)
    bar = viewer.canvas.overlays.scale_bar
    bar.visible = True
    with_bar = viewer.screenshot(60)
    changed = np.argwhere((with_bar != bare).any(axis=-1))
    assert changed.size
    assert (changed.min(axis=0) >= (180, 130)).all(), "the scale bar is at the bottom right"
    later = connect(server)
    assert later.canvas.overlays.scale_bar.visible
    assert np.array_equal(later.screenshot(60), with_bar)
    bar.font_size = 30
    assert not np.array_equal(viewer.screenshot(60), with_bar)
    bar.font_size, bar.visible = 10, False
    assert np.array_equal(viewer.screenshot(60), bare)


def test_quality_and_step_of_volumes_are_the_users(viewer: RemoteViewer) -> None:
    viewer.dims.ndisplay = 3
    viewer.scene.camera.angles = (20.0, 30.0, 40.0)
    rendering = viewer.rendering
    whole = viewer.screenshot(60)
    rendering.quality = "fast"
    fast = viewer.screenshot(60)
    assert fast.shape == whole.shape
    assert not np.array_equal(fast, whole)
    rendering.quality = "full"
    assert np.array_equal(viewer.screenshot(60), whole)
    viewer.scene.camera.angles = (21.0, 30.0, 40.0)
    viewer.sync(60)
    assert viewer._session.loop.frame.header.full_detail, "it was drawn in full while it moved"
    viewer.scene.camera.angles = (20.0, 30.0, 40.0)
    rendering.volume_step = 4.0
    assert not np.array_equal(viewer.screenshot(60), whole)
    rendering.volume_step, rendering.quality = None, "auto"
    assert np.array_equal(viewer.screenshot(60), whole)
