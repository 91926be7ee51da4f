"""Conversion between wire values and napari's objects, the same on both sides.

Wire types name their conversion (`WireType.kind`); this module is where napari's types are
known. Reading gives canonical wire values, so that equality on the wire is equality.
"""

from __future__ import annotations

import enum
from functools import reduce
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.utils.colormaps import Colormap, ensure_colormap
from napari.utils.colormaps.colormap_utils import ALL_COLORMAPS

from napari_cuda.protocol.packet import CameraPose
from napari_cuda.protocol.property import Property
from napari_cuda.protocol.wire_types import Wire


def read(root: object, row: Property) -> Wire:
    """Return the wire value of one property of a napari object (layer, dims, camera, viewer)."""
    return to_wire(row, reduce(getattr, row.attribute.split("."), root))


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


def to_wire(row: Property, native: Any) -> Wire:
    """Return the wire form of a value that napari gave."""
    if row.wire.kind == "colormap":
        return _colormap_to_wire(native)
    return _plain(native)


def to_native(row: Property, value: Wire) -> Any:
    """Return what napari's setter takes for a checked wire value."""
    if row.wire.kind == "colormap":
        return _colormap_to_native(value)
    return tuple(value) if isinstance(value, list) else value


def _plain(native: Any) -> Wire:
    if isinstance(native, enum.Enum):
        return str(native.value)
    if isinstance(native, np.generic):
        return native.item()
    if isinstance(native, np.ndarray):
        return native.tolist()
    if isinstance(native, (tuple, list)):
        return [_plain(entry) for entry in native]
    return native


def _colormap_to_wire(colormap: Colormap) -> Wire:
    # Not AVAILABLE_COLORMAPS: napari adds every named colormap that somebody sets, in this process only.
    known = ALL_COLORMAPS.get(colormap.name)
    if known is not None and known == colormap:
        return colormap.name
    return {
        "name": colormap.name,
        "colors": np.clip(colormap.colors, 0, 1).tolist(),
        "controls": np.clip(colormap.controls, 0, 1).tolist(),
        "interpolation": str(colormap.interpolation.value),
    }


def _colormap_to_native(value: Wire) -> Colormap:
    if isinstance(value, str):
        return ensure_colormap(value)
    return Colormap(**value)
