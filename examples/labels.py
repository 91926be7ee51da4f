"""Labels: a segmentation, one label shown as a contour, colours of one's own."""

import napari
import numpy as np
from napari.utils.colormaps import DirectLabelColormap

y, x = np.mgrid[:160, :240]
cells = (x // 40 + 6 * (y // 40) + 1) * (np.hypot(x % 40 - 20, y % 40 - 20) < 16)
colors = {None: "gray", 0: "transparent", 1: "red", 2: "lime", 3: "blue"}

viewer = napari.Viewer()
viewer.add_labels(cells, name="cells")
outlines = viewer.add_labels(cells, name="outlines", translate=(170, 0))
outlines.contour = 3
viewer.add_labels(cells % 5, name="colors", colormap=DirectLabelColormap(color_dict=colors), translate=(0, 250))

if __name__ == "__main__":
    napari.run()
