"""Overlays look as in stock napari, in the window and in pictures for those who have none; each is drawn once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import napari
import numpy as np
import numpy.typing as npt
import pytest

import napari_cuda
from gl_window import fix_canvas_size, open_viewer, process_until, require_display
from integration.conftest import Connect, Serve
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.server_process import ServerProcess
from scenes import SCENES

pytestmark = pytest.mark.slow

SIZE = (440, 340)
SCENE = "image and labels"

ON_CANVAS = {
    "canvas.overlays.scale_bar.visible": True,
    "canvas.overlays.scale_bar.colored": True,
    "canvas.overlays.text.visible": True,
    "canvas.overlays.text.text": "day 3",
    "canvas.overlays.text.position": "top_left",
    "canvas.overlays.text.box_color": (0.5, 0.0, 0.0, 1.0),
    "canvas.overlays.current_slice.visible": True,
    "canvas.overlays.axes.visible": True,
    "layers.0.name_overlay.visible": True,
    "layers.0.colorbar.visible": True,
}
IN_SCENE = {
    "scene.overlays.axes.visible": True,
    "scene.overlays.axes.dashed": True,
    "layers.0.bounding_box.visible": True,
    "layers.0.bounding_box.line_thickness": 3,
}
GRID = {
    # The grid last: napari 0.9.2 raises if an overlay of all its boxes is shown again while it is on.
    "canvas.overlays.scale_bar.visible": True,
    "canvas.overlays.scale_bar.gridded": True,
    "canvas.overlays.text.visible": True,
    "canvas.overlays.text.text": "left and right",
    "layers.1.name_overlay.visible": True,
    "canvas.grid.spacing": 12,
    "canvas.grid.enabled": True,
}
COLORED = {"canvas.background_color_override": (1.0, 1.0, 1.0, 1.0), **ON_CANVAS, "scene.camera.zoom": 2.0}
IN_3D = {
    "dims.ndisplay": 3,
    "scene.camera.angles": (10.0, 30.0, 50.0),
    **ON_CANVAS,
    **IN_SCENE,
    # In stock napari the volume hides its ticks, which are on the canvas.
    "layers.0.colorbar.visible": False,
}
LOOKS = {"on the canvas": ON_CANVAS, "in the scene": IN_SCENE, "grid": GRID, "white canvas": COLORED, "3D": IN_3D}

Picture = npt.NDArray[np.int16]


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene(SCENE, size=SIZE)


@pytest.fixture(scope="module")
def stock() -> Iterator[napari.Viewer]:
    """Stock napari's window with the same layers."""
    viewer = open_viewer()
    fix_canvas_size(viewer, SIZE)
    SCENES[SCENE](viewer)
    assert process_until(lambda: tuple(viewer.canvas.size) == SIZE[::-1])
    yield viewer
    viewer.close()


@pytest.fixture(scope="module")
def window(server: ServerProcess) -> Iterator[StreamedViewer]:
    require_display()
    viewer = napari_cuda.connect(server.connect_url, timeout_s=60)
    fix_canvas_size(viewer, SIZE)
    assert process_until(lambda: tuple(viewer.canvas.size) == SIZE[::-1])
    viewer.sync(30)
    yield viewer
    viewer.close()


@pytest.fixture
def there(window: StreamedViewer, server: ServerProcess, connect: Connect) -> RemoteViewer:
    """A client without a window."""
    return connect(server)


def owner_of(viewer: Any, path: str) -> tuple[Any, str]:
    *steps, name = path.split(".")
    return reduce(
        lambda owner, step: owner[int(step)] if step.isdecimal() else getattr(owner, step), steps, viewer
    ), name


def put(viewer: Any, look: dict[str, Any]) -> dict[str, Any]:
    """Set what `look` says; return what it was before."""
    before = {}
    for path, value in look.items():
        owner, name = owner_of(viewer, path)
        before[path] = getattr(owner, name)
        setattr(owner, name, value)
    return before


@pytest.fixture
def look(request: pytest.FixtureRequest, window: StreamedViewer, stock: napari.Viewer) -> Iterator[str]:
    """Give the window, and stock napari's, one of the looks."""
    chosen = LOOKS[request.param]
    before = put(window, chosen), put(stock, chosen)
    window.sync(30)
    stock.scene.camera.update({name: getattr(window.scene.camera, name) for name in ("center", "zoom", "angles")})
    yield request.param
    for viewer, values in zip((window, stock), before, strict=True):
        put(viewer, dict(reversed(values.items())))
    window.sync(30)


def canvas(viewer: napari.Viewer) -> Picture:
    """Return what the canvas shows, (H, W, 3)."""
    viewer.screenshot(canvas_only=True, flash=False)  # a draw may change what the next one draws
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(np.int16)


def other_pixels(one: Picture, other: Picture) -> float:
    """Return the share of pixels that differ visibly."""
    return float((np.abs(one - other).max(axis=-1) > 8).mean())


@pytest.mark.parametrize("look", LOOKS, indirect=True)
def test_the_window_and_a_picture_without_one_look_like_stock_napari(
    window: StreamedViewer, stock: napari.Viewer, there: RemoteViewer, look: str
) -> None:
    theirs = canvas(stock)
    stream = window.exact_screenshot(60)[..., :3].astype(np.int16)
    ours = canvas(window)
    assert other_pixels(ours, theirs) <= 0.002
    there.sync(30)
    assert np.array_equal(there.screenshot(60)[..., :3], ours), "burnt in they look otherwise"
    drawn_here = other_pixels(stream, ours)
    # What is in the scene is in the stream; what is on the canvas is not, or it would be there twice.
    assert drawn_here == 0 if look == "in the scene" else drawn_here > 0.01


def test_hidden_again_there_is_nothing_left(window: StreamedViewer, there: RemoteViewer) -> None:
    bare = window.exact_screenshot(60)
    there.sync(30)
    assert np.array_equal(there.screenshot(60), bare)
    there.canvas.overlays.scale_bar.visible = True
    assert not np.array_equal(there.screenshot(60), bare)
    there.canvas.overlays.scale_bar.visible = False
    assert np.array_equal(there.screenshot(60), bare)
    assert np.array_equal(window.exact_screenshot(60), bare)


def test_overlays_can_be_seen_on_the_servers_canvas_in_a_light_window(window: StreamedViewer) -> None:
    window.canvas.overlays.scale_bar.visible = True
    window.exact_screenshot(60)
    dark = canvas(window)
    window.theme = "light"
    try:
        assert np.array_equal(canvas(window), dark)
    finally:
        window.theme = "dark"
        window.canvas.overlays.scale_bar.visible = False
        window.sync(30)
