"""Where a reader plugin gave plain views of arrays in a store, read these ourselves: through the cache of chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import zarr
from napari.components import ViewerModel
from napari.layers import Layer

from napari_cuda.server.data.chunked_array import ChunkedArray, Level
from napari_cuda.server.data.chunks import Chunks


class CachingViewer(ViewerModel):
    """A viewer that takes what reader plugins give, read through a cache. Owner: the thread that reads."""

    def __init__(self, chunks: Chunks) -> None:
        super().__init__()
        self._chunks = chunks

    def add_image(self, data: Any = None, **options: Any) -> Layer | list[Layer]:
        """Add what a reader gave."""
        return super().add_image(chunked(data, self._chunks), **options)

    def add_labels(self, data: Any, **options: Any) -> Layer:
        """Add what a reader gave. Labels of one level stay what they are: they can be painted."""
        several = isinstance(data, Sequence) and len(data) > 1
        return super().add_labels(chunked(data, self._chunks) if several else data, **options)


def chunked(data: Any, chunks: Chunks) -> Any:
    """Return a reader's data as ChunkedArrays if all levels of it are plain arrays of a store, else as it is.

    The coarsest of several levels is read at once, if it is small: raises what the store raises.
    """
    given = data if isinstance(data, (list, tuple)) else [data]
    arrays = [_plain(level) for level in given]
    if not arrays or not all(isinstance(array, zarr.Array) and _numeric(array) for array in arrays):
        return data
    coarser: Level | None = None
    levels: list[ChunkedArray] = []
    for array in reversed(arrays):
        coarser = Level(array, chunks, coarser)
        if not levels and len(arrays) > 1:
            coarser.hold()
        levels.append(ChunkedArray(coarser))
    levels.reverse()
    return levels if isinstance(data, (list, tuple)) else levels[0]


def _plain(data: Any) -> Any:
    """Return the array that a dask array is a mere view of, if it is one."""
    if isinstance(data, zarr.Array):
        return data
    if not isinstance(data, da.Array):
        return None
    layers = data.dask.layers
    if len(layers) != 2:
        return None
    for layer in layers.values():
        nodes = list(layer.values()) if len(layer) == 1 else []
        array = nodes[0] if nodes else None
        array = getattr(array, "value", array)
        if isinstance(array, zarr.Array) and (array.shape, array.dtype) == (data.shape, data.dtype):
            return array
    return None


def _numeric(array: Any) -> bool:
    return array.ndim >= 2 and array.dtype.kind in "biuf"
