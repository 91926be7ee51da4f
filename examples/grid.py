"""Grid: every layer in a field of its own."""

import napari
import numpy as np

rng = np.random.default_rng(2)
viewer = napari.Viewer()
for number, colormap in enumerate(("gray", "magma", "viridis", "cyan", "yellow")):
    viewer.add_image(rng.random((60, 80)) ** (number + 1), name=colormap, colormap=colormap)
viewer.canvas.grid.enabled = True
viewer.canvas.grid.shape = (2, 3)
viewer.canvas.grid.spacing = 0.05

if __name__ == "__main__":
    napari.run()
