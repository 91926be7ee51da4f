"""The exact picture, back from the parts of its PNG and proven to be the one the server rendered."""

from __future__ import annotations

import struct
from typing import cast

import numpy as np
import numpy.typing as npt
from isal import igzip_lib, isal_zlib

from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketHeader, PacketKind

MOST_PIXELS = 1 << 27
"""16384 x 8192: no memory is taken for what no canvas can be."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3}  # of PNG's colour types: grey, RGB
_FILTER_UP = 2
_DAMAGED = cast(type[Exception], igzip_lib.IsalError)  # isal's stubs call it an instance


class MissingPartError(StreamError):
    """The parts before this one are not here. Whoever lost them has said so."""


class StillDecoder:
    """Decodes each part as it comes, and remembers the newest picture: the next may tell differences only.

    Owner: the decode thread. It reads the PNGs that a server makes (docs/protocol.md), and no others.
    """

    def __init__(self) -> None:
        self._png: _Png | None = None
        self._next_part = 0
        self._hash = 0
        self._newest: npt.NDArray[np.uint8] | None = None

    def add(self, header: PacketHeader, payload: bytes | memoryview) -> ExactPicture | None:
        """Take in a part, and return the picture with the last one.

        Raises MissingPartError, or StreamError if it is no such PNG or another picture than announced.
        """
        if header.part == 0:
            width, height = header.canvas_size
            if width * height > MOST_PIXELS:
                raise StreamError(f"a still picture of {width} x {height} is larger than any canvas")
            self._png, self._next_part, self._hash = _Png((height, width)), 0, header.picture_hash
        if self._png is None or header.part != self._next_part or header.picture_hash != self._hash:
            self._png = None
            raise MissingPartError(f"part {header.part} of a still picture came without the parts before it")
        self._next_part += 1
        try:
            self._png.feed(payload)
            if header.kind is PacketKind.STILL_PART:
                return None
            rgba = self._png.picture(self._newest)
        except StreamError:
            self._png = None
            raise
        self._png = None
        if (found := picture_hash(rgba)) != header.picture_hash:
            raise StreamError(
                f"the still picture hashes to {found:016x}, the server rendered {header.picture_hash:016x}"
            )
        self._newest = rgba
        return ExactPicture(rgba)

    def forget(self) -> None:
        """Another connection: what comes next builds on nothing."""
        self._png = self._newest = None


class _Png:
    """One PNG on its way: chunks, then rows as far as they came. `canvas_shape` is (height, width)."""

    def __init__(self, canvas_shape: tuple[int, int]) -> None:
        self._canvas_shape = canvas_shape
        self._unread = bytearray()
        self._signed = False
        self._offset = (0, 0)
        self._rows: npt.NDArray[np.uint8] | None = None
        self._channels = 0
        self._inflate = isal_zlib.decompressobj()
        self._inflated = self._finished = 0

    def feed(self, data: bytes | memoryview) -> None:
        """Take in bytes: all complete chunks are read."""
        self._unread += data
        if not self._signed and len(self._unread) >= len(_SIGNATURE):
            if not self._unread.startswith(_SIGNATURE):
                raise StreamError("the still picture cannot be read as a PNG: it does not begin as one")
            del self._unread[: len(_SIGNATURE)]
            self._signed = True
        while self._signed and len(self._unread) >= 8:
            size, kind = struct.unpack_from(">I4s", self._unread)
            if len(self._unread) < 12 + size:
                return
            self._chunk(kind, bytes(self._unread[8 : 8 + size]))
            del self._unread[: 12 + size]

    def picture(self, base: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint8]:
        """Return (h, w, 4) uint8 of the canvas: what came, at its place in `base` if that is not all of it."""
        if self._rows is None or self._finished < len(self._rows):
            raise StreamError("the still picture cannot be read as a PNG: it is cut off")
        height, width = len(self._rows), (self._rows.shape[1] - 1) // self._channels
        left, top = self._offset
        if (height, width) == self._canvas_shape:
            rgba = np.full((height, width, 4), 255, np.uint8)
        elif base is None or base.shape[:2] != self._canvas_shape:
            raise StreamError("the still picture tells differences from one that is not here")
        else:
            rgba = base.copy()
        target = rgba[top : top + height, left : left + width]
        for channel in range(3):
            target[..., channel] = self._rows[:, 1 + channel % self._channels :: self._channels]
        return rgba

    def _chunk(self, kind: bytes, data: bytes) -> None:
        try:
            if kind == b"IHDR" and self._rows is None:
                self._begin(*struct.unpack(">IIBBBBB", data))
            elif kind == b"oFFs":
                self._place(*struct.unpack(">iiB", data))
            elif kind == b"IDAT":
                self._read_rows(data)
        except (struct.error, _DAMAGED) as error:
            raise StreamError(f"the still picture cannot be read as a PNG: {error}") from error

    def _begin(self, width: int, height: int, depth: int, color: int, *methods: int) -> None:
        canvas_height, canvas_width = self._canvas_shape
        if not (0 < width <= canvas_width and 0 < height <= canvas_height):
            raise StreamError(
                f"the still picture is {width} x {height}, its header says {canvas_width} x {canvas_height}"
            )
        if depth != 8 or color not in _CHANNELS or any(methods):
            raise StreamError("the still picture is a PNG, but not one of 8 bits grey or RGB")
        self._channels = _CHANNELS[color]
        self._rows = np.empty((height, 1 + width * self._channels), np.uint8)

    def _place(self, left: int, top: int, _unit: int) -> None:
        rows = self._rows
        height, width = (0, 0) if rows is None else (len(rows), (rows.shape[1] - 1) // self._channels)
        if left < 0 or top < 0 or top + height > self._canvas_shape[0] or left + width > self._canvas_shape[1]:
            raise StreamError("the still picture reaches beyond the canvas")
        self._offset = left, top

    def _read_rows(self, data: bytes) -> None:
        """Inflate, and undo the filter of the rows that are complete: sums down the columns."""
        rows = self._rows
        if rows is None:
            raise StreamError("the still picture cannot be read as a PNG: it has no size")
        flat = rows.reshape(-1)
        left_bytes = flat.size - self._inflated
        found = self._inflate.decompress(data, left_bytes + 1)  # never more than the picture needs
        if len(found) > left_bytes:
            raise StreamError("the still picture cannot be read as a PNG: it has more rows than it says")
        flat[self._inflated : self._inflated + len(found)] = np.frombuffer(found, np.uint8)
        self._inflated += len(found)
        complete = self._inflated // rows.shape[1]
        if np.any(rows[self._finished : complete, 0] != _FILTER_UP):
            raise StreamError("the still picture is a PNG with a filter that no server uses")
        for row in range(max(1, self._finished), complete):
            np.add(rows[row, 1:], rows[row - 1, 1:], out=rows[row, 1:])
        self._finished = complete
