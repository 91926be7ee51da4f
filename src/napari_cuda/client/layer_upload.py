"""Layers made here whose data is too large for a message: sent as a file, opened there, dressed as they were."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_cuda import conversion
from napari_cuda.client.data_access import DataAccess
from napari_cuda.layer_state import kind_of, layer_values
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import layer_properties

log = logging.getLogger(__name__)

ONE_ARRAY = frozenset({"image", "labels", "points", "vectors", "tracks"})
"""Kinds of layers whose data is one array, which NumPy's format and napari's own reader carry whole."""


def send_layer(data: DataAccess, viewer: ViewerModel, layer: Layer) -> bool:
    """Send a layer's data; True if it will come back as a layer of the server.

    False if a file cannot carry it: several levels, shapes and surfaces, elements that differ in what they look like.
    """
    kind = kind_of(layer)
    values = layer_values(layer)
    differs = any(row.held and values[name] is None for name, row in layer_properties(kind).items())
    if kind not in ONE_ARRAY or getattr(layer, "multiscale", False) or differs:
        return False
    pixels: Any = layer.data
    size_bytes = int(np.prod(pixels.shape)) * np.dtype(pixels.dtype).itemsize
    data.send_array(layer.name, pixels, size_bytes, kind, partial(_dress, viewer, values))
    return True


def _dress(viewer: ViewerModel, values: m.Values, layer_id: str) -> None:
    """Give the layer that came of it the properties of the one that was made here."""
    layer = next((layer for layer in viewer.layers if getattr(layer, "remote_id", None) == layer_id), None)
    if layer is None:
        return  # somebody removed it already
    for name, row in layer_properties(kind_of(layer)).items():
        if row.writable and name in values and conversion.read(layer, row) != values[name]:
            try:
                conversion.write(layer, row, values[name])
            except (ValueError, TypeError, AttributeError) as error:
                log.warning("%s of %r stays as the server has it: %s", name, layer.name, error)
