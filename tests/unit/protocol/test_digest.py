from __future__ import annotations

import numpy as np
import xxhash

from napari_cuda.protocol.digest import picture_hash
from pictures import noisy_pan


def test_is_the_xxh3_of_the_bytes_top_row_first() -> None:
    picture = noisy_pan(1, (37, 21))[0]
    assert picture_hash(picture) == xxhash.xxh3_64_intdigest(picture.tobytes())


def test_padding_between_rows_does_not_count() -> None:
    picture = noisy_pan(1, (37, 21))[0]
    room = np.random.default_rng(0).integers(0, 256, (21, 64, 4), np.uint8)
    room[:, :37] = picture
    assert picture_hash(room[:, :37]) == picture_hash(picture)


def test_one_bit_changes_it() -> None:
    picture = noisy_pan(1, (37, 21))[0]
    before = picture_hash(picture)
    picture[20, 36, 2] ^= 1
    assert picture_hash(picture) != before
    picture[20, 36, 2] ^= 1
    assert picture_hash(picture) == before
