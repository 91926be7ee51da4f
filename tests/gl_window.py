"""A real napari window with the video in it, and frames to show there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import napari
import numpy as np
import numpy.typing as npt
import pytest
from napari.qt import get_qapp
from OpenGL import GL
from qtpy.QtCore import QEventLoop, QPointF
from qtpy.QtGui import QCursor, QEnterEvent
from qtpy.QtWidgets import QApplication

from napari_cuda.client.control.placement import OwnCanvas, Placement, Rect
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import FrameLease
from napari_cuda.client.playout.picture import ColorSpec, ExactPicture, YuvPicture
from napari_cuda.client.qt.gl_renderer import GLRenderer, letterboxed
from napari_cuda.client.qt.napari_adapter import CanvasAdapter
from napari_cuda.protocol.packet import PacketHeader, PacketKind

Picture = npt.NDArray[np.uint8]


def require_display() -> None:
    """Fail if there is no display: a GL test that is skipped tells nobody that it did not run."""
    if not os.environ.get("DISPLAY"):
        pytest.fail("this test draws with OpenGL and needs a display: run it with scripts/with-display", pytrace=False)


def application() -> QApplication:
    """Return the one QApplication of the process."""
    return QApplication.instance() or QApplication(["tests"])


def put_pointer_away() -> None:
    """Have the display's pointer where no window is: over a canvas it enters it, and a brush is seen there."""
    get_qapp()
    QCursor.setPos(QApplication.primaryScreen().geometry().bottomRight())


def enter_canvas(viewer: napari.Viewer) -> None:
    """Have the mouse come to the canvas, wherever the display's pointer is."""
    canvas = viewer.window._qt_viewer.canvas.native
    corner = QPointF(0, 0)
    QApplication.sendEvent(canvas, QEnterEvent(corner, corner, canvas.mapToGlobal(corner)))


def process_until(done: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Process Qt events until `done()`; False if it did not happen in time."""
    application()
    loop = QEventLoop()
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            return False
        loop.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
    return True


def open_viewer() -> napari.Viewer:
    """Return a shown napari viewer without its welcome screen."""
    require_display()
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    # Where the display's pointer happens to be over it, napari looks at layers in a thread of its own, which connects
    # to their events while this one does: its emitters are not made for that. Our own window looks at nothing there.
    viewer.window._qt_window.status_thread.close_terminate()
    canvas = viewer.window._qt_viewer.canvas.native
    assert process_until(lambda: canvas.isVisible() and canvas.isValid())
    return viewer


def fix_canvas_size(viewer: napari.Viewer, size: tuple[int, int]) -> None:
    """Give the canvas of a window a size of (width, height) pixels for good."""
    viewer.window._qt_viewer.canvas.native.setFixedSize(*size)


def gl_objects() -> dict[str, int]:
    """Count what the current OpenGL context, and those that share with it, have."""
    names = range(1, 4096)
    kinds = {"textures": GL.glIsTexture, "buffers": GL.glIsBuffer, "programs": GL.glIsProgram}
    return {kind: sum(bool(exists(name)) for name in names) for kind, exists in kinds.items()}


class Window:
    """A napari window that shows `frame` as its video."""

    def __init__(self) -> None:
        self.viewer = open_viewer()
        self.renderer = GLRenderer()
        self.frame: SubmittedFrame | None = None
        self.destination: Rect | None = None
        self.painted = 0
        self.drawn = 0
        self.canvases: list[OwnCanvas] = []
        self.adapter = CanvasAdapter(
            self.viewer, self.paint, on_drawn=self.count_drawn, on_resized=self.canvases.append
        )

    def paint(self, viewport_px: tuple[int, int, int, int]) -> None:
        self.painted += 1
        self.renderer.draw(self.frame, viewport_px, self.adapter.context_id, self.place)

    def place(self, header: PacketHeader, viewport_size: tuple[int, int]) -> Sequence[Placement]:
        return letterboxed(header, viewport_size) if self.destination is None else (Placement(self.destination),)

    def count_drawn(self) -> None:
        self.drawn += 1

    def show(self, frame: SubmittedFrame | None, destination: Rect | None = None) -> Picture:
        """Show a frame and return the canvas as RGB, (H, W, 3) uint8."""
        self.frame, self.destination = frame, destination
        self.adapter.request_video_draw()
        return self.screenshot()

    def screenshot(self) -> Picture:
        """Return the canvas as RGB, (H, W, 3) uint8."""
        return np.ascontiguousarray(self.viewer.screenshot(canvas_only=True, flash=False)[..., :3])

    def next_frame(self, frame: SubmittedFrame) -> bool:
        """Show a frame the way the stream does: through Qt's own repaint."""
        self.frame = frame
        drawn = self.drawn
        self.adapter.request_video_draw()
        return process_until(lambda: self.drawn > drawn)

    def settle(self) -> None:
        """Wait until the window has nothing left to draw."""
        canvas: Any = self.viewer.window._qt_viewer.canvas._scene_canvas
        for _ in range(3):
            assert process_until(lambda: not canvas._update_pending)
            QApplication.processEvents()

    def close(self) -> None:
        self.adapter.make_current()
        self.renderer.close()
        self.adapter.close()
        self.viewer.close()
        QApplication.processEvents()


def frame_of(
    picture: YuvPicture | ExactPicture | FrameLease,
    canvas_size: tuple[int, int],
    coded_size: tuple[int, int] | None = None,
) -> SubmittedFrame:
    """Return a frame that shows `picture`."""
    kind = PacketKind.STILL if isinstance(picture, ExactPicture) else PacketKind.ACCESS_UNIT
    header = PacketHeader(
        kind=kind,
        seq=0,
        epoch=0,
        revision=0,
        input_id=0,
        capture_time_us=0,
        canvas_size=canvas_size,
        coded_size=coded_size or canvas_size,
    )
    return SubmittedFrame(header, picture, due_s=0.0, received_s=0.0, decoded_s=0.0)


def exact_frame(rgb: Picture) -> SubmittedFrame:
    """Return an exact frame of an (H, W, 3) picture."""
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    return frame_of(ExactPicture(np.ascontiguousarray(rgba)), (rgb.shape[1], rgb.shape[0]))


def padded(plane: Picture, stride: int, rows: int) -> Picture:
    """Return the plane in a larger buffer whose padding is as wrong as can be."""
    buffer = np.where(np.indices((rows, stride)).sum(axis=0) % 2, 255, 0).astype(np.uint8)
    buffer[: plane.shape[0], : plane.shape[1]] = plane
    return buffer


def yuv_frame(yuv: Picture, color: ColorSpec, *, subsampled: bool, padding: int = 0) -> SubmittedFrame:
    """Return a video frame of an (H, W, 3) YUV picture; 4:2:0 takes the even samples of U and V.

    `padding` bytes of garbage are appended to each luma row; odd sizes are coded one larger.
    """
    height, width = yuv.shape[:2]
    step = 2 if subsampled else 1
    coded = (width + width % step, height + height % step)
    luma = padded(yuv[..., 0], coded[0] + padding, coded[1])
    u, v = (padded(yuv[::step, ::step, channel], (coded[0] + padding) // step, coded[1] // step) for channel in (1, 2))
    picture = YuvPicture(luma, u, v, color, (step - 1, step - 1))
    return frame_of(picture, (width, height), coded)


_WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}


def rgb_reference(yuv: npt.NDArray[Any], color: ColorSpec) -> npt.NDArray[np.float64]:
    """Return what (…, 3) 8-bit YUV means, as (…, 3) RGB in 0..255, in double precision."""
    kr, kb = _WEIGHTS[color.matrix]
    y, cb, cr = (yuv[..., channel].astype(np.float64) for channel in range(3))
    if color.full_range:
        y, cb, cr = y / 255, (cb - 128) / 255, (cr - 128) / 255
    else:
        y, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    red = y + 2 * (1 - kr) * cr
    blue = y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], axis=-1), 0, 1) * 255
