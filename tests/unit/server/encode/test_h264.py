from __future__ import annotations

import numpy as np
import pytest

from napari_cuda.bitstream.annexb import is_idr
from napari_cuda.bitstream.sps import sps_of
from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.h264 import H264Encoder, coded_size_for, probe_encoders
from pictures import noisy_pan, opaque

SIZE = (192, 128)


@pytest.mark.parametrize(
    ("canvas", "coded"), [((1280, 720), (1280, 720)), ((1279, 720), (1280, 720)), ((1, 719), (2, 720))]
)
def test_coded_size_is_the_next_even_one(canvas: tuple[int, int], coded: tuple[int, int]) -> None:
    assert coded_size_for(canvas) == coded
    assert H264Encoder(canvas, frame_rate=60).coded_size == coded


@pytest.mark.parametrize("preset", ["ultrafast", "superfast"])
@pytest.mark.parametrize("threads", [1, 2])
def test_idr_first_and_on_request_only(preset: str, threads: int) -> None:
    encoder = H264Encoder(SIZE, frame_rate=60, preset=preset, threads=threads)
    units = [encoder.encode(picture, keyframe=index == 25) for index, picture in enumerate(noisy_pan(40, SIZE))]
    assert [index for index, unit in enumerate(units) if unit.keyframe] == [0, 25]
    assert [index for index, unit in enumerate(units) if is_idr(unit.data)] == [0, 25]
    assert [index for index, unit in enumerate(units) if sps_of(unit.data) is not None] == [0, 25]


def test_a_change_of_scene_is_no_reason_for_an_idr() -> None:
    encoder = H264Encoder(SIZE, frame_rate=30, preset="superfast")
    # Long enough after the first IDR that x264 would think another one affordable.
    pictures = [*noisy_pan(70, SIZE), *(255 - picture for picture in noisy_pan(5, SIZE)), opaque((0, 200, 0), SIZE)]
    assert [index for index, picture in enumerate(pictures) if encoder.encode(picture).keyframe] == [0]


def test_an_unchanged_picture_costs_next_to_nothing() -> None:
    encoder = H264Encoder(SIZE, frame_rate=60)
    picture = noisy_pan(1, SIZE)[0]
    sizes = [len(encoder.encode(picture).data) for _ in range(30)]
    assert max(sizes[-5:]) < 300


def test_an_easy_picture_leaves_the_bit_rate_unused() -> None:
    size, bit_rate = (640, 360), 8_000_000
    encoder = H264Encoder(size, frame_rate=60, bit_rate=bit_rate)
    sizes = [len(encoder.encode(picture).data) for picture in noisy_pan(40, size)]
    assert np.median(sizes[10:]) < 0.4 * bit_rate / 60 / 8


def test_no_frame_exceeds_its_share_of_the_bit_rate() -> None:
    encoder = H264Encoder((640, 360), frame_rate=50, bit_rate=4_000_000)
    rng = np.random.default_rng(0)
    noise = [opaque(rng.integers(0, 256, (360, 640, 3)), (640, 360)) for _ in range(10)]
    share = 4_000_000 / 50 / 8
    sizes = [len(encoder.encode(picture, keyframe=index == 5).data) for index, picture in enumerate(noise)]
    # A picture of pure noise cannot be squeezed below the coarsest quantiser: a quarter more is x264's best.
    assert max(sizes) < 1.25 * share + 1000  # the SEI with x264's options counts too
    assert max(sizes) > 0.5 * share


def test_steering_changes_the_bytes_and_makes_no_idr() -> None:
    size, ceiling = (640, 360), 12_000_000
    encoder = H264Encoder(size, frame_rate=60, bit_rate=ceiling)
    rng = np.random.default_rng(0)

    def mean_bytes(count: int) -> float:
        # New noise in every picture: as much as is allowed is spent on it.
        noise = (opaque(rng.normal(120, 40, (360, 640, 1)).clip(0, 255), size) for _ in range(count))
        units = [encoder.encode(picture) for picture in noise]
        assert not any(unit.keyframe for unit in units[1:])
        return float(np.mean([len(unit.data) for unit in units[10:]]))

    fast = mean_bytes(20)
    encoder.steer(ceiling // 4)
    slow = mean_bytes(20)
    encoder.steer(10 * ceiling)
    again = mean_bytes(20)
    share = ceiling / 60 / 8
    assert 0.7 * share < fast < share
    assert slow == pytest.approx(share / 4, rel=0.25)
    assert again == pytest.approx(fast, rel=0.2)


def test_rows_may_be_padded() -> None:
    room = np.zeros((SIZE[1], SIZE[0] + 8, 4), np.uint8)
    picture = noisy_pan(1, SIZE)[0]
    room[:, : SIZE[0]] = picture
    packed, padded = (H264Encoder(SIZE, frame_rate=60).encode(each) for each in (picture, room[:, : SIZE[0]]))
    assert packed.data == padded.data


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((128, 192, 3), np.uint8),
        np.zeros((128, 192), np.uint8),
        np.zeros((128, 192, 4), np.float32),
        np.zeros((128, 192, 4), np.uint8)[::-1],
        np.zeros((0, 192, 4), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused_and_harms_nothing(picture: np.ndarray) -> None:
    encoder = H264Encoder(SIZE, frame_rate=60)
    encoder.encode(noisy_pan(1, SIZE)[0])
    with pytest.raises(StreamError, match="cannot encode a picture of shape"):
        encoder.encode(picture)
    assert not encoder.encode(noisy_pan(1, SIZE)[0]).keyframe


@pytest.mark.parametrize(("size", "preset"), [((0, 0), "ultrafast"), ((-2, 64), "ultrafast"), (SIZE, "quickest")])
def test_what_cannot_be_opened_is_a_named_error(size: tuple[int, int], preset: str) -> None:
    with pytest.raises(StreamError, match="cannot open libx264"):
        H264Encoder(size, frame_rate=60, preset=preset)


def test_a_closed_encoder_says_so() -> None:
    encoder = H264Encoder(SIZE, frame_rate=60)
    encoder.close()
    encoder.close()
    with pytest.raises(StreamError, match="closed"):
        encoder.encode(opaque(0, SIZE))
    with pytest.raises(StreamError, match="closed"):
        encoder.steer(1_000_000)


def test_probing_opens_and_explains() -> None:
    probes = {probe.name: probe for probe in probe_encoders()}
    assert probes["libx264"].usable
    assert not probes["h264_videotoolbox"].usable  # not on Linux
    assert all(bool(probe.reason) != probe.usable for probe in probes.values())
