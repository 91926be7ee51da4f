"""What a layer of napari is on the wire: its kind, its spec, the values of its properties."""

from __future__ import annotations

import numpy as np
from napari.layers import Layer

from napari_cuda import conversion
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import PropertyError
from napari_cuda.protocol.properties import LAYER_KINDS, layer_properties
from napari_cuda.protocol.wire_types import Wire


def kind_of(layer: Layer) -> str:
    """Return the wire name of a layer's type, also for subclasses of napari's seven."""
    for cls in type(layer).__mro__:
        if cls.__module__.startswith("napari.layers.") and cls.__name__.lower() in LAYER_KINDS:
            return cls.__name__.lower()
    raise PropertyError(f"layers of type {type(layer).__name__} cannot be mirrored")


def layer_values(layer: Layer) -> m.Values:
    """Return the values of all mirrored properties."""
    return {name: conversion.read(layer, row) for name, row in layer_properties(kind_of(layer)).items()}


def layer_spec(layer: Layer, layer_id: str) -> m.LayerSpec:
    """Return what a client needs to build the layer. Reading the extent of points touches them all."""
    kind = kind_of(layer)
    extent = np.asarray(layer.extent.data, dtype=float)
    data = getattr(layer, "data", None)
    multiscale = bool(getattr(layer, "multiscale", False))
    pixels = data[0] if multiscale and data is not None else data
    gridded = kind in ("image", "labels")
    return m.LayerSpec(
        layer=layer_id,
        kind=kind,
        ndim=layer.ndim,
        shape=[int(n) for n in pixels.shape] if gridded and pixels is not None else [],
        dtype=str(np.dtype(layer.dtype)) if gridded else "",
        extent=np.nan_to_num(extent).tolist(),
        rgb=bool(getattr(layer, "rgb", False)),
        level_shapes=[[int(n) for n in level.shape] for level in data] if multiscale and data is not None else [],
        source=str(layer.source.path or ""),
    )


def check_placement(layer: Layer, name: str, value: Wire) -> None:
    """Raise ValueError if `value` cannot place the layer: napari pads, crops, or cannot draw what does not fit it."""
    n = layer.ndim
    shapes = {
        "scale": (n,),
        "translate": (n,),
        "shear": (n * (n - 1) // 2,),
        "rotate": (n, n),
        "affine": (n + 1, n + 1),
    }
    if name not in shapes:
        return
    array = np.asarray(value, dtype=float)
    if array.shape != shapes[name]:
        raise ValueError(f"shape {shapes[name]} is needed for {n} dimensions, got {array.shape}")
    if array.ndim == 2 and np.linalg.matrix_rank(array) < len(array):
        raise ValueError("the matrix cannot be inverted: the layer would vanish")
