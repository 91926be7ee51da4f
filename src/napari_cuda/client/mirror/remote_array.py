"""RemoteArray: an array on the server, of which what is indexed comes here, and to which what is assigned goes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.mixins import NDArrayOperatorsMixin

from napari_cuda.feature_table import Features
from napari_cuda.protocol.layer_data import LayerData
from napari_cuda.protocol.region import Region, blocks, parse_index

Pixels = npt.NDArray[Any]

OF_NUMPY = frozenset(
    "all any argmax argmin argsort astype clip cumsum dot flatten max mean min nonzero prod ravel repeat reshape "
    "round squeeze std sum swapaxes take tobytes tolist transpose var view".split()
)
"""Methods of NumPy's arrays that are done here, with all of the data."""

SMALL_BYTES = 1 << 20
"""Of what is less it does not matter how it is cut."""


class Source(Protocol):
    """Where the data of layers is. Blocks whoever asks; any thread. Raises what the server raised."""

    def describe(self, layer: str) -> LayerData:
        """Return which arrays a layer's data is."""

    def read(self, layer: str, number: int, region: Region, dtype: np.dtype[Any]) -> tuple[Pixels, int]:
        """Return a region of one array, of bounded size, and the revision of the scene that it is of."""

    def write(self, layer: str, number: int, region: Region, values: Pixels) -> None:
        """Write values, of a region's shape or one for all of it, to a region of bounded size."""

    def replace(self, layer: str, arrays: Sequence[Any]) -> None:
        """Set the data of a layer anew, lazy arrays as they are computed."""

    def features(self, layer: str, known: str = "", rows: int | None = None) -> Features | None:
        """Return a layer's table of features, or its first `rows`; None if it is the one of the tag that is `known`."""

    def set_features(self, layer: str, table: pd.DataFrame, *, in_place: bool) -> None:
        """Set a layer's table of features, or only the columns that the table has, in their first rows."""


class RemoteArray(NDArrayOperatorsMixin):
    """One of the arrays that the data of a layer is. Any thread.

    Indexing with whole numbers, slices, `...` and None reads that region from the server, and nothing else does:
    a NumPy array comes, or a scalar. Assigning writes; `layer.refresh()` shows it. NumPy takes all of it.
    """

    def __init__(
        self, source: Source, layer: str, number: int, shape: Sequence[int], dtype: npt.DTypeLike, chunks: Any = None
    ) -> None:
        self._source = source
        self._layer = layer
        self._number = number
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self._chunks: tuple[int, ...] | None = None if chunks is None else tuple(chunks)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all of it, on the server."""
        return self.size * self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Sides of the chunks that it is stored or computed in; None if there are none. Asks the server once."""
        if self._chunks is None:
            arrays = self._source.describe(self._layer).arrays
            self._chunks = tuple(arrays[self._number].chunks) if self._number < len(arrays) else ()
        return self._chunks or None

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        return f"<RemoteArray {self.shape} {self.dtype} on the server>"

    def __getitem__(self, key: Any) -> Any:
        """Read a region. IndexError as in NumPy; what the server's array raises, with the server's traceback."""
        indexed = parse_index(key, self.shape)
        out = np.empty([axis.length for axis in indexed.region], self.dtype)
        for block, spans in blocks(indexed.region, self.dtype.itemsize, self._chunks_for(out.nbytes)):
            place = tuple(slice(*span) for span in spans)
            out[place] = self._source.read(self._layer, self._number, block, self.dtype)[0]
        selected = out[indexed.turned].reshape(indexed.shape)
        return selected[()] if indexed.scalar else selected

    def __setitem__(self, key: Any, value: npt.ArrayLike) -> None:
        """Write to a region. ValueError, OverflowError as in NumPy; TypeError if the server's array takes nothing."""
        indexed = parse_index(key, self.shape)
        values = np.empty(np.shape(value), self.dtype)
        values[...] = value
        sides = [axis.length for axis in indexed.region]
        fitted = np.broadcast_to(values, indexed.shape).reshape(sides)[indexed.turned]
        chunks = self._chunks_for(math.prod(sides) * self.itemsize)
        for block, spans in blocks(indexed.region, self.itemsize, chunks):
            # One value for all goes as one.
            part = values.reshape(()) if values.size == 1 else fitted[tuple(slice(*span) for span in spans)]
            self._source.write(self._layer, self._number, block, part)

    def _chunks_for(self, size_bytes: int) -> tuple[int, ...]:
        """Return the chunks if what is asked for comes in several blocks: only then they matter."""
        return (self.chunks or ()) if size_bytes > SMALL_BYTES else ()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Pixels:
        """Read all of it."""
        if copy is False:
            raise ValueError("an array on the server cannot be had without a copy")
        whole: Pixels = np.asarray(self[...])
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Do it here, with all of the data."""
        if any(isinstance(out, RemoteArray) for out in options.get("out", ())):
            return NotImplemented
        here = [np.asarray(one) if isinstance(one, RemoteArray) else one for one in inputs]
        return getattr(ufunc, method)(*here, **options)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("RemoteArray", self._layer, self._number, self.shape, self.dtype.str)

    def __getattr__(self, name: str) -> Any:
        if name in OF_NUMPY:
            # Read when it is called: many only look whether it is there.
            return lambda *args, **options: getattr(np.asarray(self), name)(*args, **options)
        raise AttributeError(f"an array on the server has no {name!r}: take what you need of it first, data[...]")


class RemoteLevels(tuple[RemoteArray, ...]):
    """The levels of an image or of labels, the finest first. Has the shape of that, as napari's own has."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the finest level."""
        return self[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of all levels."""
        return self[0].dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self[0].ndim

    @property
    def size(self) -> int:
        """Number of elements of the finest level."""
        return self[0].size


def elements(source: Source, layer: str) -> Any:
    """Return the data of a layer without pixels, as napari's layer of that kind has it.

    Of shapes a list of arrays, copied; else RemoteArrays. Asks the server.
    """
    told = source.describe(layer)
    arrays = [
        RemoteArray(source, layer, number, info.shape, info.dtype, info.chunks)
        for number, info in enumerate(told.arrays)
    ]
    if told.kind == "surface":
        return tuple(arrays)
    if told.kind != "shapes":
        return arrays[0]
    corners, counts = (np.asarray(array) for array in arrays)
    return np.split(corners, np.cumsum(counts)[:-1]) if len(counts) else []


def as_arrays(kind: str, data: Any, ndim: int) -> list[Pixels]:
    """Return what somebody sets as the data of a layer without pixels, as the arrays that it is on the server."""
    if kind == "surface":
        parts = [np.asarray(part) for part in data]
        return parts if len(parts) > 2 else [*parts, np.ones(len(parts[0]))]
    if kind != "shapes":
        return [np.asarray(data)]
    corners = [np.asarray(shape) for shape in data]
    joined = np.concatenate(corners) if corners else np.empty((0, ndim))
    return [joined, np.array([len(shape) for shape in corners], np.int64)]
