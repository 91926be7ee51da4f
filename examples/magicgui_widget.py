"""magicgui: a function as a dock widget, called once from here."""

import napari
import numpy as np
from magicgui import magicgui
from napari.types import ImageData


@magicgui(call_button="blur", times={"min": 1, "max": 10})
def blur(picture: ImageData, times: int = 3) -> ImageData:
    """Average each pixel with its neighbours."""
    for _ in range(times):
        picture = sum(np.roll(picture, step, axis) for axis in (0, 1) for step in (-1, 1)) / 4
    return picture


viewer = napari.Viewer()
viewer.add_image(np.random.default_rng(3).random((80, 120)), name="noise")
viewer.window.add_dock_widget(blur, name="blur")
blur(viewer.layers["noise"].data, times=5)

if __name__ == "__main__":
    napari.run()
