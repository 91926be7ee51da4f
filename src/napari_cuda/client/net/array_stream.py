"""ArrayStream: arrays as a file's bytes, piece by piece: no more of them is in memory than that."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from napari_cuda.protocol.region import Region, blocks, whole

SLAB_BYTES = 128 << 20
"""Computed at a time of what is lazy: enough for the chunks that lie beside each other."""


class ArrayStream:
    """Arrays in NumPy's format, one behind the other: numpy, dask, Zarr, whatever has shape and dtype and is indexed.

    Owner: the thread that sends them. Computes lazy ones as it goes, whole chunks along the first axis.
    """

    def __init__(self, arrays: Sequence[Any]) -> None:
        self._arrays = arrays
        self._heads = [_head(array) for array in arrays]
        self.size_bytes = sum(len(head) for head in self._heads) + sum(_size_bytes(array) for array in arrays)

    @property
    def itemsize(self) -> int:
        """Bytes of an element, of most of them: what packing goes by."""
        largest = max(self._arrays, key=_size_bytes, default=None)
        return 1 if largest is None else int(np.dtype(largest.dtype).itemsize)

    def pieces(self, size_bytes: int) -> Iterator[bytes]:
        """Yield all of it in pieces of `size_bytes`, the last one shorter. Raises what a lazy array raises."""
        waiting = bytearray()
        for part in self._parts():
            at = 0
            while at < len(part):
                took = min(size_bytes - len(waiting), len(part) - at)
                waiting += part[at : at + took]
                at += took
                if len(waiting) == size_bytes:
                    yield bytes(waiting)
                    waiting.clear()
        if waiting:
            yield bytes(waiting)

    def _parts(self) -> Iterator[bytes | memoryview]:
        for array, head in zip(self._arrays, self._heads, strict=True):
            yield head
            for pixels in _slabs(array):
                if pixels.size:
                    yield np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data


def _slabs(array: Any) -> Iterator[npt.NDArray[Any]]:
    """Yield an array in C order, in parts that follow each other in memory."""
    if isinstance(array, np.ndarray) and array.flags.c_contiguous:
        yield array
        return
    region: Region = whole(array.shape)
    dtype = np.dtype(array.dtype)
    for block, _ in blocks(region, dtype.itemsize, _first_chunks(array), SLAB_BYTES):
        yield np.asarray(array[tuple(axis.slice() for axis in block)], dtype)


def _first_chunks(array: Any) -> tuple[int, ...]:
    """Return the sides that a slab has at least: the first chunk's along the first axis, if the whole of that fits."""
    shape = tuple(int(side) for side in array.shape)
    sides = getattr(array, "chunks", None)
    if not sides or not shape:
        return ()
    first = sides[0] if isinstance(sides[0], (int, np.integer)) else max(sides[0])
    row = math.prod(shape[1:]) * np.dtype(array.dtype).itemsize
    return (int(first), *shape[1:]) if int(first) * row <= SLAB_BYTES else ()


def _head(array: Any) -> bytes:
    dtype = np.dtype(array.dtype)
    out = io.BytesIO()
    shape = tuple(int(side) for side in array.shape)
    npy.write_array_header_2_0(out, {"descr": dtype.str, "fortran_order": False, "shape": shape})
    return out.getvalue()


def _size_bytes(array: Any) -> int:
    return math.prod(int(side) for side in array.shape) * int(np.dtype(array.dtype).itemsize)
