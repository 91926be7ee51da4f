"""How a napari window looks: its pictures, and its widgets in words, to be compared with another's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenuBar,
    QWidget,
)

import napari_cuda
from gl_window import process_until, put_pointer_away
from likeness_scenes import SCENES
from napari_cuda.client.qt.window import StreamedViewer
from scene_server import SceneServer

WINDOW_SIZE = (960, 640)
LAYER_LIST_PX = 180
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    """A window: `window` and `canvas` (H, W, 3), where the canvas is in it, and each widget in one line."""

    window: Picture
    canvas: Picture
    canvas_at: tuple[int, int]
    widgets: list[str]


def stock_look(scene: str) -> Look:
    """Open stock napari's window with a scene and return how it looks."""
    put_pointer_away()
    viewer = napari.Viewer()
    try:
        SCENES[scene](viewer)
        _settle_size(viewer)
        _fit(viewer)
        return _look(viewer)
    finally:
        viewer.close()
        _process(0.1)


def remote_look(scene: str) -> Look:
    """Serve a scene, connect a window and return how that looks."""
    put_pointer_away()
    with SceneServer(scene) as server:
        viewer = napari_cuda.connect(server.connect_url, timeout_s=60)
        try:
            _settle_size(viewer)
            viewer.sync(30)
            _fit(viewer)
            exact_look(viewer)
            return _look(viewer)
        finally:
            viewer.close()
            _process(0.1)


def exact_look(viewer: StreamedViewer) -> None:
    """Wait until the exact picture, and what comes after it (thumbnails), is in the window."""
    viewer.exact_screenshot()
    viewer.pump(0.5)


def _settle_size(viewer: napari.Viewer) -> None:
    window = viewer.window._qt_window
    window.move(0, 0)
    window.resize(*WINDOW_SIZE)
    assert process_until(lambda: (window.width(), window.height()) == WINDOW_SIZE)
    # What was shown before decides how the docks share the height, else.
    viewer.window._qt_viewer.dockLayerList.setFixedHeight(LAYER_LIST_PX)
    # A layout takes several turns of Qt's; the camera is fitted to the last.
    native = viewer.window._qt_viewer.canvas.native
    size = None
    while size != (size := (native.height(), native.width(), *viewer.canvas.size)):
        _process(0.5)


def _fit(viewer: napari.Viewer) -> None:
    """Fit the camera to the canvas, again if controls that came late have changed its size."""
    size = None
    while size != (size := viewer.canvas.size):
        viewer.reset_view(reset_camera_angle=False)
        _process(0.5)


def _process(seconds: float) -> None:
    until_s = time.monotonic() + seconds
    process_until(lambda: time.monotonic() > until_s)


def _look(viewer: napari.Viewer) -> Look:
    window: Any = viewer.window._qt_window
    native: QWidget = viewer.window._qt_viewer.canvas.native
    corner = native.mapTo(window, QPoint(0, 0))
    canvas = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    whole = viewer.screenshot(canvas_only=False, flash=False)[..., :3]
    return Look(whole, canvas, (corner.x(), corner.y()), list(_widgets(window, window, "")))


def _widgets(widget: QWidget, window: QWidget, path: str) -> Any:
    for child in widget.children():
        if not isinstance(child, QWidget) or not child.isVisible() or child.isWindow() or isinstance(child, QMenuBar):
            continue
        name = f"{path}/{type(child).__name__} {child.objectName()}".rstrip()
        corner = child.mapTo(window, QPoint(0, 0))
        place = f"{corner.x()},{corner.y()} {child.width()}x{child.height()}"
        yield f"{name} {place} {'' if child.isEnabled() else 'disabled '}{_says(child)}".rstrip()
        yield from _widgets(child, window, name)


def _says(widget: QWidget) -> str:
    """Return what a widget shows, in words."""
    if isinstance(widget, QComboBox):
        return f"{widget.currentText()!r} of {[widget.itemText(n) for n in range(widget.count())]}"
    if isinstance(widget, QAbstractButton):
        return f"{widget.text()!r} {'checked' if widget.isChecked() else ''}"
    if isinstance(widget, (QLabel, QLineEdit)):
        return repr(widget.text())
    if isinstance(widget, QAbstractItemView):
        model = widget.model()
        return str([model.data(model.index(row, 0)) for row in range(model.rowCount())])
    if isinstance(widget, QAbstractSpinBox):
        return widget.text()
    if all(hasattr(widget, name) for name in ("value", "minimum", "maximum")):
        return f"{widget.value()} in {widget.minimum()}..{widget.maximum()}"
    return ""
