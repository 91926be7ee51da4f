"""A RemoteArray is NumPy's array for whoever reads it, and asks for no more than it must."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pytest

from napari_cuda.client.mirror import remote_array
from napari_cuda.client.mirror.remote_array import RemoteArray
from napari_cuda.protocol.layer_data import ArrayInfo, LayerData
from napari_cuda.protocol.region import MOST_BYTES, Region, counts


class Memory:
    """A source that has the data, and counts what is asked of it."""

    def __init__(self, *arrays: npt.NDArray[Any], kind: str = "image", chunks: list[int] | None = None) -> None:
        self.arrays = arrays
        self._kind, self._chunks = kind, chunks or []
        self.read_bytes: list[int] = []
        self.written: list[tuple[int, ...]] = []
        self.described = 0

    def describe(self, _layer: str) -> LayerData:
        self.described += 1
        return LayerData(
            self._kind, 1, [ArrayInfo(list(array.shape), array.dtype.str, self._chunks) for array in self.arrays]
        )

    def read(self, _layer: str, number: int, region: Region, dtype: Any) -> tuple[npt.NDArray[Any], int]:
        pixels = self.arrays[number][tuple(axis.slice() for axis in region)].copy()
        assert pixels.shape == counts(region) and pixels.dtype == dtype
        self.read_bytes.append(pixels.nbytes)
        return pixels, 1

    def write(self, _layer: str, number: int, region: Region, values: npt.NDArray[Any]) -> None:
        self.written.append(values.shape)
        self.arrays[number][tuple(axis.slice() for axis in region)] = values

    def replace(self, _layer: str, arrays: Any) -> None:
        self.arrays = tuple(arrays)


@pytest.fixture
def pixels() -> npt.NDArray[np.uint16]:
    return np.arange(4 * 6 * 5, dtype=np.uint16).reshape(4, 6, 5)


def remote(source: Memory, number: int = 0) -> RemoteArray:
    return RemoteArray(source, "L1", number, source.arrays[number].shape, source.arrays[number].dtype)


def test_what_is_known_is_not_asked_for(pixels: npt.NDArray[np.uint16]) -> None:
    source = Memory(pixels)
    array = remote(source)
    assert (array.shape, array.dtype, array.ndim, array.size, array.nbytes, len(array)) == (
        *((4, 6, 5), np.uint16, 3, 120, 240),
        4,
    )
    assert "RemoteArray (4, 6, 5) uint16" in repr(array)
    assert not hasattr(array, "no_such_thing")
    assert (source.read_bytes, source.described) == ([], 0)
    lazily = da.from_array(array, chunks=(1, 6, 5))  # which looks at its chunks
    assert (source.read_bytes, source.described) == ([], 1)
    assert np.array_equal(lazily[2].compute(), pixels[2])
    assert source.read_bytes == [60]


def test_numpy_takes_it_and_computes_with_it(pixels: npt.NDArray[np.uint16]) -> None:
    array = remote(Memory(pixels.copy()))
    assert np.array_equal(np.asarray(array), pixels)
    assert np.asarray(array, dtype=float).dtype == float
    assert np.array_equal(array + 1, pixels + 1)
    assert np.array_equal(2 - array, 2 - pixels)
    assert (array == pixels).all()
    assert (array.max(), np.max(array), array.mean(axis=0).shape) == (119, 119, (6, 5))
    assert [plane.sum() for plane in array] == [plane.sum() for plane in pixels]
    with pytest.raises(TypeError):
        np.add(pixels, 1, out=array)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(array, copy=False)


def test_what_is_large_comes_in_pieces_along_the_chunks() -> None:
    big = np.zeros((40, 1024, 1024), np.uint8)
    big[17, 5, 9] = 3
    source = Memory(big, chunks=[3, 1024, 1024])
    assert np.array_equal(np.asarray(remote(source)), big)
    assert max(source.read_bytes) <= MOST_BYTES
    assert source.read_bytes == [6 << 20] * 6 + [4 << 20]
    assert source.described == 1


@pytest.mark.parametrize(
    "key", [2, (1, 3, 4), slice(None, None, -1), (..., 2), (slice(1, 3), slice(4, 1, -2), 0), (None, 0), ()]
)
@pytest.mark.parametrize("many", [False, True])
def test_what_is_assigned_is_there(pixels: npt.NDArray[np.uint16], key: Any, many: bool) -> None:
    here, source = pixels.copy(), Memory(pixels.copy())
    value = np.arange(here[key].size, dtype=np.float64).reshape(here[key].shape) + 7 if many else 7
    here[key] = value
    remote(source)[key] = value
    assert np.array_equal(source.arrays[0], here)
    if not many:
        assert source.written == [()]


def test_what_does_not_fit_is_refused_as_by_numpy(pixels: npt.NDArray[np.uint16]) -> None:
    source = Memory(pixels)
    array = remote(source)
    for key, value, kind in ((0, np.zeros((7, 5)), ValueError), ((0, 0, 0), -1, OverflowError), (9, 1, IndexError)):
        for target in (pixels.copy(), array):
            with pytest.raises(kind):
                target[key] = value
    assert source.written == []


def test_one_value_for_much_is_sent_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_array, "SMALL_BYTES", 0)
    source = Memory(np.zeros((20, 1024, 1024), np.uint8))
    remote(source)[...] = 9
    assert (source.arrays[0] == 9).all()
    assert source.written == [()] * 3


def test_elements_come_as_napari_has_them() -> None:
    corners = [np.ones((4, 2)), np.zeros((3, 2)) + 5]
    shapes = Memory(np.concatenate(corners), np.array([4, 3]), kind="shapes")
    assert [part.tolist() for part in remote_array.elements(shapes, "L")] == [part.tolist() for part in corners]
    assert remote_array.elements(Memory(np.empty((0, 2)), np.array([], int), kind="shapes"), "L") == []
    mesh = remote_array.elements(Memory(np.zeros((3, 2)), np.array([[0, 1, 2]]), np.ones(3), kind="surface"), "L")
    assert [part.shape for part in mesh] == [(3, 2), (1, 3), (3,)]
    assert remote_array.elements(Memory(np.zeros((3, 2)), kind="points"), "L").shape == (3, 2)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("points", np.ones((3, 2))),
        ("shapes", [np.ones((4, 2)), np.zeros((3, 2))]),
        ("shapes", []),
        ("surface", (np.zeros((3, 2)), np.array([[0, 1, 2]]), np.ones(3))),
        ("surface", (np.zeros((3, 2)), np.array([[0, 1, 2]]))),
    ],
)
def test_what_is_set_comes_back(kind: str, data: Any) -> None:
    source = Memory(*remote_array.as_arrays(kind, data, 2), kind=kind)
    back = remote_array.elements(source, "L")
    several = kind != "points"
    for one, other in zip(data if several else [data], back if several else [back], strict=kind != "surface"):
        assert np.array_equal(one, np.asarray(other))
