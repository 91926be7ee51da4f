"""Points: sizes, symbols, colours from features, text beside them."""

import napari
import numpy as np

rng = np.random.default_rng(0)
places = rng.uniform(0, 200, (60, 2))
features = {"confidence": rng.uniform(0, 1, 60), "kind": rng.choice(["cell", "debris"], 60)}

viewer = napari.Viewer()
viewer.add_points(
    places,
    features=features,
    size=np.linspace(4, 14, 60),
    symbol=np.where(features["kind"] == "cell", "disc", "cross"),
    face_color="confidence",
    face_colormap="plasma",
    border_width=0.1,
    text={"string": "{confidence:.1f}", "size": 8, "color": "white", "translation": (-6, 0)},
)

if __name__ == "__main__":
    napari.run()
