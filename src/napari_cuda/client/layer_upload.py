"""Layers made here whose data is too large for a message: the data goes as a file, the rest as ever."""

from __future__ import annotations

from functools import partial

from napari.components import ViewerModel
from napari.layers import Layer

from napari_cuda.client.data_access import DataAccess
from napari_cuda.client.mirror.new_layer import without_data
from napari_cuda.protocol.errors import CommandError


def send_layer(data: DataAccess, viewer: ViewerModel, layer: Layer) -> bool:
    """Send a layer's data; True if it will come back as a layer of the server, False if it cannot be sent."""
    try:
        created, arrays = without_data(layer, len(viewer.layers))
    except CommandError:
        return False
    data.send_arrays(layer.name, arrays, partial(data.create, created))
    return True
