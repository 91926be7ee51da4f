"""JpegEncoder: the picture, its size in bytes, and what it does with less detail."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server.encode.jpeg import JpegEncoder
from napari_cuda.server.frames import PixelBuffer, RenderedFrame

SIZE = (320, 240)
PLENTY = 10_000_000


def frame_of(rgba: npt.NDArray[np.uint8], *, sharp_color: bool = False) -> RenderedFrame:
    return RenderedFrame(PixelBuffer(rgba), SIZE, 1, CameraPose(), 0, 0, sharp_color=sharp_color)


@pytest.fixture
def noisy(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    waves = 128 + 90 * np.sin(np.arange(SIZE[0]) / 20.0)
    picture = waves[None, :, None] + rng.normal(0, 12, (SIZE[1], SIZE[0], 4))
    return np.clip(picture, 0, 255).astype(np.uint8)


def decoded(data: bytes) -> npt.NDArray[np.int32]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int32)


def test_a_picture_is_what_was_given(noisy: npt.NDArray[np.uint8]) -> None:
    padded = np.zeros((SIZE[1], SIZE[0] + 7, 4), np.uint8)
    padded[:, : SIZE[0]] = noisy
    unit, size = JpegEncoder().encode(frame_of(padded[:, : SIZE[0]]), keyframe=False, budget=PLENTY)
    assert unit.keyframe and size == SIZE
    assert np.abs(decoded(unit.data) - noisy[..., :3]).mean() < 10
    assert np.abs(decoded(unit.data).mean((0, 1)) - noisy[..., :3].mean((0, 1))).max() < 1


@pytest.mark.parametrize("budget", [6_000, 12_000, 30_000])
def test_pictures_come_to_fit_their_budget(noisy: npt.NDArray[np.uint8], budget: int) -> None:
    encoder = JpegEncoder()
    sizes = [len(encoder.encode(frame_of(noisy), keyframe=False, budget=budget)[0].data) for _ in range(8)]
    assert sizes[0] <= 3 * budget, "made again at once, if far too large"
    assert 0.6 * budget <= sizes[-1] <= 1.1 * budget


def test_quality_rises_with_the_budget_and_not_beyond_what_is_seen(noisy: npt.NDArray[np.uint8]) -> None:
    encoder = JpegEncoder()
    for _ in range(8):
        encoder.encode(frame_of(noisy), keyframe=False, budget=4_000)
    assert encoder.coding != "JPEG quality 90 4:2:0"
    for _ in range(8):
        encoder.encode(frame_of(noisy), keyframe=False, budget=PLENTY)
    assert encoder.coding == "JPEG quality 90 4:2:0"


def test_edges_between_colours_stay_sharp_where_there_are_some() -> None:
    lines = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    lines[:, ::2, 0] = 255
    lines[:, 1::2, 1] = 255
    errors = {}
    for sharp in (False, True):
        unit, _ = JpegEncoder().encode(frame_of(lines, sharp_color=sharp), keyframe=False, budget=PLENTY)
        errors[sharp] = float(np.abs(decoded(unit.data) - lines[..., :3]).mean())
    assert errors[True] < errors[False] / 4


def test_less_detail_is_sent_as_small_as_it_is(noisy: npt.NDArray[np.uint8]) -> None:
    encoder = JpegEncoder()
    assert encoder.encode(frame_of(noisy[::2, ::2]), keyframe=False, budget=PLENTY)[1] == (160, 120)
    assert encoder.encode(frame_of(noisy), keyframe=False, budget=PLENTY, scale=0.75)[1] == (240, 180)
