"""Dask: a stack of which each picture is computed when it is shown."""

import dask.array as da
import napari
import numpy as np


def picture(block_info=None):
    """Return one picture of the stack."""
    number = block_info[None]["chunk-location"][0]
    y, x = np.mgrid[:128, :128]
    return (np.hypot(x - 64, y - 64) < 4 * number + 4).astype(np.float32)[None]


stack = da.map_blocks(picture, dtype=np.float32, chunks=((1,) * 12, (128,), (128,)))

viewer = napari.Viewer()
viewer.add_image(stack, contrast_limits=(0, 1), colormap="cyan")
viewer.dims.set_current_step(0, 7)

if __name__ == "__main__":
    napari.run()
