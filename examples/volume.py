"""Volumes: how they are drawn in 3D, and a plane through one."""

import napari
import numpy as np

z, y, x = np.mgrid[-1:1:32j, -1:1:32j, -1:1:32j]
ball = np.exp(-4 * (x**2 + y**2 + z**2)) * (1 + 0.5 * np.sin(12 * x))

viewer = napari.Viewer(ndisplay=3)
viewer.add_image(ball, name="mip", rendering="mip", colormap="inferno")
viewer.add_image(ball, name="iso", rendering="iso", iso_threshold=0.6, translate=(0, 0, 40), colormap="green")
plane = viewer.add_image(ball, name="plane", depiction="plane", translate=(0, 40, 0), colormap="bop blue")
plane.plane.position = (16, 16, 16)
plane.plane.normal = (1, 0.3, 0.2)
viewer.scene.camera.angles = (0, 20, 40)

if __name__ == "__main__":
    napari.run()
