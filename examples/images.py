"""Images: contrast, colormaps, blending, RGB and a gamma of one's own."""

import napari
import numpy as np

y, x = np.mgrid[:200, :300]
waves = np.sin(x / 15) + np.cos(y / 11)
disc = np.hypot(x - 150, y - 100) < 60
colors = np.stack([x / 300, y / 200, np.full(x.shape, 0.3)], axis=-1)

viewer = napari.Viewer()
viewer.add_image(waves, name="waves", colormap="viridis", contrast_limits=(-1.5, 1.5), gamma=0.8)
viewer.add_image(disc.astype(float), name="disc", colormap="magenta", blending="additive", opacity=0.6)
viewer.add_image(colors, name="colors", rgb=True, translate=(0, 320))

if __name__ == "__main__":
    napari.run()
