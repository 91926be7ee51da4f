"""What readers give is read through the cache if it is a plain array of a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_cuda.server.data.chunked_array import ChunkedArray
from napari_cuda.server.data.chunked_layers import CachingViewer, chunked
from napari_cuda.server.data.chunks import Chunks


@pytest.fixture
def chunks() -> Iterator[Chunks]:
    made = Chunks(10_000_000)
    yield made
    made.close(30)


def stored(*shape: int, dtype: str = "u2") -> Any:
    array = zarr.create_array(zarr.storage.MemoryStore(), shape=shape, chunks=(16,) * len(shape), dtype=dtype)
    array[:] = np.arange(array.size).reshape(shape)
    return array


def test_a_pyramid_as_a_reader_gives_it(chunks: Chunks) -> None:
    levels = chunked([da.from_zarr(stored(40, 40)), da.from_zarr(stored(20, 20))], chunks)
    assert all(isinstance(level, ChunkedArray) for level in levels)
    assert [level.shape for level in levels] == [(40, 40), (20, 20)]
    assert levels[0].level.coarser is levels[1].level


def test_plain_zarr_and_one_level(chunks: Chunks) -> None:
    assert isinstance(chunked(stored(40, 40), chunks), ChunkedArray)
    assert isinstance(chunked(da.from_zarr(stored(40, 40)), chunks), ChunkedArray)


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((40, 40)),
        None,
        [],
        da.zeros((40, 40)),
        da.from_zarr(stored(40, 40)) + 1,
        da.from_zarr(stored(40, 40))[:30],
        da.from_array(np.zeros((40, 40))),
        [da.from_zarr(stored(40, 40)), np.zeros((20, 20))],
        stored(40),
    ],
    ids=lambda data: type(data).__name__,
)
def test_all_else_stays_what_it_is(chunks: Chunks, data: Any) -> None:
    assert chunked(data, chunks) is data


def test_channels_become_layers_that_read_the_same_store(chunks: Chunks) -> None:
    viewer = CachingViewer(chunks)
    fine = stored(2, 40, 40)
    layers = viewer.add_image([da.from_zarr(fine), da.from_zarr(stored(2, 20, 20))], channel_axis=0)
    assert [layer.data[0].shape for layer in layers] == [(40, 40)] * 2
    assert layers[0].data[0].level is layers[1].data[0].level
    assert np.array_equal(np.asarray(layers[1].data[0]), fine[1])


def test_labels_of_one_level_can_still_be_painted(chunks: Chunks) -> None:
    viewer = CachingViewer(chunks)
    one = viewer.add_labels(da.from_zarr(stored(40, 40)))
    assert not isinstance(one.data, ChunkedArray)
    several = viewer.add_labels([da.from_zarr(stored(40, 40)), da.from_zarr(stored(20, 20))])
    assert isinstance(several.data[0], ChunkedArray)
