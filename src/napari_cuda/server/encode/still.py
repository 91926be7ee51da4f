"""The exact picture as a PNG in parts: what the viewer gets once nothing moves any more."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.still_pace import LARGEST_PART
from napari_cuda.server.frames import PixelBuffer, RenderedFrame

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2  # PNG colour types
_FILTER_UP = 2  # cheapest to compute here and to undo in every decoder
_LEVEL = 2  # of isal: as fast as 1 and 4 % smaller on coloured noise; zlib takes 5 times as long
_SLICE_BYTES = 65_536
"""Filtered and deflated at a time: well under a millisecond, and hardly more than a part of noise."""

Rgba = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class StillPart:
    """A part of a still, the `index`th from 0."""

    data: bytes
    index: int
    last: bool


class Stills:
    """The exact pictures of one viewer: the one that is being made, and the one that it holds.

    Owner: its encoder thread.
    """

    def __init__(self) -> None:
        self._hash = 0
        self._making: StillEncoding | None = None
        self._held: PixelBuffer | None = None

    def next_part(self, frame: RenderedFrame, size_bytes: int) -> StillPart:
        """Return the next part of a resting frame's picture, of so many bytes at most.

        Raises StreamError if the picture is not opaque.
        """
        if self._making is None or self._hash != frame.picture_hash:
            base = None if self._held is None else self._held.rgba
            self._making, self._hash = StillEncoding(frame.buffer.rgba, base), frame.picture_hash
        index = self._making.parts
        data, last = self._making.next_part(size_bytes)
        if last:
            self._making, self._held = None, frame.buffer
        return StillPart(data, index, last)

    def cancel(self) -> None:
        """Another picture came between: the next part is the first of its still."""
        self._making = None

    def forget(self) -> None:
        """The viewer holds nothing any more."""
        self._making = self._held = None


class StillEncoding:
    """A picture without loss, made part by part: grey if R = G = B everywhere, else RGB.

    Owner: one encoder thread. The parts together are one PNG. If the viewer holds the exact picture
    `base`, it is of the rectangle that differs from it, whose place is in the PNG's oFFs chunk.
    What is not asked for is not encoded. The GIL is released in all steps that take time.
    """

    def __init__(self, rgba: Rgba, base: Rgba | None = None) -> None:
        """Begin with `rgba`: (h, w, 4) uint8, contiguous, top row first, alpha 255 (it is not sent).

        Raises StreamError if it is something else.
        """
        if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8 or 0 in rgba.shape:
            raise StreamError(f"a still picture must be (h, w, 4) uint8, not {rgba.shape} {rgba.dtype}")
        words = _words(rgba)
        if int(np.bitwise_and.reduce(words, axis=None)) >> 24 != 255:
            raise StreamError("a still picture must be opaque: some alpha is below 255")
        whole = (slice(None), slice(None))
        place = whole if base is None or base.shape != rgba.shape else _differing(words, _words(base))
        self._pieces = _png(rgba[place], _is_grey(words[place]), (place[1].start or 0, place[0].start or 0))
        self._made = bytearray()
        self._ended = False
        self._parts = 0

    @property
    def parts(self) -> int:
        """How many parts were taken: the index of the next."""
        return self._parts

    def next_part(self, size_bytes: int = LARGEST_PART) -> tuple[bytes, bool]:
        """Return (the next part, of so many bytes at most; whether it is the last)."""
        # One byte more, to know whether there is another part.
        while len(self._made) <= size_bytes and not self._ended:
            piece = next(self._pieces, None)
            self._ended = piece is None
            self._made += piece or b""
        part = bytes(self._made[:size_bytes])
        del self._made[:size_bytes]
        self._parts += 1
        return part, not self._made


def _words(rgba: Rgba) -> npt.NDArray[np.uint32]:
    """Return the pixels as 0xAABBGGRR."""
    return np.ascontiguousarray(rgba).view("<u4")[..., 0]


def _differing(words: npt.NDArray[np.uint32], base: npt.NDArray[np.uint32]) -> tuple[slice, slice]:
    """Return the smallest rectangle outside of which two pictures are the same; one pixel if they are."""
    differs = words != base
    rows = np.flatnonzero(differs.any(axis=1))
    if not rows.size:
        return slice(0, 1), slice(0, 1)
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(differs[top:bottom].any(axis=0))
    return slice(top, bottom), slice(int(columns[0]), int(columns[-1]) + 1)


def _is_grey(words: npt.NDArray[np.uint32]) -> bool:
    # The first row tells nearly every coloured picture at no cost.
    return all(not np.any((part ^ (part >> 8)) & 0xFFFF) for part in (words[:1], words))


def _png(rgba: Rgba, grey: bool, offset: tuple[int, int]) -> Iterator[bytes]:
    """Yield a PNG, a slice of rows at a time."""
    height, width = rgba.shape[:2]
    yield _SIGNATURE
    yield _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _GREY if grey else _RGB, 0, 0, 0))
    if offset != (0, 0):
        yield _chunk(b"oFFs", struct.pack(">iiB", *offset, 0))
    deflate = isal_zlib.compressobj(_LEVEL)
    channels = 1 if grey else 3
    rows = max(1, _SLICE_BYTES // (1 + width * channels))
    for top in range(0, height, rows):
        if data := deflate.compress(_filtered(rgba, channels, top, min(top + rows, height))):
            yield _chunk(b"IDAT", data)
    yield _chunk(b"IDAT", deflate.flush())
    yield _chunk(b"IEND", b"")


def _filtered(rgba: Rgba, channels: int, top: int, bottom: int) -> npt.NDArray[np.uint8]:
    """Return rows `top` to `bottom` as PNG wants them: a filter byte, then differences to the row above."""
    rows = np.empty((bottom - top, 1 + rgba.shape[1] * channels), np.uint8)
    rows[:, 0] = _FILTER_UP
    for channel in range(channels):  # whole strided planes: an inner loop of 3 would be 10 times slower
        samples, target = rgba[top:bottom, :, channel], rows[:, 1 + channel :: channels]
        np.subtract(samples[0], rgba[top - 1, :, channel] if top else 0, out=target[0])
        np.subtract(samples[1:], samples[:-1], out=target[1:])
    return rows


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
