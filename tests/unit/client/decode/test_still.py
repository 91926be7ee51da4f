from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_cuda.client.decode.still import decode_still
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.still import encode_still
from pictures import noisy_pan, opaque, patches

SIZE = (64, 48)


@pytest.mark.parametrize("picture", [noisy_pan(1, SIZE)[0], patches(SIZE), opaque(0, SIZE)])
def test_the_exact_picture_comes_back(picture: np.ndarray) -> None:
    found = decode_still(encode_still(picture), picture_hash(picture), expected_size=SIZE).rgba
    assert found.flags.c_contiguous
    assert np.array_equal(found, picture)


def test_another_picture_than_announced_is_refused() -> None:
    with pytest.raises(StreamError, match="the server rendered"):
        decode_still(encode_still(opaque(1, SIZE)), picture_hash(opaque(2, SIZE)))


def test_another_size_than_announced_is_refused() -> None:
    picture = opaque(1, SIZE)
    with pytest.raises(StreamError, match="its header says"):
        decode_still(encode_still(picture), picture_hash(picture), expected_size=(48, 64))


def test_only_png_is_opened() -> None:
    jpeg = io.BytesIO()
    Image.new("RGB", SIZE).save(jpeg, "JPEG")
    with pytest.raises(StreamError, match="cannot be read as a PNG"):
        decode_still(jpeg.getvalue(), 0)


def test_an_absurd_size_is_refused_before_memory_is_taken() -> None:
    png = bytearray(encode_still(opaque(1, SIZE)))
    header = png.index(b"IHDR") + 4
    png[header : header + 8] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(StreamError):
        decode_still(bytes(png), 0)


@given(st.integers(0, 10_000), st.integers(1, 255), st.integers(0, 10_000))
def test_damage_is_a_named_error(at: int, change: int, cut: int) -> None:
    picture = patches(SIZE)
    png = bytearray(encode_still(picture))
    png[at % len(png)] ^= change
    del png[len(png) - cut % len(png) :]
    try:
        found = decode_still(memoryview(png), picture_hash(picture), expected_size=SIZE)
    except StreamError as error:
        assert "\n" not in str(error)
    else:
        assert np.array_equal(found.rgba, picture)  # what was hit does not matter, such as the end chunk
