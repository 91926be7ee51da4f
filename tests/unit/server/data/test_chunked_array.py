"""Lazy windows of arrays in a store, whole or as good as they are here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import zarr

from napari_cuda.server.data.chunked_array import ChunkedArray, Level, Slicing
from napari_cuda.server.data.chunks import Chunks, Pixels
from napari_cuda.worker import Worker

LONG_S = 30.0


def stored(shape: tuple[int, ...], chunk: tuple[int, ...], seed: int = 0) -> Any:
    array = zarr.create_array(zarr.storage.MemoryStore(), shape=shape, chunks=chunk, dtype="u2", fill_value=7)
    array[:] = np.random.default_rng(seed).integers(0, 60000, shape)
    return array


@pytest.fixture
def chunks() -> Iterator[Chunks]:
    made = Chunks(10_000_000)
    yield made
    made.close(LONG_S)


class Slow(Level):
    """A level whose chunks come only when they are let through."""

    def __init__(self, *what: Any) -> None:
        super().__init__(*what)
        self.gate = threading.Event()

    def read(self, index: tuple[int, ...]) -> Pixels:
        assert self.gate.wait(LONG_S)
        return super().read(index)


def elsewhere(work: Callable[[], Pixels]) -> Pixels:
    """Run as napari's slicer does: not on the main thread."""
    found: list[Pixels] = []
    Worker("slicer", lambda _stop: found.append(work())).start().stop(LONG_S)
    return found[0]


def sliced(slicing: Slicing, array: ChunkedArray) -> Pixels:
    def work() -> Pixels:
        with slicing():
            return np.asarray(array)

    return elsewhere(work)


@pytest.mark.parametrize(
    "key",
    [
        (slice(None), slice(3, 77), slice(5, 99)),
        (1,),
        (-1, slice(-20, None)),
        (..., 4),
        (0, ..., slice(2, 3)),
        (slice(1, 1),),
        (1, 2, 3),
        (slice(None), slice(0, 90, 7)),
        (slice(None, None, -1),),
        (np.int64(2), slice(90, 300)),
    ],
    ids=str,
)
def test_indexing_is_numpy_s(chunks: Chunks, key: Any) -> None:
    array = stored((3, 100, 130), (1, 32, 48))
    lazy = ChunkedArray(Level(array, chunks))
    expected = array[:][key]
    assert lazy[key].shape == expected.shape
    assert np.array_equal(np.asarray(lazy[key]), expected)
    assert np.array_equal(sliced(Slicing(chunks), lazy)[key], expected)


def test_windows_of_windows(chunks: Chunks) -> None:
    array = stored((3, 100, 130), (1, 32, 48))
    lazy = ChunkedArray(Level(array, chunks))[:, 10:90][2][5:, 7:]
    assert np.array_equal(np.asarray(lazy), array[:][2, 15:90, 7:])
    assert lazy.chunks == (32, 48)
    assert (lazy.ndim, lazy.size, lazy.nbytes, len(lazy)) == (2, 75 * 123, 75 * 123 * 2, 75)
    assert np.asarray(lazy, dtype=float).dtype == float


@pytest.mark.parametrize("key", [(3,), (-4,), (0, 0, 0, 0)])
def test_beyond_the_edge(chunks: Chunks, key: Any) -> None:
    with pytest.raises(IndexError):
        ChunkedArray(Level(stored((3, 10, 10), (1, 5, 5)), chunks))[key]


def test_a_slice_comes_through_the_cache_all_else_from_the_store(chunks: Chunks) -> None:
    lazy = ChunkedArray(Level(stored((3, 64, 64), (1, 32, 32)), chunks))
    np.asarray(lazy)
    assert chunks.kept_bytes == 0
    slicing = Slicing(chunks)
    sliced(slicing, lazy[1])
    assert chunks.kept_bytes >= 4 * 32 * 32 * 2
    assert slicing.missing == ()


def test_what_is_not_here_is_shown_coarsely_until_it_is(chunks: Chunks) -> None:
    fine, coarse = stored((2, 64, 64), (1, 32, 32)), stored((2, 32, 32), (1, 32, 32), seed=1)
    below = Level(coarse, chunks)
    below.hold()
    level = Slow(fine, chunks, below)
    slicing, lazy = Slicing(chunks), ChunkedArray(level)[:, 5:60, 3:][1]
    first = sliced(slicing, lazy)
    stand_in = coarse[:][1].repeat(2, 0).repeat(2, 1)
    assert np.array_equal(first, stand_in[5:60, 3:])
    assert len(slicing.missing) == 4
    level.gate.set()
    assert chunks.wait(slicing.missing, LONG_S)
    assert np.array_equal(sliced(slicing, lazy), fine[:][1, 5:60, 3:])
    assert slicing.missing == ()


def test_each_chunk_that_is_here_is_shown_finely(chunks: Chunks) -> None:
    fine = stored((64, 64), (32, 32))
    below = Level(stored((32, 32), (32, 32), seed=1), chunks)
    below.hold()
    level = Slow(fine, chunks, below)
    slicing = Slicing(chunks)
    level.gate.set()
    sliced(slicing, ChunkedArray(level)[:32, :32])
    assert chunks.wait(level.keys(((0, 32), (0, 32))), LONG_S)
    level.gate.clear()
    seen = sliced(slicing, ChunkedArray(level))
    assert np.array_equal(seen[:32, :32], fine[:32, :32])
    assert np.array_equal(seen[32:], below.region(((16, 32), (0, 32))).repeat(2, 0).repeat(2, 1))
    level.gate.set()


def test_the_coarsest_of_a_level_that_is_here_stands_in(chunks: Chunks) -> None:
    shapes = [(64, 64), (32, 32), (16, 16)]
    coarsest = Level(stored(shapes[2], (16, 16), seed=2), chunks)
    coarsest.hold()
    middle = Slow(stored(shapes[1], (16, 16), seed=1), chunks, coarsest)
    finest = Slow(stored(shapes[0], (16, 16)), chunks, middle)
    seen = sliced(Slicing(chunks), ChunkedArray(finest))
    assert np.array_equal(seen, coarsest.region(((0, 16), (0, 16))).repeat(4, 0).repeat(4, 1))
    middle.gate.set()
    finest.gate.set()


@pytest.mark.parametrize(("fine", "coarse"), [((7, 9), (3, 4)), ((7, 9), (4, 5)), ((9, 9), (9, 3))])
def test_levels_of_any_sizes_fit_over_each_other(
    chunks: Chunks, fine: tuple[int, int], coarse: tuple[int, int]
) -> None:
    below = Level(stored(coarse, (2, 2), seed=1), chunks)
    below.hold()
    level = Slow(stored(fine, (4, 4)), chunks, below)
    seen = sliced(Slicing(chunks), ChunkedArray(level))
    whole = below.region(tuple((0, side) for side in coarse))
    rows, columns = ((np.arange(n) + 0.5) * m / n for n, m in zip(fine, coarse, strict=True))
    assert np.array_equal(seen, whole[rows.astype(int)][:, columns.astype(int)])
    level.gate.set()


def test_what_is_larger_than_the_cache_is_read_past_it() -> None:
    small = Chunks(5000)
    array = stored((64, 64), (32, 32))
    slicing = Slicing(small)
    assert np.array_equal(sliced(slicing, ChunkedArray(Level(array, small))), array[:])
    assert (small.kept_bytes, slicing.missing) == (0, ())


def test_a_cache_that_is_too_small_for_all_layers_never_waits_for_ever() -> None:
    tiny = Chunks(2 * 2048)  # half of the chunks
    array = stored((64, 64), (32, 32))
    below = Level(stored((32, 32), (32, 32), seed=1), tiny)
    below.hold()
    level = Level(array, tiny, below)
    level.chunk_bytes = 1  # as if it were other layers' chunks that need the room
    slicing = Slicing(tiny)
    slices = 1
    seen = sliced(slicing, ChunkedArray(level))
    while slicing.missing:
        slices += 1
        seen = sliced(slicing, ChunkedArray(level))
    assert slices <= 5, "each time fewer are missing, of four, or it is read past the cache"
    assert np.array_equal(seen, array[:])
    tiny.close(LONG_S)


def test_on_the_main_thread_nothing_is_coarse(chunks: Chunks) -> None:
    fine = stored((64, 64), (32, 32))
    below = Level(stored((32, 32), (32, 32), seed=1), chunks)
    below.hold()
    lazy = ChunkedArray(Slow(fine, chunks, below))
    with Slicing(chunks)():
        assert np.array_equal(np.asarray(lazy), fine[:])


def test_the_next_planes_are_read_ahead(chunks: Chunks) -> None:
    fine = stored((6, 64, 64), (1, 32, 32))
    below = Level(stored((3, 32, 32), (1, 32, 32), seed=1), chunks)
    below.hold()
    level = Level(fine, chunks, below)
    slicing = Slicing(chunks)
    for plane in (0, 1):
        sliced(slicing, ChunkedArray(level)[plane])
    assert chunks.wait(level.keys(((2, 5), (0, 64), (0, 64))), LONG_S)
