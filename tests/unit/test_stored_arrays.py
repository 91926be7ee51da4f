"""read_arrays(): numbers come back in order, and nothing else comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from napari_cuda.client.net import array_stream
from napari_cuda.client.net.array_stream import ArrayStream
from napari_cuda.protocol.errors import DataError
from napari_cuda.stored_arrays import read_arrays


def store(path: Path, *arrays: Any, piece_bytes: int = 1000) -> None:
    stream = ArrayStream(arrays)
    pieces = list(stream.pieces(piece_bytes))
    assert all(len(piece) == piece_bytes for piece in pieces[:-1])
    path.write_bytes(b"".join(pieces))
    assert path.stat().st_size == stream.size_bytes


def stored(pixels: np.ndarray[Any, Any]) -> Any:
    array = zarr.create_array(MemoryStore(), shape=pixels.shape, chunks=(3, 4, 5), dtype=pixels.dtype)
    array[:] = pixels
    return array


@pytest.mark.parametrize("slab_bytes", [1, 300, 1 << 20])
def test_arrays_of_all_kinds_come_back_in_order(
    tmp_path: Path, slab_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_stream, "SLAB_BYTES", slab_bytes)
    pixels = np.arange(7 * 9 * 11, dtype=np.uint16).reshape(7, 9, 11)
    arrays = [
        pixels,
        pixels[::-1, ::2].T,
        da.from_array(pixels, chunks=(2, 4, 11)) + 1,
        stored(pixels),
        np.zeros((0, 3)),
        np.array(5.0),
        np.array([True, False]),
        pixels.astype(">i4"),
        np.array(["ä", "text"]),
    ]
    store(tmp_path / "a", *arrays)
    back = read_arrays(str(tmp_path / "a"), of_elements=1)
    assert len(back) == len(arrays)
    for one, other in zip(arrays, back, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        assert np.array_equal(np.asarray(one), other)
    assert back[0].flags.writeable


def test_each_chunk_of_what_is_lazy_is_computed_once() -> None:
    computed: list[int] = []

    def compute(block: Any, block_info: Any = None) -> Any:
        computed.append(block_info[0]["chunk-location"])
        return block

    lazy = da.zeros((8, 6, 6), chunks=(3, 2, 6)).map_blocks(compute, meta=np.empty((0, 0, 0)))
    computed.clear()
    assert sum(len(piece) for piece in ArrayStream([lazy]).pieces(100)) == ArrayStream([lazy]).size_bytes
    assert len(computed) == len(set(computed)) == 9


def words(path: Path) -> None:
    store(path, np.array(["a", "b"]))


def cut(path: Path) -> None:
    store(path, np.zeros(1000))
    path.write_bytes(path.read_bytes()[:-1])


def boasting(path: Path) -> None:
    path.write_bytes(array_stream._head(np.broadcast_to(np.uint8(0), (1 << 40,))))


def objects(path: Path) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.array([{"a": 1}], dtype=object), version=(2, 0))


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (objects, "what was sent are no arrays: an array of object"),
        (words, "must be of numbers"),
        (cut, "what was sent are no arrays: there is less of it than was said"),
        (boasting, "what was sent are no arrays: there is less of it than was said"),
        (lambda path: path.write_bytes(b"no array at all"), "what was sent are no arrays"),
        (lambda path: path.write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff"), "what was sent are no arrays"),
        (lambda path: path.write_bytes(b"\x93NUMPY\x02\x00\x02\x00\x00\x00{\n"), "what was sent are no arrays"),
        (lambda path: None, "what was sent are no arrays"),
    ],
)
def test_what_is_no_file_of_numbers_is_refused_in_one_line(write: object, why: str, tmp_path: Path) -> None:
    file = tmp_path / "a"
    write(file)  # type: ignore[operator]
    with pytest.raises(DataError, match=why) as refused:
        read_arrays(str(file))
    assert "\n" not in str(refused.value)
