"""read_arrays(): numbers come back in order, and nothing else comes in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cuda.protocol.errors import DataError
from napari_cuda.server.data.stored_arrays import read_arrays


def test_arrays_come_back_in_order(tmp_path: Path) -> None:
    arrays = [np.full((number, 2), number, np.uint16) for number in range(12)]
    np.savez(tmp_path / "a.npz", *arrays)
    back = read_arrays(str(tmp_path / "a.npz"))
    assert len(back) == 12
    assert all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(arrays, back, strict=True))
    assert back[3].flags.writeable


def objects(path: Path) -> None:
    np.savez(path, np.array([{"a": 1}], dtype=object))


def words(path: Path) -> None:
    np.savez(path, np.array(["a", "b"]))


def named(path: Path) -> None:
    np.savez(path, pixels=np.zeros(3))


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (objects, "what was sent are no arrays: Object arrays cannot be loaded"),
        (words, "must be of numbers"),
        (named, "what was sent are no arrays"),
        (lambda path: np.savez_compressed(path, np.zeros(1_000_000)), "may not be compressed"),
        (lambda path: path.write_bytes(b"no zip at all"), "what was sent are no arrays"),
        (lambda path: None, "what was sent are no arrays"),
    ],
)
def test_what_is_no_file_of_numbers_is_refused_in_one_line(write: object, why: str, tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    write(file)  # type: ignore[operator]
    with pytest.raises(DataError, match=why) as refused:
        read_arrays(str(file))
    assert "\n" not in str(refused.value)
