"""Packing: the bytes of numbers on their way, smaller where that is worth it. Pure.

The bytes of one significance come together first (microscopes fill 12 of 16 bits), then DEFLATE at its quickest.
"""

from __future__ import annotations

import zlib

import numpy as np

from napari_cuda.protocol.errors import DataError

SHUFFLED = "shuffle-deflate"
"""The coding, as a header names it."""

CODING_HEADER = "x-coding"
ITEMSIZE_HEADER = "x-itemsize"

WORTH_IT = 0.8
"""What is not at least this much smaller goes as it is: who takes it has less to do."""

_SAMPLE_BYTES = 1 << 16
_LEVEL = 1


def pack(data: bytes | memoryview, itemsize: int) -> bytes | None:
    """Return the bytes packed; None if that does not make them smaller. A sample says so of noise, quickly."""
    if len(data) > 4 * _SAMPLE_BYTES:
        middle = len(data) // 2 // itemsize * itemsize
        sample = data[middle : middle + _SAMPLE_BYTES]
        if len(zlib.compress(_shuffled(sample, itemsize), _LEVEL)) > WORTH_IT * len(sample):
            return None
    packed = zlib.compress(_shuffled(data, itemsize), _LEVEL)
    return packed if len(packed) <= WORTH_IT * len(data) else None


def unpack(packed: bytes, itemsize: int, size_bytes: int) -> bytes:
    """Return what `pack` packed; DataError if it is not that, or not `size_bytes` at most (it is not unpacked then)."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, size_bytes)
    except zlib.error as error:
        raise DataError(f"what arrived is damaged: {error}") from None
    if not stream.eof or not 1 <= itemsize <= 1024:
        raise DataError("what arrived is damaged, or larger than it may be")
    count = len(data) // itemsize
    body = np.frombuffer(data, np.uint8, count * itemsize).reshape(itemsize, count)
    return body.T.tobytes() + data[count * itemsize :]


def _shuffled(data: bytes | memoryview, itemsize: int) -> bytes:
    count = len(data) // itemsize
    body = np.frombuffer(data, np.uint8, count * itemsize).reshape(count, itemsize)
    return body.T.tobytes() + bytes(data[count * itemsize :])
