"""Pictures of the viewer, taken by the script: of the canvas, and of all the data at its own resolution."""

import napari
import numpy as np

viewer = napari.Viewer()
viewer.add_image(np.random.default_rng(4).random((90, 120)), name="noise", colormap="magma")
canvas = viewer.screenshot(size=(150, 200), flash=False)
figure = viewer.export_figure()
viewer.layers.clear()
viewer.add_image(canvas[..., :3], rgb=True, name="canvas")
viewer.add_image(figure[..., :3], rgb=True, name="figure", translate=(0, 220))
assert figure.shape[:2] == (90, 120)
assert napari.current_viewer() is viewer

if __name__ == "__main__":
    napari.run()
