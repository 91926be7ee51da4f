from __future__ import annotations

import numpy as np
import pytest

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.packing import pack, unpack


@pytest.mark.parametrize(("itemsize", "size"), [(1, 1_000_000), (2, 1_000_001), (8, 4_003), (3, 1000)])
def test_what_is_packed_comes_out_again(itemsize: int, size: int) -> None:
    data = (np.arange(size) // 64 % 251).astype(np.uint8).tobytes()
    packed = pack(data, itemsize)
    assert packed is not None and len(packed) < len(data) / 2
    assert unpack(packed, itemsize, len(data)) == data


def test_the_empty_high_bytes_of_a_microscope_s_numbers_are_worth_it_and_noise_is_not(
    rng: np.random.Generator,
) -> None:
    twelve_bits = rng.poisson(100, 1 << 20).astype("<u2").tobytes()
    packed = pack(twelve_bits, 2)
    assert packed is not None and unpack(packed, 2, len(twelve_bits)) == twelve_bits
    assert pack(rng.bytes(1 << 21), 2) is None
    assert pack(rng.bytes(100), 2) is None


def test_what_is_damaged_or_larger_than_it_may_be_is_refused_before_it_is_there() -> None:
    packed = pack(bytes(100_000_000), 1)
    assert packed is not None
    for wrong, size in ((packed, 1000), (packed[:-5], 100_000_000), (b"no such thing", 100)):
        with pytest.raises(DataError, match="damaged"):
            unpack(wrong, 1, size)
    with pytest.raises(DataError, match="damaged"):
        unpack(packed, 0, 100_000_000)
