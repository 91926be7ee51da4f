from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.still import encode_still
from pictures import noisy_pan, opaque, patches


def read_back(png: bytes) -> tuple[str, np.ndarray]:
    image = Image.open(io.BytesIO(png))
    return image.mode, np.asarray(image.convert("RGBA"))


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(0, 2**32 - 1))
def test_every_picture_comes_back_exactly(width: int, height: int, grey: bool, seed: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 1 if grey else 3), np.uint8)
    picture = opaque(rgb, (width, height))
    mode, found = read_back(encode_still(picture))
    assert np.array_equal(found, picture)
    assert mode == "L" or not grey


def test_grey_pictures_are_sent_as_grey() -> None:
    assert read_back(encode_still(noisy_pan(1, (64, 48))[0]))[0] == "L"
    assert read_back(encode_still(patches((64, 48))))[0] == "RGB"


def test_one_coloured_pixel_in_the_last_row_makes_it_rgb() -> None:
    picture = opaque(90, (64, 48))
    picture[47, 63, 2] = 91
    mode, found = read_back(encode_still(picture))
    assert mode == "RGB"
    assert np.array_equal(found, picture)


def test_flat_pictures_are_small() -> None:
    assert len(encode_still(opaque((10, 200, 30), (1280, 720)))) < 30_000


def test_a_translucent_picture_is_refused() -> None:
    picture = opaque(90, (64, 48))
    picture[47, 63, 3] = 254
    with pytest.raises(StreamError, match="opaque"):
        encode_still(picture)


@pytest.mark.parametrize(("shape", "dtype"), [((4, 4, 3), "u1"), ((4, 4), "u1"), ((4, 4, 4), "f4"), ((0, 4, 4), "u1")])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(StreamError, match="must be"):
        encode_still(np.full(shape, 255, dtype))
