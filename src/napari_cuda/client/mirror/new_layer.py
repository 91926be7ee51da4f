"""A layer that the user made at the client, as the command that makes it on the server."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from napari.layers import Layer, Shapes

from napari_cuda.element_values import element_values
from napari_cuda.layer_state import layer_spec, layer_values
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.commands import ArrayData, CreateLayer
from napari_cuda.protocol.errors import CommandError

MOST_BYTES = 600_000
"""Of data that go with a command; base64 makes 800 kB of them, and a message may have 1 MiB."""


class TooLarge(CommandError):
    """A command cannot carry the layer's data: it is sent beside it."""


def creation(layer: Layer, index: int) -> CreateLayer:
    """Return what makes this layer at `index` of the server's list; TooLarge if a command cannot carry it."""
    state = m.LayerState(layer_spec(layer, f"new-{secrets.token_hex(8)}"), layer_values(layer))
    elements = element_values(layer)
    arrays = [*_arrays(layer, state.spec), *elements.values()]
    size = sum(array.nbytes for array in arrays)
    if size > MOST_BYTES:
        raise TooLarge(f"its {size / 1e6:.1f} MB are too much for a message")
    packed = [ArrayData(array.dtype.str, list(array.shape), array.tobytes()) for array in arrays]
    return CreateLayer(state, index, packed, _shape_types(layer), list(elements))


def without_data(layer: Layer, index: int) -> tuple[CreateLayer, list[Any]]:
    """Return what makes this layer at `index`, and the arrays to be sent beside it; CommandError if it cannot be."""
    state = m.LayerState(layer_spec(layer, f"new-{secrets.token_hex(8)}"), layer_values(layer))
    data: Any = layer.data
    arrays = list(data) if state.spec.kind in ("shapes", "surface") or state.spec.level_shapes else [data]
    elements = element_values(layer)
    created = CreateLayer(state, index, shape_types=_shape_types(layer), elements=list(elements))
    return created, [*arrays, *elements.values()]


def _shape_types(layer: Layer) -> list[str]:
    return list(layer.shape_type) if isinstance(layer, Shapes) else []


def _arrays(layer: Layer, spec: m.LayerSpec) -> list[Any]:
    data: Any = layer.data
    if spec.level_shapes:
        raise TooLarge("it has several levels")
    parts = list(data) if spec.kind in ("shapes", "surface") else [data]
    if spec.kind in ("points", "vectors") and not len(data):
        return []
    size = sum(int(np.prod(part.shape)) * part.dtype.itemsize for part in parts)
    # Lazy arrays are not computed to find that they are too large.
    return [np.asarray(part) for part in parts] if size <= MOST_BYTES else parts
