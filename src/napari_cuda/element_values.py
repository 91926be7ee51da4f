"""What each element of a layer has for itself, as arrays beside the data: sizes, colours, texts, features.

The property table says what all elements have; where they differ a layer that is sent needs these as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Labels, Surface, Tracks

from napari_cuda.feature_columns import from_arrays, is_of_column, to_arrays
from napari_cuda.layer_state import kind_of
from napari_cuda.protocol.errors import CommandError
from napari_cuda.protocol.properties import layer_properties
from napari_cuda.protocol.property import Property
from napari_cuda.protocol.wire_types import Bool, Choice, Number

Array = npt.NDArray[Any]

GRAPH = "graph"
"""Of tracks: rows of a track and one that it came from."""

MESH_PARTS = ("vertex_colors", "texcoords", "texture")
"""What a surface has besides vertices, faces and values, in the order in which it is set."""

_TEXELS = (np.uint8, np.uint16, np.float32, np.float64)
_LARGEST_TEXTURE = 16_384
"""Pixels of a side: what OpenGL takes (Mesa's bound, and most cards')."""


def element_values(layer: Any) -> dict[str, Array]:
    """Return what the elements of a layer differ in, by name; CommandError in one line for what no array can hold."""
    found: dict[str, Array] = {}
    for name in getattr(layer, "features", ()):
        if not (isinstance(layer, Tracks) and name == "track_id"):  # that one napari makes of the data
            found |= to_arrays(name, layer.features[name])
    for row in layer_properties(kind_of(layer)).values():
        values = _values(layer, row)
        if values is not None:
            found[row.name] = values
    if isinstance(layer, Tracks) and layer.graph:
        edges = [(track, parent) for track, parents in layer.graph.items() for parent in parents]
        found[GRAPH] = np.array(edges, np.int64).reshape(-1, 2)
    if isinstance(layer, Surface):
        parts = {name: getattr(layer, name) for name in MESH_PARTS}
        found |= {name: np.asarray(part) for name, part in parts.items() if part is not None}
    return found


def set_features(layer: Any, values: Mapping[str, Array]) -> None:
    """Give a layer its features: before anything that may name one."""
    features = from_arrays(values)
    if not features:
        return
    if not hasattr(layer, "features"):
        raise CommandError(f"a {kind_of(layer)} layer has no features")
    if isinstance(layer, Tracks):
        features["track_id"] = layer.features["track_id"]
    # napari would fill up what is missing; labels alone have as many as there are.
    expected = {len(column) for column in features.values()} if isinstance(layer, Labels) else {len(layer.features)}
    if len(expected) != 1 or any({len(column)} != expected for column in features.values()):
        raise CommandError("a feature has one value for each element")
    # A table, and no dict: napari makes plain arrays of what is in one.
    layer.features = pd.DataFrame(features)


def set_element_values(layer: Any, values: Mapping[str, Array]) -> None:
    """Give the elements of a layer what they have for themselves; CommandError for what napari could not draw."""
    rows = layer_properties(kind_of(layer))
    for name, array in values.items():
        if is_of_column(name):
            continue
        if name == GRAPH and isinstance(layer, Tracks):
            _set_graph(layer, array)
        elif name in MESH_PARTS and isinstance(layer, Surface):
            _check(_fits_mesh(name, array, len(layer.vertices)), name)
            setattr(layer, name, array)
        elif name in rows and _is_of_elements(rows[name]):
            _check(len(array) == len(layer.data) and _fits(rows[name], array), name)
            *path, attribute = rows[name].attribute.split(".")
            # A list, or shapes take it as one value for all.
            setattr(reduce(getattr, path, layer), attribute, array.tolist() if array.ndim == 1 else array)
        else:
            raise CommandError(f"the elements of a {kind_of(layer)} layer have no {name[:64]!r} of their own")


def _is_of_elements(row: Property) -> bool:
    return row.held or row.wire.kind == "encoding"


def _values(layer: Any, row: Property) -> Array | None:
    """Return what of a row the elements have for themselves; None if it is one value, or made of features."""
    if not _is_of_elements(row) or not len(layer.data):
        return None
    native: Any = reduce(getattr, row.attribute.split("."), layer)
    if row.held:
        values = np.asarray(native)
        differ = values.ndim > 0 and len(values) > 0 and bool((values != values[0]).any())
        return (values.astype(str) if values.dtype == object else values) if differ else None
    by_hand = getattr(native, "array", None)  # every other encoding follows from features
    return None if by_hand is None else np.asarray(by_hand)


def _set_graph(layer: Tracks, edges: Array) -> None:
    _check(edges.ndim == 2 and edges.shape[1] == 2 and edges.dtype.kind in "iu", GRAPH)
    graph: dict[int, list[int]] = {}
    for track, parent in edges.tolist():
        graph.setdefault(track, []).append(parent)
    layer.graph = graph


def _fits_mesh(name: str, array: Array, vertices: int) -> bool:
    if name == "vertex_colors":
        return array.ndim == 2 and array.shape[1] in (3, 4) and _within(array, 0, 1)
    if name == "texcoords":
        return array.shape == (vertices, 2) and array.dtype.kind in "biuf"
    channels = array.shape[2:] or (3,)
    drawable = array.dtype in _TEXELS and array.ndim in (2, 3) and channels[0] in (3, 4)
    return drawable and all(0 < side <= _LARGEST_TEXTURE for side in array.shape[:2])


def _fits(row: Property, array: Array) -> bool:
    wire: Any = row.wire
    item = wire.item
    if item.kind == "color":
        return array.ndim == 2 and array.shape[1] == 4 and _within(array, 0, 1)
    if array.ndim != 1:
        return False
    if isinstance(item, Choice):
        return set(np.unique(array).tolist()) <= set(item.options)
    if isinstance(item, Bool):
        return array.dtype.kind == "b"
    if isinstance(item, Number):
        return _within(array, item.low, item.high)
    return array.dtype.kind == "U"


def _within(array: Array, low: float, high: float) -> bool:
    # NaN is not within either.
    return array.dtype.kind in "biuf" and bool(((array >= low) & (array <= high)).all())


def _check(fits: bool, name: str) -> None:
    if not fits:
        raise CommandError(f"{name} needs one value that can be drawn for each element")
