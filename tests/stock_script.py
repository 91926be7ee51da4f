"""Run napari scripts in stock napari: `stock_script.py WIDTHxHEIGHT FOLDER SCRIPT…`, needs a display.

Where a script calls `napari.run()` the picture of the current viewer goes to FOLDER/NAME.npy, and the next one begins:
one process draws them all. That is honest where none of them changes napari for the others.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path

import napari
import napari.qt
import numpy as np
from napari import _event_loop
from napari._qt import qt_event_loop
from napari._vispy import VispyCanvas
from qtpy.QtCore import QThreadPool
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QApplication

SETTLE_S = 0.5
LONGEST_S = 30.0


def main(size: str, folder: str, *scripts: str) -> None:
    """Draw what each of `scripts` shows."""
    width, height = map(int, size.split("x"))
    make = napari.Viewer.__init__

    def make_sized(viewer: napari.Viewer, *args: object, **options: object) -> None:
        make(viewer, *args, **options)
        viewer.window._qt_viewer.canvas.size = (height, width)
        for _ in range(5):
            QApplication.processEvents()

    def run(**_options: object) -> None:
        np.save(Path(folder) / f"{Path(sys.argv[0]).stem}.npy", _picture())

    VispyCanvas.size = VispyCanvas.size.setter(_set_size)
    napari.Viewer.__init__ = make_sized
    for module in (napari, _event_loop, qt_event_loop):
        module.run = run
    # Where windows open the display's pointer may be, and napari then draws it a brush: none is over a served canvas.
    QCursor.setPos(napari.qt.get_qapp().primaryScreen().geometry().bottomRight())
    for script in scripts:
        sys.argv = [script]
        sys.path[0] = str(Path(script).resolve().parent)
        runpy.run_path(script, run_name="__main__")
        napari.Viewer.close_all()
        QApplication.processEvents()
    os._exit(0)  # with all that threads and timers still want


def _set_size(canvas: VispyCanvas, size: tuple[int, int]) -> None:
    """Stands in for the setter of napari's canvas: the layout of the window may not change what is compared."""
    canvas.native.setFixedSize(int(size[1]), int(size[0]))


def _picture() -> object:
    """Return the canvas of the current viewer once its threads are done."""
    viewer = napari.current_viewer()
    began_s = time.monotonic()
    while time.monotonic() < began_s + SETTLE_S or (
        QThreadPool.globalInstance().activeThreadCount() and time.monotonic() < began_s + LONGEST_S
    ):
        QApplication.processEvents()
        time.sleep(0.01)
    viewer.window._qt_viewer._welcome_widget.hide()
    # Twice: a draw may change what the next one draws.
    for _ in range(2):
        picture = viewer.screenshot(canvas_only=True, flash=False)
        QApplication.processEvents()
    return picture


if __name__ == "__main__":
    main(*sys.argv[1:])
