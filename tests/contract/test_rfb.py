"""The VNC client of `benchmarks/peers.py` decodes what TigerVNC sent, bit for bit where it is without loss."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from rfb import COPY_RECT, CURSOR, LAST_RECT, RAW, TIGHT, ZRLE, Framebuffer

from pictures import psnr_db

RECORDED = json.loads((Path(__file__).parents[1] / "vectors" / "rfb_updates.json").read_text())


class Wire:
    """Bytes that are read as from a socket."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def read(self, size: int) -> bytes:
        data, self.left = self.left[:size], self.left[size:]
        assert len(data) == size, "more is read than was sent"
        return data


def recorded(name: str) -> np.ndarray:
    """Return the picture of a recorded message."""
    wire = Wire(zlib.decompress(base64.b64decode(RECORDED["messages"][name])))
    assert wire.read(1) == b"\0"
    framebuffer = Framebuffer(*RECORDED["size"])
    framebuffer.update(wire.read)
    assert not wire.left, "not all of the message was read"
    return framebuffer.rgb


def decoded(*rectangles: tuple[tuple[int, int, int, int], int, bytes], size: tuple[int, int] = (8, 4)) -> np.ndarray:
    """Return the picture of rectangles: (x, y, width, height), encoding, data."""
    body = b"".join(struct.pack(">HHHHi", *place, encoding) + data for place, encoding, data in rectangles)
    wire = Wire(struct.pack(">xH", len(rectangles)) + body)
    framebuffer = Framebuffer(*size)
    framebuffer.update(wire.read)
    assert not wire.left
    return framebuffer.rgb


@pytest.mark.parametrize("encoding", ["tight", "zrle"])
def test_a_picture_without_loss_is_the_server_s(encoding: str) -> None:
    exact = recorded("raw")
    assert len(np.unique(exact.reshape(-1, 3), axis=0)) > 1000, "the screen has flat areas, noise and a gradient"
    assert np.array_equal(recorded(encoding), exact)


def test_a_lossy_picture_is_near_it() -> None:
    exact, lossy = recorded("raw"), recorded("tight quality 8")
    assert not np.array_equal(lossy, exact)
    assert psnr_db(lossy, exact) > 30


def test_tight_fills_palettes_and_goes_on_with_its_streams() -> None:
    fill = bytes([0x80, 1, 2, 3])
    # Two colours: a bit a pixel, rows of whole bytes, and too short to be deflated.
    two = bytes([0x40, 1, 1, 10, 10, 10, 20, 20, 20, 0b01000000, 0b10000000])
    three = bytes([0x50, 1, 2, 5, 5, 5, 6, 6, 6, 7, 7, 7, 0, 1, 2, 2])
    picture = decoded(((0, 0, 8, 4), TIGHT, fill), ((0, 0, 2, 2), TIGHT, two), ((4, 0, 2, 2), TIGHT, three))
    assert picture[3, 7].tolist() == [1, 2, 3]
    assert picture[:2, :2, 0].tolist() == [[10, 20], [20, 10]]
    assert picture[:2, 4:6, 0].tolist() == [[5, 6], [7, 7]]

    stream, first, second = zlib.compressobj(), bytes(range(24)), bytes(range(100, 124))
    deflated = [stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH) for data in (first, second)]
    parts = [bytes([0x00, len(data)]) + data for data in deflated]
    picture = decoded(((0, 0, 8, 1), TIGHT, parts[0]), ((0, 1, 8, 1), TIGHT, parts[1]))
    assert picture[:2].tobytes() == first + second


@pytest.mark.parametrize("pixels", [5, 100, 9000])
def test_tight_lengths_have_seven_bits_a_byte(pixels: int) -> None:
    data = zlib.compressobj(0)
    deflated = data.compress(bytes([7]) * 3 * pixels) + data.flush(zlib.Z_SYNC_FLUSH)
    length = bytes([len(deflated) & 127 | 128, len(deflated) >> 7 & 127 | 128, len(deflated) >> 14])
    assert decoded(((0, 0, pixels, 1), TIGHT, b"\0" + length + deflated), size=(pixels, 1)).min() == 7


def test_zrle_tiles_of_every_kind() -> None:
    def tile(data: bytes) -> bytes:
        deflated = zlib.compress(data)
        return struct.pack(">I", len(deflated)) + deflated

    solid = decoded(((0, 0, 8, 4), ZRLE, tile(bytes([1, 9, 8, 7]))))
    assert (solid == [9, 8, 7]).all()
    packed = decoded(((0, 0, 4, 1), ZRLE, tile(bytes([3, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0b00011000]))), size=(4, 1))
    assert packed[0, :, 0].tolist() == [1, 2, 3, 1]
    runs = decoded(((0, 0, 8, 4), ZRLE, tile(bytes([128, 4, 4, 4, 30, 5, 5, 5, 0]))))
    assert (runs.reshape(-1, 3)[:31] == 4).all()
    assert (runs[3, 7] == 5).all()
    palette = decoded(((0, 0, 8, 4), ZRLE, tile(bytes([130, 6, 6, 6, 7, 7, 7, 0, 129, 30]))))
    assert (palette[0, 0] == 6).all()
    assert (palette.reshape(-1, 3)[1:] == 7).all()


def test_copies_raw_pixels_and_no_pointer() -> None:
    raw = bytes([1, 2, 3, 0]) * 2
    pointer = bytes(4 * 16 * 16 + 2 * 16)
    copy = struct.pack(">HH", 0, 0)
    picture = decoded(((0, 0, 2, 1), RAW, raw), ((3, 3, 16, 16), CURSOR, pointer), ((6, 3, 2, 1), COPY_RECT, copy))
    assert (picture[3, 6:] == [1, 2, 3]).all()
    assert picture.sum() == 4 * 6


def test_an_update_may_end_early_and_unknown_encodings_are_named() -> None:
    body = struct.pack(">HHHHi", 0, 0, 0, 0, LAST_RECT)
    Framebuffer(8, 4).update(Wire(struct.pack(">xH", 0xFFFF) + body).read)
    with pytest.raises(ValueError, match="encoding 5"):
        decoded(((0, 0, 8, 4), 5, b""))
