"""Keys: bound to this viewer, to a layer, to all image layers, and one that lasts while it is held."""

import napari
import numpy as np
from napari.layers import Image

viewer = napari.Viewer()
layer = viewer.add_image(np.arange(100.0).reshape(10, 10), name="ramp")
viewer.canvas.overlays.text.visible = True


def say(text):
    """Show a line over the picture."""
    viewer.canvas.overlays.text.text = text


@viewer.bind_key("Control-G")
def hold(viewer):
    """Say so when the key goes down and when it is let go."""
    say("held")
    yield
    say("let go")


@layer.bind_key("i")
def invert(layer):
    """Turn the colours round."""
    layer.colormap = "gray_r" if layer.colormap.name == "gray" else "gray"


@Image.bind_key("Shift-B")
def brighten(layer):
    """Of any image layer."""
    layer.gamma = 0.5


say("press Control-G, i or Shift-B")

if __name__ == "__main__":
    napari.run()
