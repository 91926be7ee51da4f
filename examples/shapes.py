"""Shapes: every kind, filled, outlined and labelled."""

import napari
import numpy as np

viewer = napari.Viewer()
layer = viewer.add_shapes(name="shapes", ndim=2)
layer.add_rectangles([[0, 0], [40, 60]], face_color="teal", edge_color="white", edge_width=2)
layer.add_ellipses([[0, 80], [40, 140]], face_color="crimson", edge_color="yellow", edge_width=3)
layer.add_polygons([[60, 0], [100, 30], [60, 60], [75, 30]], face_color="royalblue", edge_width=1)
layer.add_paths([[60, 80], [100, 100], [60, 120], [100, 140]], edge_color="orange", edge_width=4)
layer.add_lines(np.array([[120, 0], [120, 140]]), edge_color="lime", edge_width=2)
layer.text = {"string": [f"shape {number}" for number in range(5)], "size": 10, "color": "white"}

if __name__ == "__main__":
    napari.run()
