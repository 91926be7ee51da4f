"""ViewerEncoder: when a context does, and when it takes another one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server.encode.choice import EncoderChoice
from napari_cuda.server.encode.effort import Effort
from napari_cuda.server.encode.viewer_encoder import ViewerEncoder, largest_picture
from napari_cuda.server.frames import BufferPool, RenderedFrame

SIZE = (320, 240)


def open_encoder(bit_rate: int, choice: EncoderChoice | None = None, *, full_color: bool = False) -> ViewerEncoder:
    return ViewerEncoder(
        choice or EncoderChoice("x264"),
        Effort(frame_rate=60, cores=2),
        frame_rate=60,
        bit_rate=bit_rate,
        takes_full_color=full_color,
    )


def noise(seed: int, size: tuple[int, int] = SIZE) -> RenderedFrame:
    buffer = BufferPool().acquire(*size)
    buffer.rgba[...] = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 1), np.uint8)
    buffer.rgba[..., 3] = 255
    return RenderedFrame(
        buffer=buffer,
        canvas_size=size,
        revision=1,
        camera=CameraPose(),
        capture_time_us=0,
        picture_hash=picture_hash(buffer.rgba),
    )


@given(st.lists(st.integers(1_000, 40_000), min_size=1, max_size=50))
def test_no_picture_ever_takes_three_times_the_time_of_another(budgets: list[int]) -> None:
    largest = 0
    for budget in budgets:
        largest = largest_picture(largest, budget, 40_000)
        assert largest <= 2.2 * budget
        assert largest * 1.1 >= budget
        assert largest_picture(largest, budget, 40_000) == largest, "it goes to and fro"


def test_a_budget_is_followed_on_the_open_context_and_beyond_its_range_on_another() -> None:
    encoder = open_encoder(40_000 * 8 * 60)
    sizes: dict[int, list[int]] = {}
    epochs: dict[int, int] = {}
    number = 0
    for budget in (40_000, 20_000, 6_000, 40_000):
        for _ in range(12):
            unit, coded_size = encoder.encode(noise(number), keyframe=False, budget=budget)
            number += 1
            assert coded_size == SIZE
            sizes.setdefault(encoder.epoch, []).append(len(unit.data))
        epochs[encoder.epoch] = budget
        assert np.mean(sizes[encoder.epoch][-6:]) == pytest.approx(budget, rel=0.35)
    assert list(epochs) == [1, 2, 3], "20 000 needs no other context than 40 000; 6000 does"
    assert max(sizes[2]) <= 1.3 * 6_000, "the keyframe is no larger than the others"
    encoder.close()


def test_pictures_have_what_they_may_have() -> None:
    """A picture that takes any rate fills its budget, which moves as a link's does: x264 alone leaves a third of it."""
    encoder = open_encoder(80_000 * 8 * 60)
    number = 0
    for budget in (44_000, 48_000, 52_000, 40_000, 30_000, 44_000):
        sizes = []
        for _ in range(40):
            unit, _ = encoder.encode(noise(number), keyframe=False, budget=budget)
            number += 1
            sizes.append(len(unit.data))
        assert np.mean(sizes[20:]) == pytest.approx(budget, rel=0.07)
        assert max(sizes) <= 1.7 * budget
    encoder.close()


def test_an_easy_picture_does_not_have_more_asked_for_the_next() -> None:
    encoder, easy = open_encoder(80_000 * 8 * 60), noise(0)
    for _ in range(60):
        encoder.encode(easy, keyframe=False, budget=30_000)
    sizes = [len(encoder.encode(noise(n), keyframe=False, budget=30_000)[0].data) for n in range(1, 12)]
    assert np.mean(sizes) <= 1.25 * 30_000
    encoder.close()


def test_a_keyframe_asked_for_at_a_low_rate_is_small() -> None:
    encoder = open_encoder(20_000_000)
    for number in range(8):
        encoder.encode(noise(number), keyframe=False, budget=12_500)
    unit, _ = encoder.encode(noise(99), keyframe=True, budget=12_500)
    assert unit.keyframe
    assert len(unit.data) <= 3 * 12_500
    encoder.close()


def test_another_canvas_is_another_epoch_and_begins_with_a_keyframe() -> None:
    encoder = open_encoder(20_000_000)
    encoder.encode(noise(0), keyframe=False, budget=41_000)
    unit, coded_size = encoder.encode(noise(0, (200, 101)), keyframe=False, budget=41_000)
    assert (unit.keyframe, coded_size, encoder.epoch) == (True, (200, 102), 2)
    encoder.close()
