"""Conversion between wire values and napari's objects, the same on both sides.

Wire types name their conversion (`WireType.kind`); this module is where napari's types are
known. Reading gives canonical wire values, so that equality on the wire is equality.
"""

from __future__ import annotations

import enum
import math
import string
from collections import defaultdict
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers.utils.color_encoding import ConstantColorEncoding
from napari.layers.utils.string_encoding import ConstantStringEncoding, FormatStringEncoding
from napari.utils.colormaps import Colormap, CyclicLabelColormap, DirectLabelColormap, ensure_colormap
from napari.utils.colormaps.colormap_utils import ALL_COLORMAPS
from napari.utils.colormaps.standardize_color import transform_color

from napari_cuda.protocol.packet import CameraPose, Direction
from napari_cuda.protocol.property import Property
from napari_cuda.protocol.wire_types import PerElement, Wire, WireType


def read(root: object, row: Property) -> Wire:
    """Return the wire value of one property of a napari object (layer, dims, camera, viewer)."""
    return to_wire(row, native(root, row))


def native(root: object, row: Property) -> Any:
    """Return what napari has for one property of its object."""
    return reduce(getattr, row.attribute.split("."), root)


def write(root: object, row: Property, value: Wire) -> None:
    """Set one property of a napari object from a checked wire value.

    Raises what napari raises (ValueError, TypeError, pydantic.ValidationError …) if it refuses.
    """
    *path, name = row.attribute.split(".")
    setattr(reduce(getattr, path, root), name, to_native(row, value))


def camera_pose(viewer: ViewerModel) -> CameraPose:
    """Return where the camera of a napari viewer is."""
    camera = viewer.scene.camera
    center = tuple(float(value) for value in camera.center)
    z, y, x = (0.0,) * (3 - len(center)) + center
    a, b, c = (float(angle) for angle in camera.angles)
    return CameraPose(
        center=(z, y, x),
        zoom=float(camera.zoom),
        angles=(a, b, c),
        perspective=float(camera.perspective),
        ndisplay=viewer.dims.ndisplay,
    )


def scene_size(viewer: ViewerModel) -> tuple[float, float]:
    """Return (height, width) in world units of what the layers fill; (1, 1) if nothing."""
    if not viewer.layers:
        return 1.0, 1.0
    # Of dims, not of the layers: those may have other dimensions while layers come and go.
    dims = viewer.dims
    ranges = [dims.range[axis] for axis in dims.displayed[-2:]]
    height, width = np.nan_to_num([found.stop - found.start + found.step for found in ranges], nan=1.0)
    return max(float(height), 1e-9), max(float(width), 1e-9)


def canvas_directions(viewer: ViewerModel) -> tuple[Direction, Direction]:
    """Return which directions of the world, in the order of a camera's centre, go right and down on the canvas."""
    camera = viewer.scene.camera
    if viewer.dims.ndisplay == 2:
        vertical, horizontal = (str(direction) for direction in camera.orientation2d)
        return (0.0, 0.0, 1.0 if horizontal == "right" else -1.0), (0.0, 1.0 if vertical == "down" else -1.0, 0.0)
    up = np.array(camera.up_direction)
    right = np.cross(camera.view_direction, up) * (1.0 if str(camera.handedness) == "right" else -1.0)
    return _direction(right), _direction(-up)


def _direction(vector: Any) -> Direction:
    z, y, x = (float(part) for part in vector)
    return z, y, x


def to_wire(row: Property, native: Any) -> Wire:
    """Return the wire form of a value that napari gave."""
    return _wire_of(row.wire, native)


def to_native(row: Property, value: Wire) -> Any:
    """Return what napari's setter takes for a checked wire value."""
    return _native_of(row.wire, value)


def _wire_of(wire: WireType, native: Any) -> Wire:
    convert = _TO_WIRE.get(wire.kind)
    return _plain(native) if convert is None else convert(wire, native)


def _native_of(wire: WireType, value: Wire) -> Any:
    if wire.kind in _TO_NATIVE:
        return _TO_NATIVE[wire.kind](wire, value)
    return tuple(value) if isinstance(value, list) else value


# --- plain values and lists -----------------------------------------------------------------


def _plain(native: Any) -> Wire:
    if isinstance(native, enum.Flag):
        return bool(native)
    if isinstance(native, enum.Enum):
        return str(native.value)
    if isinstance(native, np.generic):
        return native.item()
    if isinstance(native, np.ndarray):
        return native.tolist()
    if isinstance(native, (tuple, list)):
        return [_plain(entry) for entry in native]
    return native


def _matrix_of(_wire: WireType, native: Any) -> Wire:
    return _plain(getattr(native, "affine_matrix", native))


def _matrix_from(_wire: WireType, value: Wire) -> Any:
    return np.asarray(value, dtype=float)


def _sequence_of(wire: Any, native: Any) -> Wire:
    if hasattr(native, "columns"):  # a table of features: their names
        native = [str(name) for name in native.columns]
    elif isinstance(native, np.ndarray):
        native = np.atleast_1d(native)
    if wire.item.kind == "plain":
        items = _plain(native)
        # Units are objects of pint.
        return items if all(isinstance(item, (bool, int, float, str)) for item in items) else [str(i) for i in items]
    return [_wire_of(wire.item, item) for item in native]


def _sequence_from(wire: Any, value: Wire) -> Any:
    return tuple(_native_of(wire.item, item) for item in value)


def _record_of(wire: Any, native: Any) -> Wire:
    return {name: _wire_of(item, getattr(native, name)) for name, item in wire.fields}


def _record_from(wire: Any, value: Wire) -> Any:
    return {name: _native_of(item, value[name]) for name, item in wire.fields}


def _or_null_of(wire: Any, native: Any) -> Wire:
    return None if native is None else _wire_of(wire.item, native)


def _or_null_from(wire: Any, value: Wire) -> Any:
    return None if value is None else _native_of(wire.item, value)


def _feature_values_of(_wire: WireType, native: Any) -> Wire:
    values = {str(name): _plain(native[name].iloc[0]) for name in native.columns}
    return {name: _feature_value(value) for name, value in values.items()}


def _feature_value(value: Any) -> Wire:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (type(None), bool, int, float, str)) else str(value)


# --- what each element has ------------------------------------------------------------------


def _per_element_of(wire: Any, native: Any) -> Wire:
    """Return the value that all elements have; None if they differ or there are none."""
    scalar_ndim = 1 if wire.item.kind == "color" else 0
    if isinstance(native, str) or native is None:
        return native
    values = np.asarray(native)
    if values.ndim == scalar_ndim:
        return _wire_of(wire.item, native)
    if len(values) == 0 or not _all_equal(values):
        return None
    return _wire_of(wire.item, values[0])


def _per_element_from(wire: Any, value: Wire) -> Any:
    return value if value is None or isinstance(value, str) else _native_of(wire.item, value)


def _all_equal(values: np.ndarray[Any, Any]) -> bool:
    # Where elements differ the last most often differs from the first: a million need not be looked at.
    if not np.array_equal(values[0], values[-1]):
        return False
    if values.dtype == object:
        return bool(values.tolist().count(values[0]) == len(values))
    # Column by column: numpy compares rows of four at a third of the speed.
    return all(bool((column == column[0]).all()) for column in values.reshape(len(values), -1).T)


def _encoding_of(wire: Any, native: Any) -> Wire:
    """Return the one value or format of napari's text encodings; None if each element has its own."""
    if hasattr(native, "constant"):
        return _wire_of(wire.item, native.constant if wire.item.kind == "color" else str(native.constant))
    if wire.item.kind == "color":
        return None
    if hasattr(native, "format"):
        return str(native.format)
    return "{" + native.feature + "}" if hasattr(native, "feature") else None


def _encoding_from(wire: Any, value: Wire) -> Any:
    if wire.item.kind == "color":
        return ConstantColorEncoding(constant=value)
    has_fields = any(field is not None for _, field, _, _ in string.Formatter().parse(value))
    return FormatStringEncoding(format=value) if has_fields else ConstantStringEncoding(constant=value)


def uniform(row: Property, native: Any, features: list[str]) -> Wire:
    """Return the checked wire form of what a user wants all elements of a layer to have.

    `native` may be anything that napari takes for one element, or the name of one of `features`.
    Raises PropertyError if it is none, as for an array of a value for each element.
    """
    wire: Any = row.wire
    if (
        isinstance(wire, PerElement)
        and wire.item.kind == "color"
        and not (wire.column and _is_one_of(native, features))
    ):
        colors = transform_color(native)
        native = colors[0] if len(colors) == 1 else None
    return row.check(to_wire(row, native))


def _is_one_of(native: Any, names: list[str]) -> bool:
    return isinstance(native, str) and native in names


# --- colors ---------------------------------------------------------------------------------


_SIX_DECIMALS = 255 * 1e-6


def _color_of(_wire: WireType, native: Any) -> Wire:
    if isinstance(native, str):
        native = transform_color(native)[0]
    # Six decimals tell 32-bit floats apart, and make them the numbers that were set.
    return [round(min(max(float(component), 0.0), 1.0), 6) for component in np.asarray(native).reshape(-1)]


def _color_from(_wire: WireType, value: Wire) -> Any:
    if value is None:
        return None
    levels = np.asarray(value) * 255
    # napari keeps some colours in eight bits and rounds down: six decimals must not become the level below.
    eight_bits = abs(levels - levels.round()) < _SIX_DECIMALS
    return np.where(eight_bits, levels.round() / 255, value).astype(np.float32)


def _colormap_of(_wire: WireType, colormap: Colormap) -> Wire:
    # Not AVAILABLE_COLORMAPS: napari adds every named colormap that somebody sets, in this process only.
    known = ALL_COLORMAPS.get(colormap.name)
    if known is not None and known == colormap:
        return colormap.name
    return {
        "name": colormap.name,
        "colors": [_color_of(_wire, color) for color in colormap.colors],
        "controls": np.clip(colormap.controls, 0, 1).tolist(),
        "interpolation": str(colormap.interpolation.value),
    }


def _colormap_from(_wire: WireType, value: Wire) -> Colormap:
    if isinstance(value, str):
        return ensure_colormap(value)
    return Colormap(**value)


def _label_colormap_of(wire: WireType, colormap: Any) -> Wire:
    if isinstance(colormap, DirectLabelColormap):
        colors = {str(label): color for label, color in colormap.color_dict.items() if label is not None}
        direct = {label: _color_of(wire, color) for label, color in colors.items()}
        default = _color_of(wire, colormap.default_color)
        return {"direct": direct | {"default": default}, "background": int(colormap.background_value)}
    return {
        "colors": [_color_of(wire, color) for color in colormap.colors],
        "background": int(colormap.background_value),
    }


def _label_colormap_from(_wire: WireType, value: Wire) -> Any:
    if "colors" in value:
        return CyclicLabelColormap(colors=value["colors"], background_value=value["background"])
    colors = {None if label == "default" else int(label): color for label, color in value["direct"].items()}
    return DirectLabelColormap(color_dict=defaultdict(None, colors), background_value=value["background"])


_TO_WIRE: dict[str, Callable[[Any, Any], Wire]] = {
    "sequence": _sequence_of,
    "records": _sequence_of,
    "matrix": _matrix_of,
    "record": _record_of,
    "or_null": _or_null_of,
    "feature_values": _feature_values_of,
    "per_element": _per_element_of,
    "encoding": _encoding_of,
    "color": _color_of,
    "colormap": _colormap_of,
    "label_colormap": _label_colormap_of,
}
_TO_NATIVE: dict[str, Callable[[Any, Any], Any]] = {
    "sequence": _sequence_from,
    "records": _sequence_from,
    "matrix": _matrix_from,
    "record": _record_from,
    "or_null": _or_null_from,
    "per_element": _per_element_from,
    "encoding": _encoding_from,
    "color": _color_from,
    "colormap": _colormap_from,
    "label_colormap": _label_colormap_from,
}
