"""What each element of a layer has for itself, as arrays beside the data: sizes, colours, texts, features.

The property table says what all elements have; where they differ a layer that is sent needs these as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Surface, Tracks

from napari_cuda.layer_state import kind_of
from napari_cuda.protocol.errors import CommandError
from napari_cuda.protocol.properties import layer_properties
from napari_cuda.protocol.property import Property
from napari_cuda.protocol.wire_types import Bool, Choice, Number

Array = npt.NDArray[Any]

FEATURE = "feature:"
"""Before the name of a column."""

GRAPH = "graph"
"""Of tracks: rows of a track and one that it came from."""

VERTEX_COLORS = "vertex_colors"


def element_values(layer: Any) -> dict[str, Array]:
    """Return what the elements of a layer differ in, by name; CommandError in one line for what no array can hold."""
    found: dict[str, Array] = {}
    for name in getattr(layer, "features", ()):
        if not (isinstance(layer, Tracks) and name == "track_id"):  # that one napari makes of the data
            found[f"{FEATURE}{name}"] = _column(name, np.asarray(layer.features[name]))
    for row in layer_properties(kind_of(layer)).values():
        values = _values(layer, row)
        if values is not None:
            found[row.name] = values
    if isinstance(layer, Tracks) and layer.graph:
        edges = [(track, parent) for track, parents in layer.graph.items() for parent in parents]
        found[GRAPH] = np.array(edges, np.int64).reshape(-1, 2)
    if isinstance(layer, Surface) and layer.vertex_colors is not None:
        found[VERTEX_COLORS] = np.asarray(layer.vertex_colors)
    return found


def set_features(layer: Any, values: Mapping[str, Array]) -> None:
    """Give a layer its features: before anything that may name one."""
    features = {name.removeprefix(FEATURE): column for name, column in values.items() if name.startswith(FEATURE)}
    if not features:
        return
    if not hasattr(layer, "features"):
        raise CommandError(f"a {kind_of(layer)} layer has no features")
    if isinstance(layer, Tracks):
        features["track_id"] = np.asarray(layer.features["track_id"])
    if any(column.ndim != 1 for column in features.values()):
        raise CommandError("a feature has one value for each element")
    layer.features = features


def set_element_values(layer: Any, values: Mapping[str, Array]) -> None:
    """Give the elements of a layer what they have for themselves; CommandError for what napari could not draw."""
    rows = layer_properties(kind_of(layer))
    for name, array in values.items():
        if name.startswith(FEATURE):
            continue
        if name == GRAPH and isinstance(layer, Tracks):
            _set_graph(layer, array)
        elif name == VERTEX_COLORS and isinstance(layer, Surface):
            _check(array.ndim == 2 and array.shape[1] in (3, 4) and _within(array, 0, 1), name)
            layer.vertex_colors = array
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


def _column(name: object, column: Array) -> Array:
    if column.dtype.kind in "biufU":
        return column
    if all(isinstance(value, str) for value in column):
        return column.astype(str)
    raise CommandError(f"its feature {str(name)[:64]!r} has values other than numbers and strings")


def _set_graph(layer: Tracks, edges: Array) -> None:
    _check(edges.ndim == 2 and edges.shape[1] == 2 and edges.dtype.kind in "iu", GRAPH)
    graph: dict[int, list[int]] = {}
    for track, parent in edges.tolist():
        graph.setdefault(track, []).append(parent)
    layer.graph = graph


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
