"""Volumes that are too large at their finest level, seen by clients: finer where one looks, and all in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from qtpy.QtCore import Qt

import napari_cuda
from gl_window import enter_canvas, fix_canvas_size, put_pointer_away, require_display
from integration.conftest import Connect, Serve
from integration.test_window import pump_until
from integration.test_window_tools import EVENT_S, send_mouse
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.server_process import ServerProcess
from scenes import large_blocks, large_volume

CANVAS = (320, 240)
CENTER = (128.0, 140.3, 116.2)
"""No pixel is exactly between two voxels: OpenGL might take either."""
FIT, NEAR = 0.6, 9.0
"""Zooms: all of it is seen, and about 36 voxels across."""
ALONG_Z, UP = (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
ASKEW = (0.95, 0.2, 0.25)


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("large volumes", size=CANVAS)


@pytest.fixture
def viewer(server: ServerProcess, connect: Connect) -> RemoteViewer:
    """A client; the scene is as at first."""
    viewer = connect(server)
    viewer.canvas.grid.enabled = False
    for layer in viewer.layers:
        layer.visible = layer.name == "image"
        layer.locked_data_level = None
        layer.depiction = "volume"
        layer.experimental_clipping_planes = []
    return viewer


def look(viewer: Any, zoom: float, direction: tuple[float, ...] = ALONG_Z) -> npt.NDArray[np.uint8]:
    """Return the exact picture of that view."""
    camera = viewer.scene.camera
    camera.center, camera.zoom = CENTER, zoom
    camera.set_view_direction(direction, UP)
    picture: npt.NDArray[np.uint8] = viewer.screenshot()[..., :3]
    return picture


def brightest(picture: npt.NDArray[np.uint8]) -> int:
    """Return the brightest grey around the middle: there are both kinds of squares."""
    height, width = picture.shape[:2]
    return int(picture[height // 2 - 30 : height // 2 + 30, width // 2 - 30 : width // 2 + 30, 0].max())


def psnr_db(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    error = float(((one.astype(float) - other) ** 2).mean())
    return min(99.0, float(10 * np.log10(255**2 / max(error, 1e-9))))


def values(viewer: Any, layer: Any, direction: tuple[float, ...]) -> list[Any]:
    """Return the values under 12 places of the middle of the canvas."""
    places = np.random.default_rng(2).uniform(-15, 15, (12, 3)) * (0, 1, 1)
    return [
        layer.get_value(tuple(np.array(CENTER) + place), view_direction=direction, dims_displayed=[0, 1, 2], world=True)
        for place in places
    ]


@pytest.mark.parametrize("name", ["image", "blocks"])
@pytest.mark.parametrize("direction", [ALONG_Z, ASKEW])
def test_what_is_seen_is_that_of_the_finest_level(
    viewer: RemoteViewer, name: str, direction: tuple[float, ...]
) -> None:
    for layer in viewer.layers:
        layer.visible = layer.name == name
    layer = viewer.layers[name]
    look(viewer, FIT, direction)
    part, found = look(viewer, NEAR, direction), values(viewer, layer, direction)
    layer.locked_data_level = 0
    whole, expected = viewer.screenshot()[..., :3], values(viewer, layer, direction)
    layer.locked_data_level = 1
    coarse = viewer.screenshot()[..., :3]
    assert psnr_db(part, whole) > 45 > psnr_db(coarse, whole)
    assert found == expected
    assert {value[0] for value in found if value is not None} == {0}, "the level"


@pytest.mark.parametrize("zoom", [FIT, NEAR])
@pytest.mark.parametrize("depth", [41, 200])
def test_a_plane_is_where_the_layer_says_at_every_level(viewer: RemoteViewer, zoom: float, depth: int) -> None:
    layer = viewer.layers["image"]
    look(viewer, zoom)
    layer.depiction = "plane"
    layer.plane.position, layer.plane.normal = (depth, 0, 0), (1, 0, 0)
    layer.plane.thickness = 1
    picture = look(viewer, zoom)
    assert abs(brightest(picture) - depth) <= 1
    position = (depth, *CENTER[1:])
    value = layer.get_value(position, view_direction=ALONG_Z, dims_displayed=[0, 1, 2], world=True)
    if zoom == NEAR:
        z, y, x = (int(number) for number in position)
        assert value == (0, large_volume()[z, y, x])
        layer.locked_data_level = 0
        assert psnr_db(picture, viewer.screenshot()[..., :3]) > 45


def test_a_plane_stays_while_something_moves(viewer: RemoteViewer) -> None:
    layer = viewer.layers["image"]
    layer.depiction = "plane"
    layer.plane.position, layer.plane.normal, layer.plane.thickness = (100, 0, 0), (1, 0, 0), 1
    viewer.rendering.volume_step = 3.0
    try:
        assert abs(brightest(look(viewer, NEAR)) - 100) <= 1, "coarse steps leave nothing of a plane"
    finally:
        viewer.rendering.volume_step = None
        viewer.sync()


@pytest.mark.parametrize("zoom", [FIT, NEAR])
def test_clipping_planes_are_in_their_place_at_every_level(viewer: RemoteViewer, zoom: float) -> None:
    layer = viewer.layers["image"]
    look(viewer, zoom)
    layer.experimental_clipping_planes = [{"position": (100, 0, 0), "normal": (-1, 0, 0)}]
    picture = look(viewer, zoom)
    assert abs(brightest(picture) - 100) <= 3, "half a voxel of the level, and what lies between two"
    if zoom == NEAR:
        layer.locked_data_level = 0
        assert psnr_db(picture, viewer.screenshot()[..., :3]) > 40


def test_in_a_grid_each_view_shows_what_is_seen_of_its_layer(viewer: RemoteViewer) -> None:
    for layer in viewer.layers:
        layer.visible = True
    viewer.canvas.grid.enabled = True
    part = look(viewer, NEAR)
    for layer in viewer.layers:
        layer.locked_data_level = 0
    whole = viewer.screenshot()[..., :3]
    for layer in viewer.layers:
        layer.locked_data_level = 1
    coarse = viewer.screenshot()[..., :3]
    halves = np.hsplit(np.arange(CANVAS[0]), 2)
    for half in halves:
        assert whole[:, half].std() > 1, "an empty view"
        assert psnr_db(part[:, half], whole[:, half]) > 45 > psnr_db(coarse[:, half], whole[:, half])


@pytest.fixture
def window(server: ServerProcess, viewer: RemoteViewer) -> Iterator[StreamedViewer]:
    """A real window on the same scene, as at first."""
    require_display()
    put_pointer_away()
    viewer.sync(30)
    window = napari_cuda.connect(server.connect_url, timeout_s=60)
    fix_canvas_size(window, CANVAS)
    assert pump_until(window, lambda: window._session.loop.state.control.known("view")["size"] == [*CANVAS[::-1]])
    window.sync(30)
    yield window
    window.close()


def test_a_hand_drags_the_plane_and_looks_at_a_label(window: StreamedViewer, viewer: RemoteViewer) -> None:
    image, blocks = window.layers["image"], window.layers["blocks"]
    image.depiction = "plane"
    image.plane.position, image.plane.normal, image.plane.thickness = (128, 128, 128), (1, 0, 0), 1
    window.layers.selection.active = image
    look(window, NEAR / 2, (0.6, 0.2, 0.75))
    x, y = CANVAS[0] // 2, CANVAS[1] // 2
    drag = [("press", 0, 1, [1]), *(("move", 4 * step, 0, [1]) for step in range(1, 9)), ("release", 32, 1, [])]
    for action, way, button, buttons in drag:
        shift = Qt.KeyboardModifier.ShiftModifier
        send_mouse(window, action, x + way, y, button=button, buttons=buttons, modifiers=shift)
        window.pump(EVENT_S)
    window.sync(30)
    depth = image.plane.position[0]
    assert abs(depth - 128) > 3, "the plane was not dragged"
    viewer.sync(30)
    assert viewer.layers["image"].plane.position[0] == depth
    assert abs(brightest(viewer.screenshot()) - depth) <= 1
    image.visible, blocks.visible = False, True
    window.layers.selection.active = blocks
    look(window, NEAR)
    enter_canvas(window)
    send_mouse(window, "move", x + 1, y, button=0, buttons=[])
    column = large_blocks()[:, round(CENTER[1]), round(CENTER[2])]
    label = int(column[column > 0][0])
    assert pump_until(window, lambda: isinstance(window.status, dict) and window.status["value"] == f"0, {label}"), str(
        window.status
    )
