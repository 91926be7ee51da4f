"""Draw a scene with stock desktop napari: `desktop_reference.py SCENE OUT.npy [CAMERA]`, needs a display.

The reference that the headless canvas is compared with; 1280 x 720 pixels. CAMERA: JSON of
camera properties, set once the scene is there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parents[1]))
from scenes import SCENES


def main(scene: str, out: str, camera: str = "{}") -> None:
    """Draw `scene` and save the canvas as (720, 1280, 4) uint8."""
    viewer = napari.Viewer()
    native = viewer.window._qt_viewer.canvas.native
    native.setFixedSize(1280, 720)
    app = QApplication.instance()
    for _ in range(20):
        app.processEvents()
    SCENES[scene](viewer)
    viewer.scene.camera.update(json.loads(camera))
    # Twice: a draw may change what the next one draws.
    for _ in range(2):
        picture = viewer.screenshot(canvas_only=True, flash=False)
        app.processEvents()
    np.save(out, picture)
    viewer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
