"""Regions of a layer's data: which arrays it is, what of them is read or written, and where that may take long."""

from __future__ import annotations

import math
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import zarr
from napari.layers import Layer

from napari_cuda.layer_state import kind_of
from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.layer_data import ArrayInfo
from napari_cuda.protocol.region import MOST_BYTES, Region, counts
from napari_cuda.server.data.chunked_array import ChunkedArray

GRIDDED = ("image", "labels")
"""Kinds whose data are pixels; those of the others are small, and napari must be told of each change."""

MOST_READ_BYTES = 64 << 20
"""Read at once of an array that knows no steps, to take every second place of it, say."""

Pixels = npt.NDArray[Any]


def arrays_of(layer: Layer) -> list[Any]:
    """Return the arrays that a layer's data is, as `LayerData` has them. Owner: render thread; reads no pixels."""
    data: Any = layer.data
    kind = kind_of(layer)
    if kind in GRIDDED:
        return list(data) if getattr(layer, "multiscale", False) else [data]
    if kind == "surface":
        return [np.asarray(part) for part in data]
    if kind == "shapes":
        corners = [np.asarray(shape) for shape in data]
        joined = np.concatenate(corners) if corners else np.empty((0, layer.ndim))
        return [joined, np.array([len(shape) for shape in corners], np.int64)]
    return [np.asarray(data)]


def from_arrays(kind: str, arrays: list[Pixels]) -> Any:
    """Return what arrays like those of `arrays_of` are as the data of a layer that has no pixels."""
    if kind == "shapes":
        if (arrays[1] < 1).any() or arrays[1].sum() != len(arrays[0]):
            raise ValueError(f"{len(arrays[0])} corners are not those of shapes that have {arrays[1].tolist()[:10]} …")
        return np.split(arrays[0], np.cumsum(arrays[1])[:-1]) if len(arrays[1]) else []
    return tuple(arrays) if kind == "surface" else arrays[0]


def info_of(array: Any, kind: str) -> ArrayInfo:
    """Return what a client is told of one of the arrays."""
    dtype = np.dtype(array.dtype)
    shape = [int(side) for side in array.shape]
    return ArrayInfo(shape, dtype.str, chunk_sides(array), why_fixed(array) if kind in GRIDDED else "")


def chunk_sides(array: Any) -> list[int]:
    """Return the sides of an array's chunks; none if it has none that are alike."""
    sides = array.chunksize if isinstance(array, da.Array) else getattr(array, "chunks", ())
    whole = isinstance(sides, (tuple, list)) and all(isinstance(side, (int, np.integer)) for side in sides)
    return [int(side) for side in sides] if whole and len(sides) == len(array.shape) else []


def why_fixed(array: Any) -> str:
    """Return why nothing can be written to an array of pixels; "" if something can."""
    if isinstance(array, np.ndarray):
        return "" if array.flags.writeable else "its array on the server is read-only"
    if isinstance(array, zarr.Array):
        return "it was opened on the server for reading only" if array.read_only else ""
    if isinstance(array, ChunkedArray):
        return "it is read from a store on the server, through a cache"
    name = "a dask array" if isinstance(array, da.Array) else f"a {type(array).__name__}"
    return f"it is {name} on the server, which is computed when it is looked at"


def is_at_hand(array: Any) -> bool:
    """Return whether a region of the array is there at once: it is in memory, and may change between two pictures."""
    return isinstance(array, np.ndarray) and not isinstance(array, np.memmap)


def check_size(array: Any, region: Region) -> None:
    """Raise DataError if a region is more than one answer may have, or of what cannot travel."""
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "biufc":
        raise DataError(f"data of dtype {dtype} cannot be read from here")
    size_bytes = math.prod(counts(region)) * dtype.itemsize
    if size_bytes > max(MOST_BYTES, dtype.itemsize):
        raise DataError(f"{size_bytes} bytes are too much for one request: ask for {MOST_BYTES} at most")


def take(array: Any, region: Region) -> Pixels:
    """Return a copy of a region, computed or read now. Raises whatever the array raises."""
    if isinstance(array, (np.ndarray, da.Array)):
        return np.array(array[tuple(axis.slice() for axis in region)], order="C")
    out = np.empty(counts(region), array.dtype)
    _fill(out, array, region)
    return out


def _fill(out: Pixels, array: Any, region: Region) -> None:
    """Read a region of what may know no steps: windows of bounded size, and of these the places that are wanted."""
    if not out.size:
        return
    window = math.prod(axis.last + 1 - axis.start for axis in region) * out.itemsize
    if window <= MOST_READ_BYTES or out.size == 1:
        read = np.asarray(array[tuple(slice(axis.start, axis.last + 1) for axis in region)])
        out[...] = read[tuple(slice(None, None, axis.step) for axis in region)]
        return
    longest = int(np.argmax([axis.last + 1 - axis.start if axis.length > 1 else 0 for axis in region]))
    middle = region[longest].length // 2
    for begin, end in ((0, middle), (middle, region[longest].length)):
        part = tuple(axis.part(begin, end) if number == longest else axis for number, axis in enumerate(region))
        _fill(out[(slice(None),) * longest + (slice(begin, end),)], array, part)


def put(array: Any, region: Region, values: Pixels) -> None:
    """Write to a region of an array of pixels; TypeError that says why if it takes nothing."""
    if why := why_fixed(array):
        raise TypeError(f"this layer's data cannot be changed in place: {why}")
    array[tuple(axis.slice() for axis in region)] = values
