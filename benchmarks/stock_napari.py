"""Stock napari showing a scene of the bench, with a mark in the canvas: `stock_napari.py WORKLOAD`, needs a display.

The mark, drawn with each frame, is the number of the last input that the frame answers: cells, black or white, of
CELL_PX each. While the mouse drags it says where the pointer was (x + 4096 y, in canvas pixels); after a key it says
how many keys there were. The key K makes the picture green, and grey again.
"""

from __future__ import annotations

import json
import sys

import napari
import numpy as np
from qtpy.QtCore import QPoint, QTimer
from vispy.scene.visuals import Image
from vispy.visuals.transforms import STTransform

from napari_cuda.bench.catalogue import WORKLOADS
from napari_cuda.bench.scenes import SCENES

SIZE = (1280, 720)
CELL_PX = 8
CELLS = 24
CORNER_PX = (8, 8)
KEYS = 1 << 23
"""Added to the number of keys: no pointer is so far down."""


def cells_of(number: int) -> np.ndarray:
    """Return the mark as one row of pixels."""
    bits = number >> np.arange(CELLS) & 1
    return (255 * bits).astype(np.uint8)[None, :, None].repeat(3, axis=2)


def number_of(rgb: np.ndarray) -> int:
    """Return the number in a mark, given as its pixels (CELL_PX, CELLS * CELL_PX, 3); lossy pictures will do."""
    middle = rgb[CELL_PX // 2, CELL_PX // 2 :: CELL_PX].astype(int).sum(axis=1)
    return int(((middle > 3 * 128) << np.arange(CELLS)).sum())


def main(name: str) -> None:
    """Show the scene until killed; print where on the screen the canvas is, as one line of JSON."""
    workload = WORKLOADS[name]
    viewer = napari.Viewer(show=False)
    SCENES[workload.scene](viewer)
    canvas = viewer.window._qt_viewer.canvas
    canvas.native.setFixedSize(*SIZE)
    window = viewer.window._qt_window
    window.move(0, 0)
    viewer.show()
    mark = Image(cells_of(0), interpolation="nearest", parent=canvas.view)
    mark.transform = STTransform(scale=(CELL_PX, CELL_PX), translate=CORNER_PX)
    mark.order = 10**6
    mark.set_gl_state("opaque", depth_test=False)  # a volume must not hide it

    def tell(number: int) -> None:
        mark.set_data(cells_of(number))
        mark.update()

    def on_mouse_move(event: object) -> None:
        if event.button:
            tell(int(event.pos[0]) + 4096 * int(event.pos[1]))

    canvas._scene_canvas.events.mouse_move.connect(on_mouse_move)
    keys = 0

    def on_key(_viewer: object) -> None:
        nonlocal keys
        keys += 1
        for layer in viewer.layers:
            layer.colormap = "green" if keys % 2 else "gray"
        tell(KEYS + keys)

    viewer.bind_key("k", on_key, overwrite=True)

    def begin() -> None:
        workload.begin(viewer)
        window.activateWindow()
        canvas.native.setFocus()

    def announce() -> None:
        corner = canvas.native.mapToGlobal(QPoint(0, 0))
        print(json.dumps({"canvas": [corner.x(), corner.y()]}), flush=True)

    QTimer.singleShot(1500, begin)
    QTimer.singleShot(3000, announce)  # other controls for three dimensions move the canvas
    napari.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
