"""Multiscale images: napari shows the level that suits the zoom."""

import napari
import numpy as np

y, x = np.mgrid[:2048, :2048]
finest = (127 * (1 + np.sin(x * y / 40_000))).astype(np.uint8)
levels = [finest[:: 2**level, :: 2**level] for level in range(5)]

viewer = napari.Viewer()
viewer.add_image(levels, multiscale=True, colormap="gist_earth")
viewer.scene.camera.zoom = 1.5
viewer.scene.camera.center = (0, 900, 1100)

if __name__ == "__main__":
    napari.run()
