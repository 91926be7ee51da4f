from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server.encode.still import StillEncoding, Stills
from napari_cuda.server.encode.still_pace import LARGEST_PART
from napari_cuda.server.frames import PixelBuffer, RenderedFrame
from pictures import noisy_pan, opaque, patches
from stills import parts_of

SIZE = (64, 48)


def read_back(picture: np.ndarray, base: np.ndarray | None = None) -> tuple[Image.Image, np.ndarray]:
    image = Image.open(io.BytesIO(b"".join(parts_of(picture, base))))
    return image, np.asarray(image.convert("RGBA"))


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(0, 2**32 - 1))
def test_every_picture_comes_back_exactly(width: int, height: int, grey: bool, seed: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 1 if grey else 3), np.uint8)
    picture = opaque(rgb, (width, height))
    image, found = read_back(picture)
    assert np.array_equal(found, picture)
    assert image.mode == "L" or not grey


def test_grey_pictures_are_sent_as_grey() -> None:
    assert read_back(noisy_pan(1, SIZE)[0])[0].mode == "L"
    assert read_back(patches(SIZE))[0].mode == "RGB"


def test_one_coloured_pixel_in_the_last_row_makes_it_rgb() -> None:
    picture = opaque(90, SIZE)
    picture[47, 63, 2] = 91
    image, found = read_back(picture)
    assert image.mode == "RGB"
    assert np.array_equal(found, picture)


def test_flat_pictures_are_small() -> None:
    assert len(b"".join(parts_of(opaque((10, 200, 30), (1280, 720))))) < 30_000


def test_parts_are_of_one_size_but_the_last() -> None:
    noise = opaque(np.random.default_rng(0).integers(0, 256, (128, 512, 3), np.uint8), (512, 128))
    sizes = [len(part) for part in parts_of(noise)]
    assert len(sizes) > 3
    assert set(sizes[:-1]) == {LARGEST_PART}
    assert 0 < sizes[-1] <= LARGEST_PART


def test_a_still_of_one_part_is_its_last() -> None:
    assert StillEncoding(opaque(3, SIZE)).next_part()[1]


def test_what_is_not_asked_for_is_not_encoded() -> None:
    """So a picture that nobody wants any more costs no more than the part under way."""
    noise = opaque(np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8), (1024, 1024))
    encoding = StillEncoding(noise)
    encoding.next_part()
    noise[...] = 255  # the rest of the picture is read later, and is small now
    rest = 0
    while not (part := encoding.next_part())[1]:
        rest += len(part[0])
    assert rest < 5 * LARGEST_PART


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 24), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_of_a_picture_that_is_held_only_what_differs_is_sent(
    left: int, top: int, width: int, height: int, seed: int
) -> None:
    base = patches(SIZE)
    picture = base.copy()
    changed = picture[top : top + height, left : left + width, :3]
    changed ^= np.random.default_rng(seed).integers(1, 256, changed.shape, np.uint8)  # none stays as it is
    _image, found = read_back(picture, base)
    assert offset_of(picture, base) == (left, top)
    assert np.array_equal(found, picture[top : top + height, left : left + width])


def offset_of(picture: np.ndarray, base: np.ndarray) -> tuple[int, int]:
    """Read the chunk that Pillow does not know; (0, 0) without it."""
    png = b"".join(parts_of(picture, base))
    at = png.find(b"oFFs")
    left, top = (int.from_bytes(png[at + 4 + 4 * i : at + 8 + 4 * i], "big") if at >= 0 else 0 for i in range(2))
    return left, top


def test_the_same_picture_again_is_one_pixel() -> None:
    assert read_back(patches(SIZE), patches(SIZE))[0].size == (1, 1)


def test_of_another_size_nothing_is_held() -> None:
    assert read_back(opaque(1, SIZE), opaque(1, (32, 24)))[0].size == SIZE


def test_a_translucent_picture_is_refused() -> None:
    picture = opaque(90, SIZE)
    picture[47, 63, 3] = 254
    with pytest.raises(StreamError, match="opaque"):
        StillEncoding(picture)


@pytest.mark.parametrize(("shape", "dtype"), [((4, 4, 3), "u1"), ((4, 4), "u1"), ((4, 4, 4), "f4"), ((0, 4, 4), "u1")])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(StreamError, match="must be"):
        StillEncoding(np.full(shape, 255, dtype))


NOISE = np.random.default_rng(1).integers(0, 256, (256, 512, 3), np.uint8)
FRAME = RenderedFrame(PixelBuffer(opaque(NOISE, (512, 256))), (512, 256), 1, CameraPose(), 0, picture_hash=1)
OTHER = replace(FRAME, buffer=PixelBuffer(opaque(NOISE[::-1], (512, 256))), picture_hash=2)


def sizes_of(stills: Stills, frame: RenderedFrame) -> list[int]:
    """Take all parts of a frame; their indices count from 0."""
    parts = [stills.next_part(frame, LARGEST_PART)]
    while not parts[-1].last:
        parts.append(stills.next_part(frame, LARGEST_PART))
    assert [part.index for part in parts] == list(range(len(parts)))
    return [len(part.data) for part in parts]


def test_a_cancelled_still_begins_again_and_is_whole() -> None:
    stills = Stills()
    first = stills.next_part(FRAME, LARGEST_PART)
    stills.cancel()
    assert stills.next_part(FRAME, LARGEST_PART) == first
    sizes = sizes_of(stills, OTHER)  # another picture cancels by itself
    assert sum(sizes) > NOISE.size


def test_a_viewer_that_holds_one_gets_the_differences_until_it_holds_nothing() -> None:
    stills = Stills()
    whole = sum(sizes_of(stills, FRAME))
    near = replace(FRAME, buffer=PixelBuffer(FRAME.buffer.rgba.copy()), picture_hash=3)
    near.buffer.rgba[9, 9, 0] ^= 1
    assert sum(sizes_of(stills, near)) < 200
    stills.next_part(OTHER, LARGEST_PART)
    stills.cancel()
    assert sum(sizes_of(stills, FRAME)) < 200, "a still that was never complete is not held"
    stills.forget()
    assert sum(sizes_of(stills, FRAME)) == whole
