"""A client of the remote framebuffer protocol (RFC 6143, and TigerVNC's extensions) that decodes for real.

Tight (basic, palette, fill, JPEG), ZRLE, CopyRect and Raw; the pointer is asked for apart, so that none is painted
into the picture. Without a `quality` a server sends no JPEG: the picture is then bit for bit the server's.
"""

from __future__ import annotations

import io
import socket
import struct
import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

RAW, COPY_RECT, TIGHT, ZRLE = 0, 1, 7, 16
LAST_RECT, DESKTOP_SIZE, CURSOR, FENCE, CONTINUOUS = -224, -223, -239, -312, -313
_QUALITY_0, _COMPRESSION_0 = -32, -256
_COMPRESSION = 2  # TigerVNC's own default
_REQUEST_FENCE = 1 << 31
_SMALLEST_DEFLATED = 12
_TILE_PX = 64
# 32 bits a pixel, 24 of them used, little-endian; red, green and blue in the order of memory.
_PIXEL_FORMAT = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 0, 8, 16)

Rgb = npt.NDArray[np.uint8]
Read = Callable[[int], bytes]


class Framebuffer:
    """The picture a server describes: `rgb`, (h, w, 3) uint8. Owner: the thread that reads."""

    def __init__(self, width: int, height: int) -> None:
        self.rgb: Rgb = np.zeros((height, width, 3), np.uint8)
        self._tight_streams = [zlib.decompressobj() for _ in range(4)]
        self._zrle_stream = zlib.decompressobj()

    def update(self, read: Read) -> None:
        """Take in one FramebufferUpdate, whose first byte was read; `read(n)` returns the next n bytes.

        Raises ValueError for an encoding that was not asked for.
        """
        (count,) = struct.unpack(">xH", read(3))
        for _ in range(count):
            x, y, width, height, encoding = struct.unpack(">HHHHi", read(12))
            if encoding == LAST_RECT:
                return
            if encoding == DESKTOP_SIZE:
                self.rgb = np.zeros((height, width, 3), np.uint8)
                continue
            if encoding == CURSOR:
                read(4 * width * height + (width + 7) // 8 * height)
                continue
            self._rectangle(read, encoding, self.rgb[y : y + height, x : x + width])

    def _rectangle(self, read: Read, encoding: int, target: Rgb) -> None:
        height, width = target.shape[:2]
        if encoding == RAW:
            target[:] = _pixels(read(4 * width * height), 4).reshape(height, width, 4)[..., :3]
        elif encoding == COPY_RECT:
            from_x, from_y = struct.unpack(">HH", read(4))
            target[:] = self.rgb[from_y : from_y + height, from_x : from_x + width].copy()
        elif encoding == TIGHT:
            self._tight(read, target)
        elif encoding == ZRLE:
            (size,) = struct.unpack(">I", read(4))
            _zrle(self._zrle_stream.decompress(read(size)), target)
        else:
            raise ValueError(f"the server sent encoding {encoding}, which was not asked for")

    def _tight(self, read: Read, target: Rgb) -> None:
        control = read(1)[0]
        for stream in range(4):
            if control >> stream & 1:
                self._tight_streams[stream] = zlib.decompressobj()
        kind = control >> 4
        if kind == 8:
            target[:] = _pixels(read(3), 3)
        elif kind == 9:
            with Image.open(io.BytesIO(read(_compact(read))), formats=("JPEG",)) as image:
                target[:] = np.asarray(image.convert("RGB"))
        elif kind < 8:
            self._tight_basic(read, target, self._tight_streams[kind & 3], filtered=bool(kind & 4))
        else:
            raise ValueError(f"there is no Tight compression {kind}")

    def _tight_basic(self, read: Read, target: Rgb, stream: zlib._Decompress, *, filtered: bool) -> None:
        height, width = target.shape[:2]
        kind = read(1)[0] if filtered else 0
        if kind == 0:
            target[:] = _pixels(_inflated(read, stream, 3 * width * height), 3).reshape(target.shape)
        elif kind == 1:
            palette = _pixels(read(3 * (read(1)[0] + 1)), 3).reshape(-1, 3)
            if len(palette) == 2:
                row_bytes = (width + 7) // 8
                packed = np.frombuffer(_inflated(read, stream, row_bytes * height), np.uint8).reshape(height, row_bytes)
                target[:] = palette[np.unpackbits(packed, axis=1)[:, :width]]
            else:
                indices = np.frombuffer(_inflated(read, stream, width * height), np.uint8)
                target[:] = palette[indices.reshape(height, width)]
        else:
            raise ValueError(f"Tight's filter {kind} is not known here: TigerVNC does not use it")


def _pixels(data: bytes, size: int) -> Rgb:
    return np.frombuffer(data, np.uint8).reshape(-1, size)


def _compact(read: Read) -> int:
    """Return a length of 7, 14 or 22 bits."""
    length = 0
    for shift in (0, 7, 14):
        byte = read(1)[0]
        length |= (byte & (0x7F if shift < 14 else 0xFF)) << shift
        if not byte & 0x80:
            break
    return length


def _inflated(read: Read, stream: zlib._Decompress, size: int) -> bytes:
    return read(size) if size < _SMALLEST_DEFLATED else stream.decompress(read(_compact(read)))


def _zrle(data: bytes, target: Rgb) -> None:
    """Fill a rectangle from its tiles. Pixels are 3 bytes; see RFC 6143, 7.7.6."""
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    for top in range(0, target.shape[0], _TILE_PX):
        for left in range(0, target.shape[1], _TILE_PX):
            tile = target[top : top + _TILE_PX, left : left + _TILE_PX]
            _zrle_tile(take, tile)


def _zrle_tile(take: Read, tile: Rgb) -> None:
    height, width = tile.shape[:2]
    kind = take(1)[0]
    palette = _pixels(take(3 * (kind & 127)), 3)
    if kind == 0:
        tile[:] = _pixels(take(3 * width * height), 3).reshape(tile.shape)
    elif kind == 1:
        tile[:] = palette[0]
    elif kind <= 16:
        bits = 1 if kind == 2 else 2 if kind <= 4 else 4
        row_bytes = (width * bits + 7) // 8
        packed = np.frombuffer(take(row_bytes * height), np.uint8).reshape(height, row_bytes)
        shifts = np.arange(8 - bits, -1, -bits)
        indices = (packed[..., None] >> shifts & (1 << bits) - 1).reshape(height, -1)[:, :width]
        tile[:] = palette[indices]
    elif kind >= 128:
        tile[:] = _runs(take, palette, width * height).reshape(tile.shape)
    else:
        raise ValueError(f"there is no ZRLE tile {kind}")


def _runs(take: Read, palette: Rgb, count: int) -> Rgb:
    pixels = np.empty((count, 3), np.uint8)
    at = 0
    while at < count:
        index = take(1)[0] if len(palette) else -1
        color = palette[index & 127] if len(palette) else _pixels(take(3), 3)[0]
        length = 1
        if not len(palette) or index & 128:
            byte = 255
            while byte == 255:
                byte = take(1)[0]
                length += byte
        pixels[at : at + length] = color
        at += length
    return pixels


class RfbClient:
    """A shared connection to a server without a password. One thread reads; any may move the pointer or press a key."""

    def __init__(
        self,
        port: int,
        *,
        quality: int | None,
        encodings: tuple[int, ...] = (TIGHT,),
        pointer: tuple[int, int, bool] | None = None,
    ) -> None:
        """Connect to loopback. `quality` is of JPEG, 0 to 9; None: without loss.

        `pointer` is (x, y, pressed) as another client left it: whoever does not seem to know gets a picture with the
        pointer painted into it. Raises ConnectionError if there is no such server.
        """
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb", buffering=1 << 18)
        self.received_bytes = 0
        self._continuous = False
        self._shake_hands()
        width, height = struct.unpack(">HH16x", self._read(20))
        (name_size,) = struct.unpack(">I", self._read(4))
        self._read(name_size)
        self.framebuffer = Framebuffer(width, height)
        asked = [*encodings, COPY_RECT, RAW, CURSOR, DESKTOP_SIZE, LAST_RECT, FENCE, CONTINUOUS]
        asked.append(_COMPRESSION_0 + _COMPRESSION)
        if quality is not None:
            asked.append(_QUALITY_0 + quality)
        self._socket.sendall(struct.pack(">Bxxx", 0) + _PIXEL_FORMAT)
        self._socket.sendall(struct.pack(f">BxH{len(asked)}i", 2, len(asked), *asked))
        if pointer is not None:
            self.point(*pointer[:2], pressed=pointer[2])
        self._ask(incremental=False)

    def next_update(self) -> bool:
        """Wait for the next message; True if it changed the picture."""
        kind = self._read(1)[0]
        if kind == 0:
            self.framebuffer.update(self._read)
            if not self._continuous:
                self._ask(incremental=True)
            return True
        if kind == 1:  # colour map: there is none
            _, colors = struct.unpack(">xHH", self._read(5))
            self._read(6 * colors)
        elif kind == 3:
            (size,) = struct.unpack(">3xI", self._read(7))
            self._read(size)
        elif kind == 150:
            self._continuous = True
            height, width = self.framebuffer.rgb.shape[:2]
            self._socket.sendall(struct.pack(">BBHHHH", 150, 1, 0, 0, width, height))
        elif kind == 248:
            flags, size = struct.unpack(">3xIB", self._read(8))
            payload = self._read(size)
            if flags & _REQUEST_FENCE:
                self._socket.sendall(struct.pack(">B3xIB", 248, flags & 7, size) + payload)
        elif kind != 2:  # a bell
            raise ValueError(f"the server sent a message of kind {kind}")
        return False

    def point(self, x: int, y: int, *, pressed: bool) -> None:
        """Move the pointer, with the left button pressed or not."""
        self._socket.sendall(struct.pack(">BBHH", 5, int(pressed), x, y))

    def key(self, keysym: int) -> None:
        """Press a key and let it go."""
        self._socket.sendall(b"".join(struct.pack(">BBxxI", 4, down, keysym) for down in (1, 0)))

    def close(self) -> None:
        """End the connection; a thread that waits for an update gets an OSError or ValueError."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _shake_hands(self) -> None:
        self._read(12)
        self._socket.sendall(b"RFB 003.008\n")
        kinds = self._read(self._read(1)[0])
        if 1 not in kinds:
            raise ConnectionError("the server wants a password: start it with -SecurityTypes None")
        self._socket.sendall(b"\x01")
        if self._read(4) != bytes(4):
            raise ConnectionError("the server refused us")
        self._socket.sendall(b"\x01")  # others may stay connected

    def _ask(self, *, incremental: bool) -> None:
        height, width = self.framebuffer.rgb.shape[:2]
        self._socket.sendall(struct.pack(">BBHHHH", 3, int(incremental), 0, 0, width, height))

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise ConnectionError("the server closed the connection")
        self.received_bytes += size
        return data
