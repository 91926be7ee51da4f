"""What a layer of napari is on the wire: its kind, its spec, the values of its properties."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer, Points, Surface

from napari_cuda import conversion
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import PropertyError
from napari_cuda.protocol.properties import LAYER_KINDS, layer_properties
from napari_cuda.protocol.wire_types import Wire

FARTHEST = 1e12
"""World coordinates beyond it are mistakes: cameras square them in float32, and fail for all layers."""

LARGE_BYTES = 64_000_000
"""What has more pixels than this is not read in full while viewers wait for a picture."""


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
        # What is empty is nowhere: at the origin it would be a part of the scene.
        extent=[] if np.isnan(extent).all() else np.nan_to_num(extent).tolist(),
        margin=margin_of(layer),
        rgb=bool(getattr(layer, "rgb", False)),
        level_shapes=[[int(n) for n in level.shape] for level in data] if multiscale and data is not None else [],
        source=str(layer.source.path or ""),
    )


def margin_of(layer: Layer) -> float:
    """Return how far beyond its data a layer is drawn, in data coordinates."""
    return float(np.max(layer.size, initial=0)) / 2 if isinstance(layer, Points) else 0.0


def size_bytes(layer: Layer) -> int:
    """Return the size of a layer's pixels in full, read or not; 0 for one that has none."""
    data: Any = layer.data
    return int(getattr(data[0] if getattr(layer, "multiscale", False) else data, "nbytes", 0))


def check_drawable(layer: Layer) -> None:
    """Raise ValueError if drawing the layer would do harm to the scene around it."""
    extent = np.asarray(layer.extent.world, dtype=float)
    if np.abs(extent[~np.isnan(extent)]).max(initial=0) > FARTHEST:
        raise ValueError(f"layer {layer.name!r} reaches farther than {FARTHEST:g}: no camera could show it")
    if isinstance(layer, Surface):
        faces = np.asarray(layer.faces)
        # The GL driver reads what they point to, unchecked.
        fit = faces.dtype.kind in "iu" and (faces.size == 0 or 0 <= faces.min() <= faces.max() < len(layer.vertices))
        if not fit:
            raise ValueError(f"the faces of {layer.name!r} are no indices of its {len(layer.vertices)} vertices")


def check_placement(layer: Layer, name: str, value: Wire) -> None:
    """Raise ValueError if `value` cannot place the layer: napari pads, crops, or cannot draw what does not fit it."""
    n = layer.ndim
    if name == "text.translation" and np.size(value) not in (1, n):
        raise ValueError(f"1 or {n} numbers are needed for {n} dimensions, got {np.size(value)}")
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
    if np.abs(array).max(initial=0) > FARTHEST:
        raise ValueError(f"numbers beyond {FARTHEST:g} place a layer where nothing can be drawn")
    if array.ndim == 2 and np.linalg.matrix_rank(array) < len(array):
        raise ValueError("the matrix cannot be inverted: the layer would vanish")
