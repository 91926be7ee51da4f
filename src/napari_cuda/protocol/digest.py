"""The hash by which both sides know that a picture is the same, byte for byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xxhash


def picture_hash(rgba: npt.NDArray[np.uint8]) -> int:
    """Return the xxh3-64 of a picture's RGBA bytes, top row first.

    `rgba` is (h, w, 4) uint8; padded rows are copied together first. The size is not hashed:
    compare it too. Chosen because it is the cheapest test for "unchanged": 0.06 ms at 720p.
    """
    return xxhash.xxh3_64_intdigest(np.ascontiguousarray(rgba).data)
