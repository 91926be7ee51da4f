"""Overlays: scale bar, text, axes, the box around a layer and its colour bar."""

import napari
import numpy as np

viewer = napari.Viewer()
layer = viewer.add_image(np.random.default_rng(1).random((100, 150)), scale=(0.5, 0.5), units=("um", "um"))
layer.bounding_box.visible = True
layer.colorbar.visible = True
overlays = viewer.canvas.overlays
overlays.scale_bar.visible = True
overlays.text.visible = True
overlays.text.text = "day 3"
overlays.text.color = "yellow"
overlays.axes.visible = True

if __name__ == "__main__":
    napari.run()
