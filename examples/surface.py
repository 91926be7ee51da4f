"""Surface: a wavy sheet in 3D, coloured by its height, with its wireframe."""

import napari
import numpy as np

y, x = np.mgrid[:40, :40]
height = 5 * np.sin(x / 6) * np.cos(y / 5)
vertices = np.stack([height, y, x], axis=-1).reshape(-1, 3)
corner = (y[:-1, :-1] * 40 + x[:-1, :-1]).ravel()
faces = np.concatenate(
    [np.stack([corner, corner + 1, corner + 40], 1), np.stack([corner + 1, corner + 41, corner + 40], 1)]
)

viewer = napari.Viewer(ndisplay=3)
sheet = viewer.add_surface((vertices, faces, height.ravel()), colormap="turbo", shading="flat")
sheet.wireframe.visible = True
sheet.wireframe.color = "white"
viewer.scene.camera.angles = (10, 30, 50)

if __name__ == "__main__":
    napari.run()
