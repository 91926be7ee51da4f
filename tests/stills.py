"""Stills for tests: the parts of a picture, and the packets that carry them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from napari_cuda.client.decode.still import StillDecoder
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import PacketHeader, PacketKind
from napari_cuda.server.encode.still import StillEncoding
from napari_cuda.server.encode.still_pace import LARGEST_PART

Rgba = npt.NDArray[np.uint8]


def parts_of(picture: Rgba, base: Rgba | None = None, part_size: int = LARGEST_PART) -> list[bytes]:
    """Return all parts of a still for a viewer that holds `base`."""
    encoding = StillEncoding(picture, base)
    parts, last = [], False
    while not last:
        part, last = encoding.next_part(part_size)
        parts.append(part)
    return parts


def packets_of(picture: Rgba, parts: list[bytes]) -> Iterator[tuple[PacketHeader, bytes]]:
    """Yield the packets of a still."""
    size, digest = (picture.shape[1], picture.shape[0]), picture_hash(picture)
    for index, part in enumerate(parts):
        kind = PacketKind.STILL if index == len(parts) - 1 else PacketKind.STILL_PART
        yield PacketHeader(kind, index, 1, 1, 0, 0, size, size, picture_hash=digest, part=index), part


def read(decoder: StillDecoder, picture: Rgba, parts: list[bytes]) -> Rgba:
    """Return what a decoder makes of the parts of `picture`: nothing before the last. Raises StreamError."""
    *before, last = packets_of(picture, parts)
    assert [decoder.add(*packet) for packet in before] == [None] * len(before)
    found = decoder.add(*last)
    assert found is not None
    return found.rgba
