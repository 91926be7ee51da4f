"""Threads: a worker that yields pictures while the viewer goes on."""

import time

import napari
import numpy as np
from napari.qt.threading import thread_worker

viewer = napari.Viewer()
viewer.canvas.overlays.text.visible = True
viewer.canvas.overlays.text.text = "computing"
layer = viewer.add_image(np.zeros((64, 64)), contrast_limits=(0, 1))


def show(picture):
    """Runs in the main thread, whatever thread made the picture."""
    layer.data = picture


@thread_worker(connect={"yielded": show})
def compute():
    """Compute some pictures, slowly."""
    y, x = np.mgrid[:64, :64]
    for radius in range(4, 32, 4):
        time.sleep(0.05)
        yield (np.hypot(x - 32, y - 32) < radius).astype(float)


worker = compute()
worker.finished.connect(lambda: setattr(viewer.canvas.overlays.text, "text", "done"))

if __name__ == "__main__":
    napari.run()
