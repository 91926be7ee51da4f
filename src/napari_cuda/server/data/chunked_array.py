"""ChunkedArray: what napari slices of an array in a store, through the cache; coarse where it is not here yet."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_cuda.server.data.chunks import ChunkKey, Chunks, Pixels
from napari_cuda.server.data.look_ahead import Grid, LookAhead

if TYPE_CHECKING:
    import zarr

HELD_BYTES = 16_000_000
"""A coarsest level of up to this size is held for good: whatever else is not here yet is shown from it."""

PATIENCE_S = 0.03
"""A slice waits so long for chunks: what is near comes within it, and is shown at once as it is."""

COARSEST_S = 60.0
"""A slice waits so long for the coarsest level, for which nothing else can stand in."""

LARGEST_SHARE = 0.5
"""Of the cache, for one slice; a larger one is read past it."""

AHEAD_TIMES = 3
"""So many times what is seen is read ahead."""

Window = tuple[tuple[int, int], ...]
"""(start, stop) of each axis of a source."""


class Level:
    """One array of a pyramid, in a store. Any thread; compared by identity."""

    def __init__(self, array: zarr.Array[Any], chunks: Chunks, coarser: Level | None = None) -> None:
        self.array = array
        self.chunks = chunks
        self.coarser = coarser
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype = np.dtype(array.dtype)
        self.chunk_shape: tuple[int, ...] = tuple(array.chunks)
        self.chunk_bytes = self.dtype.itemsize * math.prod(self.chunk_shape)
        self._whole: Pixels | None = None

    def hold(self) -> None:
        """Read all of it now, if it is small. Blocks; raises what the store raises."""
        if self.dtype.itemsize * math.prod(self.shape) <= HELD_BYTES:
            self._whole = self.region(tuple((0, side) for side in self.shape))

    def read(self, index: tuple[int, ...]) -> Pixels:
        """Return a chunk, without what reaches beyond the array."""
        return self.region(self._extent(index))

    def region(self, window: Window) -> Pixels:
        """Return a window, read from the store now unless all of the level is held."""
        if self._whole is not None:
            return self._whole[tuple(slice(*side) for side in window)]
        return np.asarray(self.array[tuple(slice(*side) for side in window)])

    def keys(self, window: Window) -> list[ChunkKey]:
        """Return the chunks of a window; none if all of the level is held."""
        if self._whole is not None:
            return []
        ranges = [
            range(start // side, -(-stop // side)) for (start, stop), side in zip(window, self.chunk_shape, strict=True)
        ]
        return [(self, index) for index in product(*ranges)]

    def grid(self, window: Window) -> Grid:
        """Return the window in chunks."""
        zipped = zip(window, self.chunk_shape, self.shape, strict=True)
        return tuple((start // side, -(-stop // side), -(-end // side)) for (start, stop), side, end in zipped)

    def here(self, window: Window) -> Pixels | None:
        """Return a window if all of it is here."""
        if self._whole is not None:
            return self._whole[tuple(slice(*side) for side in window)]
        out = np.empty([stop - start for start, stop in window], self.dtype)
        for key in self.keys(window):
            chunk = self.chunks.get(key)
            if chunk is None:
                return None
            self._put(out, window, key[1], chunk)
        return out

    def best(self, window: Window, keys: Sequence[ChunkKey]) -> tuple[Pixels, list[ChunkKey]]:
        """Return a window as good as it is here, and what is missing of its chunks `keys`."""
        if not keys:
            whole = self.here(window)
            assert whole is not None  # it has no chunks only if it is held
            return whole, []
        out = np.empty([stop - start for start, stop in window], self.dtype)
        missing = []
        for key in keys:
            chunk = self.chunks.get(key)
            if chunk is None:
                missing.append(key)
                chunk = self._stand_in(self._extent(key[1]))
            self._put(out, window, key[1], chunk)
        return out, missing

    def _stand_in(self, window: Window) -> Pixels:
        """Return a window as the next coarser level shows it of which it is here."""
        coarse = self.coarser
        while coarse is not None:
            scaled = [
                np.minimum((2 * np.arange(*side) + 1) * there // (2 * here), there - 1)
                for side, here, there in zip(window, self.shape, coarse.shape, strict=True)
            ]
            found = coarse.here(tuple((int(rows[0]), int(rows[-1]) + 1) for rows in scaled))
            if found is not None:
                for axis, rows in enumerate(scaled):
                    found = found.take(rows - rows[0], axis)
                return found
            coarse = coarse.coarser
        return np.full([stop - start for start, stop in window], self.array.fill_value or 0, self.dtype)

    def _extent(self, index: tuple[int, ...]) -> Window:
        zipped = zip(index, self.chunk_shape, self.shape, strict=True)
        return tuple((number * side, min((number + 1) * side, end)) for number, side, end in zipped)

    def _put(self, out: Pixels, window: Window, index: tuple[int, ...], chunk: Pixels) -> None:
        target, source = [], []
        for (start, stop), (begin, end) in zip(window, self._extent(index), strict=True):
            low, high = max(start, begin), min(stop, end)
            target.append(slice(low - start, high - start))
            source.append(slice(low - begin, high - begin))
        out[tuple(target)] = chunk[tuple(source)]


class Slicing:
    """One layer's slices: what they show may be coarse, what is missing is on its way. Owner: slicer thread."""

    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks
        self._look_ahead = LookAhead()
        self._wanted: list[ChunkKey] = []
        self._seen: tuple[Level, Window] | None = None
        self._in_vain: tuple[Level, Window] | None = None
        """What was shown with chunks missing that all came since: they must be here now."""
        self.missing: tuple[ChunkKey, ...] = ()
        """What the last slice lacked."""

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Let the ChunkedArrays that are read on this thread be read for a slice of the layer."""
        if threading.current_thread() is threading.main_thread():
            # napari slices here only what must be whole at once.
            yield
            return
        self._in_vain = self._seen if self.missing and not self.chunks.pending(self.missing) else None
        self._wanted, self._seen, self.missing = [], None, ()
        token = _slicing.set(self)
        try:
            yield
        finally:
            _slicing.reset(token)
        seen: tuple[Level, Window] | None = self._seen
        if seen is not None:
            self.chunks.ahead(self, self._next(*seen))

    def give_up(self) -> None:
        """Nobody waits for what is missing any more."""
        self.chunks.show(self, ())

    def close(self) -> None:
        """The layer is gone."""
        self.chunks.forget(self)

    def read(self, level: Level, window: Window) -> Pixels:
        """Return a window, as good as it is here within PATIENCE_S."""
        keys = level.keys(window)
        if len(keys) * level.chunk_bytes > LARGEST_SHARE * self.chunks.budget_bytes:
            return level.region(window)
        # The first is what is seen, others are for the thumbnail.
        self._seen = self._seen or (level, window)
        if keys:
            self._wanted += keys
            self.chunks.show(self, self._wanted)
            self.chunks.wait(keys, PATIENCE_S if level.coarser is not None else COARSEST_S)
        pixels, missing = level.best(window, keys)
        if missing and (level.coarser is None or self._in_vain == (level, window)):
            # Nothing can stand in for it; or it went again: the cache is too small for all layers.
            pixels, missing = level.region(window), []
        self.missing += tuple(missing)
        return pixels

    def _next(self, level: Level, window: Window) -> list[ChunkKey]:
        most = min(self.chunks.ahead_bytes // level.chunk_bytes, AHEAD_TIMES * max(1, len(level.keys(window))))
        return [(level, index) for index in self._look_ahead.look(level, level.grid(window), most)]


_slicing: ContextVar[Slicing | None] = ContextVar("slicing", default=None)


class ChunkedArray:
    """An array in a store, sliced lazily: `array[...]` with whole numbers and slices without steps reads nothing.

    numpy reads it: in full and from the store, except within a layer's `Slicing`. Any thread. Has what napari asks
    of data: shape, dtype, ndim, size, nbytes and chunks, the size of a chunk along each axis.
    """

    def __init__(self, level: Level, window: Window | None = None, dropped: frozenset[int] = frozenset()) -> None:
        self.level = level
        self._window = window if window is not None else tuple((0, side) for side in level.shape)
        self._axes = [axis for axis in range(len(level.shape)) if axis not in dropped]
        self.dtype = level.dtype
        self.shape = tuple(self._window[axis][1] - self._window[axis][0] for axis in self._axes)
        self.chunks = tuple(level.chunk_shape[axis] for axis in self._axes)

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
        """Bytes of all of it, read or not."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<ChunkedArray {self.shape} {self.dtype} of {self.level.array.store_path}>"

    def __getitem__(self, key: Any) -> ChunkedArray | Any:
        """Return a part of it, not read yet; what needs more than a window is read and indexed."""
        keys = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(part, (int, np.integer, slice)) or part is Ellipsis for part in keys):
            return np.asarray(self)[key]
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys = (*keys[:at], *[slice(None)] * (self.ndim - len(keys) + 1), *keys[at + 1 :])
        if len(keys) > self.ndim:
            raise IndexError(f"{len(keys)} indices for {self.ndim} dimensions")
        if any(isinstance(part, slice) and part.step not in (None, 1) for part in keys):
            return np.asarray(self)[key]
        window, dropped = list(self._window), {axis for axis in range(len(self._window)) if axis not in self._axes}
        for part, axis, side in zip(keys, self._axes, self.shape, strict=False):
            first = window[axis][0]
            if isinstance(part, slice):
                start, stop, _ = part.indices(side)
                window[axis] = (first + start, first + max(start, stop))
            else:
                if not -side <= part < side:
                    raise IndexError(f"index {part} is out of bounds for {side}")
                window[axis] = (first + int(part) % side, first + int(part) % side + 1)
                dropped.add(axis)
        return ChunkedArray(self.level, tuple(window), frozenset(dropped))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Pixels:
        """Read it."""
        slicing = _slicing.get()
        if slicing is None or 0 in self.shape:
            pixels = self.level.region(self._window)
        else:
            pixels = slicing.read(self.level, self._window)
        return pixels.reshape(self.shape).astype(dtype or self.dtype, copy=False)
