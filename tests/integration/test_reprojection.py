"""The window's picture follows the camera at once: shown where it belongs before the server has answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest
from OpenGL import GL
from skimage.registration import phase_cross_correlation

from gl_window import Picture, Window, fix_canvas_size, process_until
from integration.conftest import Serve, connected_window
from napari_cuda import conversion
from napari_cuda.client.control.camera import CameraView, difference
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.netsim import Link, NetSim
from napari_cuda.server_process import ServerProcess
from scenes import wide_image

SIZE = (500, 400)
SEEN = (slice(100, 300), slice(130, 370))
"""What every case leaves on the canvas, and the picture of before covers."""


class Screen:
    """What each draw of a window puts on its canvas, below napari's overlays."""

    def __init__(self, viewer: StreamedViewer) -> None:
        self.viewer = viewer
        self.loop = viewer._session.loop
        self.pictures: list[Picture] = []
        self._draw, self._present = self.loop.draw, self.loop.present
        self.loop.draw = self._look

    def _look(self, paint: Callable[..., object]) -> None:
        self._draw(paint)
        width, height = self.viewer._session.loop._host.facade.adapter.canvas_size_px
        rgb = np.empty((height, width, 3), np.uint8)
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        GL.glReadPixels(0, 0, width, height, GL.GL_RGB, GL.GL_UNSIGNED_BYTE, rgb)
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 4)
        self.pictures = [*self.pictures[-1:], rgb[::-1]]

    def exact(self) -> Picture:
        """Return the server's picture of the present scene, once the window shows it."""
        # Once the window is at its size: its first layout moves the canvas when the status bar has got its words.
        process_until(lambda: False, 0.3)
        self.viewer.sync(60)
        return self.viewer.exact_screenshot()[..., :3]

    def next_draw_after(self, change: Callable[[], object]) -> Picture:
        """Return what the first draw after `change` shows while nothing comes from the server."""
        self.loop.present = lambda: None
        self.pictures = []
        change()
        assert process_until(lambda: bool(self.pictures))
        return self.pictures[0]

    def first_draw_after(self, change: Callable[[], bool]) -> Picture | None:
        """Return what the first draw after `change` shows; None if it changed nothing."""
        process_until(lambda: False, 0.002)
        self.pictures = []
        if not change():
            return None
        assert process_until(lambda: bool(self.pictures))
        return self.pictures[0]

    def go_on(self) -> None:
        """Have the pictures of the server shown again."""
        self.loop.present = self._present
        self.loop.present()

    def close(self) -> None:
        self.go_on()
        self.loop.draw = self._draw


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("image and labels", size=SIZE)


@pytest.fixture(scope="module")
def viewer(server: ServerProcess) -> Iterator[StreamedViewer]:
    with connected_window(server) as viewer:
        fix_canvas_size(viewer, SIZE)
        assert process_until(lambda: tuple(viewer.canvas.size) == SIZE[::-1])
        yield viewer


@pytest.fixture
def screen(viewer: StreamedViewer) -> Iterator[Screen]:
    screen = Screen(viewer)
    yield screen
    screen.close()
    viewer.canvas.grid.enabled = False
    viewer.dims.ndisplay = 2
    viewer.dims.order = (0, 1, 2)
    viewer.scene.camera.orientation2d = ("down", "right")
    viewer.reset_view()
    viewer.sync(60)


def pan(viewer: StreamedViewer, *pixels: float) -> None:
    """Move the camera by so many pixels of the canvas, in the order of its centre."""
    camera = viewer.scene.camera
    steps = (0.0,) * (3 - len(pixels)) + pixels
    camera.center = tuple(at + step / camera.zoom for at, step in zip(camera.center, steps, strict=True))


def zoom(viewer: StreamedViewer, factor: float, *pixels: float) -> None:
    pan(viewer, *pixels)
    viewer.scene.camera.zoom *= factor


def turn_axes(viewer: StreamedViewer) -> None:
    viewer.dims.order = (0, 2, 1)


def flip(viewer: StreamedViewer) -> None:
    viewer.scene.camera.orientation2d = ("up", "left")


def see_volume(viewer: StreamedViewer) -> None:
    viewer.dims.ndisplay = 3
    viewer.scene.camera.angles = (20.0, 35.0, 60.0)


def nothing(viewer: StreamedViewer) -> None: ...


@dataclass(frozen=True)
class Case:
    """`move` the camera after `prepare`."""

    move: Callable[[StreamedViewer], None]
    prepare: Callable[[StreamedViewer], None] = nothing


CASES = {
    "pan": Case(lambda viewer: pan(viewer, 20.3, -31.6)),
    "zoom in about a point": Case(lambda viewer: zoom(viewer, 1.25, 9.0, 14.5)),
    "zoom out": Case(lambda viewer: zoom(viewer, 0.8)),
    "axes in another order": Case(lambda viewer: pan(viewer, 12.0, -25.5), turn_axes),
    "axes the other way": Case(lambda viewer: pan(viewer, 12.0, -25.5), flip),
    "pan in 3D": Case(lambda viewer: pan(viewer, 11.0, -16.0, 22.5), see_volume),
    "zoom in 3D": Case(lambda viewer: zoom(viewer, 1.2), see_volume),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_next_draw_shows_the_picture_where_it_belongs(viewer: StreamedViewer, screen: Screen, case: Case) -> None:
    case.prepare(viewer)
    before = screen.exact()
    shown = screen.next_draw_after(lambda: case.move(viewer))
    screen.go_on()
    true = screen.exact()
    here, there, was = (picture[SEEN].astype(float).sum(axis=-1) for picture in (shown, true, before))
    error, *_ = phase_cross_correlation(there, here, upsample_factor=20)
    assert np.hypot(*error) <= 0.5
    # Not only by that measure: it looks like the true picture, and that is another than before.
    assert np.abs(there - here).mean() < 0.35 * np.abs(there - was).mean()


def test_a_pan_by_whole_pixels_is_exact_and_uncovers_the_canvas(viewer: StreamedViewer, screen: Screen) -> None:
    before = screen.exact()
    shown = screen.next_draw_after(lambda: pan(viewer, 20.0, -40.0))
    assert np.array_equal(shown[:-20, 40:], before[20:, :-40])
    background = (np.array(viewer.canvas.background_color[:3]) * 255).round()
    assert np.all(shown[-20:] == background)
    assert np.all(shown[:, :40] == background)


def test_in_a_grid_each_view_shows_its_own(viewer: StreamedViewer, screen: Screen) -> None:
    viewer.canvas.grid.enabled = True
    before = screen.exact()
    cells = screen.loop._host.facade.adapter.grid_cells_px()
    assert len(cells) == 2
    shown = screen.next_draw_after(lambda: pan(viewer, 0.0, 30.0))
    for left, top, width, height in (tuple(round(side) for side in cell) for cell in cells):
        kept, moved = (slice(left + at, left + at + width - 32) for at in (1, 31))
        assert np.array_equal(shown[top : top + height, kept], before[top : top + height, moved])
        assert np.ptp(shown[top : top + height, kept]) > 100, "there is nothing to see"
        assert not shown[top : top + height, left + width - 29 : left + width - 1].any(), "its neighbour's picture"


def test_an_answer_does_not_tug_the_camera_and_at_rest_the_picture_is_the_servers(
    viewer: StreamedViewer, screen: Screen
) -> None:
    screen.exact()
    for step in range(5):
        screen.next_draw_after(lambda: pan(viewer, 0.0, 7.0))
        screen.go_on()
        centre = viewer.scene.camera.center
        process_until(lambda shown=screen.loop.state.shown.frames: screen.loop.state.shown.frames > shown)
        assert viewer.scene.camera.center == centre, f"step {step}"
    true = screen.exact()
    viewer._session.loop._host.facade.request_draw()
    screen.pictures = []
    assert process_until(lambda: bool(screen.pictures))
    assert np.array_equal(screen.pictures[-1], true)


# --- through a network ------------------------------------------------------------------------

PAN_PX_S = 500.0
MOST_BEHIND_PX = 190.0
"""At that speed the picture on screen is so far behind: 300 ms of way, and 80 ms to make and show it."""
MOST_STEP_PX = 16
"""In two frames of a screen."""


class Hand:
    """Pans at `PAN_PX_S`, or slower where the machine is too busy for the pictures to follow at their distance."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.camera = screen.viewer.scene.camera
        self.origin_px = self.camera.center[2]
        self.began_s = time.monotonic()

    @property
    def behind_px(self) -> float:
        return float(self.camera.center[2] - self.screen.loop.frame.header.camera.center[2])

    def step(self) -> bool:
        """Move on by whole pixels; False if it is not time yet."""
        to_px = self.origin_px + PAN_PX_S * (time.monotonic() - self.began_s)
        allowed_px = self.camera.center[2] + MOST_BEHIND_PX - self.behind_px
        if to_px > allowed_px:
            self.began_s += (to_px - allowed_px) / PAN_PX_S
        step_px = int(min(to_px - self.camera.center[2], allowed_px - self.camera.center[2], MOST_STEP_PX))
        if step_px > 0:
            self.camera.center = (0.0, self.camera.center[1], self.camera.center[2] + step_px)
        return step_px > 0


WIDE = wide_image()


def off_px(shown: Picture, center_px: float) -> np.ndarray:
    """Return how far (down, right) the middle of a canvas shows the wide image from where a camera there has it."""
    height, width = shown.shape[:2]
    left = round(center_px) - 100
    there = WIDE[350:550, left : left + 200].astype(float)
    here = shown[height // 2 - 100 :, width // 2 - 100 :][:200, :200].mean(axis=-1)
    return np.asarray(phase_cross_correlation(there, here, upsample_factor=10)[0])


@pytest.mark.slow
@pytest.mark.alone
def test_a_pan_at_300_ms_uncovers_little_and_is_where_it_should_be(serve_scene: Serve) -> None:
    width, height = 480, 360
    with (
        NetSim(serve_scene("wide", size=(width, height)).connect_url, Link(0.15)) as net,
        connected_window(net) as viewer,
    ):
        fix_canvas_size(viewer, (width, height))
        screen = Screen(viewer)
        screen.exact()
        camera = viewer.scene.camera
        # Off the middle of a pixel: the server samples the data where a row and a column begin otherwise.
        camera.zoom, camera.center = 1.0, (0.0, 450.25, 600.25)
        at_rest = off_px(screen.exact(), camera.center[2])
        hand = Hand(screen)
        while camera.center[2] < 700.0:  # once before: only now the server knows how far away the window is
            screen.first_draw_after(hand.step)
        screen.exact()
        hand, uncovered, errors = Hand(screen), [], []
        while camera.center[2] < 1500.0:
            shown = screen.first_draw_after(hand.step)
            if shown is not None:
                uncovered.append(float((shown.max(axis=-1) < 30).mean()))
                errors.append(float(np.hypot(*(off_px(shown, camera.center[2]) - at_rest))))
        screen.exact()
        screen.close()
    assert len(errors) >= 800 / MOST_STEP_PX
    assert np.percentile(errors, 95) <= 0.5
    assert np.percentile(uncovered, 95) <= 0.03


# --- against napari's own transforms --------------------------------------------------------


def on_canvas(window: Window, places: np.ndarray) -> np.ndarray:
    """Return where napari draws world places, (n, 3) z y x: (n, 2) right, down from the middle of the canvas."""
    canvas: Any = window.viewer.window._qt_viewer.canvas
    canvas.camera.on_draw(None)
    mapped = canvas.view.scene.transform.map(places[:, ::-1])
    return mapped[:, :2] / mapped[:, 3:] - np.array(canvas.view.rect.size) / 2


def camera_view(window: Window) -> CameraView:
    return CameraView(conversion.camera_pose(window.viewer), *conversion.canvas_directions(window.viewer))


@pytest.mark.parametrize(
    ("ndisplay", "orientation"),
    [
        *product([2], product(["towards"], ["down", "up"], ["right", "left"])),
        *product([3], [("towards", "down", "right"), ("away", "down", "right"), ("towards", "up", "left")]),
    ],
)
def test_the_difference_is_that_of_naparis_transforms(
    window: Window, ndisplay: int, orientation: tuple[str, str, str]
) -> None:
    camera = window.viewer.scene.camera
    window.viewer.add_image(np.zeros((9, 9, 9), np.uint8))
    window.viewer.dims.ndisplay = ndisplay
    camera.orientation = orientation
    rng = np.random.default_rng(ndisplay)
    for _ in range(5):
        camera.angles = tuple(rng.uniform(-80, 80, 3))
        places = rng.uniform(-5, 5, (20, 3)) * ((0 if ndisplay == 2 else 1), 1, 1)
        camera.center, camera.zoom = tuple(rng.uniform(-3, 3, 3)), float(rng.uniform(2, 30))
        frame, seen = camera_view(window).pose, on_canvas(window, places)
        camera.center, camera.zoom = tuple(rng.uniform(-3, 3, 3)), float(rng.uniform(2, 30))
        moved = difference(frame, camera_view(window))
        assert not moved.turned
        assert seen * moved.zoom + moved.pan_px == pytest.approx(on_canvas(window, places), abs=1e-2)
