"""Regions of whatever holds a layer's data; the data of layers without pixels there and back."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.layers import Image, Points, Shapes, Surface
from zarr.storage import MemoryStore

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.region import MOST_BYTES, parse_index
from napari_cuda.server.data import regions
from napari_cuda.server.data.chunked_array import ChunkedArray, Level
from napari_cuda.server.data.chunks import Chunks
from napari_cuda.server.data.regions import arrays_of, check_size, chunk_sides, from_arrays, put, take, why_fixed

PIXELS = np.arange(12 * 10 * 8, dtype=np.int16).reshape(12, 10, 8)
KEYS = [(3,), (slice(1, 9, 3), slice(None), slice(2, 7, 2)), (slice(5, 5),), (..., 7), ()]


def stored() -> Any:
    array = zarr.create_array(MemoryStore(), shape=PIXELS.shape, chunks=(4, 5, 8), dtype="int16")
    array[:] = PIXELS
    return array


def kept() -> dict[str, Any]:
    chunks = Chunks(1_000_000)
    return {
        "numpy": PIXELS,
        "dask": da.from_array(PIXELS, chunks=(4, 5, 8)),
        "zarr": stored(),
        "chunked": ChunkedArray(Level(stored(), chunks)),
    }


@pytest.mark.parametrize("name", kept())
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("most", [100, regions.MOST_READ_BYTES])
def test_a_region_is_what_numpy_has(name: str, key: Any, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "MOST_READ_BYTES", most)
    region = parse_index(key, PIXELS.shape).region
    taken = take(kept()[name], region)
    assert taken.dtype == PIXELS.dtype and not np.shares_memory(taken, PIXELS)
    assert np.array_equal(taken, PIXELS[tuple(axis.slice() for axis in region)])


def test_of_every_tenth_plane_the_others_are_not_read() -> None:
    class Planes:
        shape, dtype = (10_000, 512, 512), np.dtype(np.uint8)
        read_bytes = 0

        def __getitem__(self, key: Any) -> Any:
            out = np.zeros([part.stop - part.start for part in key], self.dtype)
            Planes.read_bytes += out.nbytes
            return out

    array = Planes()
    assert take(array, parse_index((slice(None, None, 1000),), array.shape).region).shape == (10, 512, 512)
    assert Planes.read_bytes == 10 * 512 * 512


def test_what_can_be_written_to_and_why_not() -> None:
    arrays = kept()
    assert [name for name, array in arrays.items() if not why_fixed(array)] == ["numpy", "zarr"]
    region = parse_index((2, slice(3, 5)), PIXELS.shape).region
    put(arrays["zarr"], region, np.array(7, np.int16))
    assert (arrays["zarr"][2, 3:5] == 7).all()
    for name in ("dask", "chunked"):
        with pytest.raises(TypeError, match="cannot be changed in place"):
            put(arrays[name], region, np.array(7))
    assert [chunk_sides(arrays[name]) for name in ("numpy", "dask", "zarr")] == [[], [4, 5, 8], [4, 5, 8]]
    assert chunk_sides(da.ones((3, 5), chunks=((1, 2), 5))) == [2, 5]


def test_what_is_too_much_for_one_answer_or_cannot_travel_is_refused() -> None:
    large = np.broadcast_to(np.uint8(0), (MOST_BYTES + 1,))
    with pytest.raises(DataError, match="too much for one request"):
        check_size(large, parse_index((), large.shape).region)
    check_size(large, parse_index((slice(1, None),), large.shape).region)
    with pytest.raises(DataError, match="dtype object cannot be read"):
        check_size(np.array([None]), parse_index((), (1,)).region)


def test_elements_there_and_back() -> None:
    corners = [np.ones((4, 2), np.float32), np.zeros((3, 2), np.float32) + 5]
    shapes = Shapes(corners, shape_type="polygon")
    back = from_arrays("shapes", arrays_of(shapes))
    assert [part.tolist() for part in back] == [part.tolist() for part in corners]
    assert from_arrays("shapes", arrays_of(Shapes())) == []
    for counts in ([4], [4, 4], [8, -1]):
        with pytest.raises(ValueError, match="corners are not those of shapes"):
            from_arrays("shapes", [np.zeros((7, 2)), np.array(counts)])
    mesh = (np.zeros((3, 2)), np.array([[0, 1, 2]]), np.ones(3))
    assert len(from_arrays("surface", arrays_of(Surface(mesh)))) == 3
    assert from_arrays("points", arrays_of(Points(np.ones((2, 3))))).shape == (2, 3)
    assert len(arrays_of(Image([PIXELS[0], PIXELS[0, ::2, ::2]], multiscale=True))) == 2
