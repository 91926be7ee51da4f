"""What the server's encoders promise to the client's decoders, on the real codecs."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.still import StillDecoder
from napari_cuda.client.playout.picture import ColorSpec
from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.h264 import H264Encoder
from pictures import Rgba, luma_of, noisy_pan, opaque, patches, psnr_db, rgb_of
from stills import parts_of, read

PRESETS = ["ultrafast", "superfast"]


def settled(picture: Rgba, canvas: tuple[int, int], repeats: int = 12) -> np.ndarray:
    """Send a picture until the rate control has nothing left to refine; return what is shown, (h, w, 3)."""
    encoder, decoder = H264Encoder(canvas, frame_rate=60), H264Decoder()
    for _ in range(repeats):
        decoded = decoder.decode(encoder.encode(picture).data, expected_size=encoder.coded_size)
    return rgb_of(decoded, canvas)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("threads", [1, 2])
def test_one_in_one_out_for_300_frames(preset: str, threads: int) -> None:
    size = (320, 200)
    encoder = H264Encoder(size, frame_rate=60, preset=preset, threads=threads)
    decoder = H264Decoder()
    for index, picture in enumerate(noisy_pan(300, size)):
        unit = encoder.encode(picture, keyframe=index % 100 == 50)
        decoded = decoder.decode(unit.data, expected_size=size)
        # Not merely some picture: this one, and not its predecessor.
        if index % 100 == 40:
            shown = decoded.y[: size[1], : size[0]]
            assert psnr_db(shown, luma_of(picture)) > 36
            assert psnr_db(shown, luma_of(np.roll(picture, (2, 3), (0, 1)))) < 32


def test_colours_survive_within_6() -> None:
    size = (256, 192)
    picture = patches(size)
    shown = settled(picture, size)
    # Away from the edges between patches, where chroma is shared by two colours.
    inside = np.zeros(size[::-1], bool)
    for top in range(0, size[1], 32):
        for left in range(0, size[0], 32):
            inside[top + 8 : top + 24, left + 8 : left + 24] = True
    assert np.abs(shown - picture[..., :3])[inside].max() <= 6


def test_grey_is_exact_within_2_from_black_to_white() -> None:
    ramp = opaque(np.arange(256)[None, :, None], (256, 64))
    assert np.abs(settled(ramp, (256, 64)) - ramp[..., :3]).max() <= 2


def test_the_stream_says_what_its_colours_mean() -> None:
    decoded = H264Decoder().decode(H264Encoder((64, 48), frame_rate=60).encode(opaque(90, (64, 48))).data)
    assert decoded.color == ColorSpec("bt709", full_range=True)


def test_limited_range_says_so_and_has_the_same_colours() -> None:
    size = (256, 192)
    picture = patches(size)
    encoder, decoder = H264Encoder(size, frame_rate=60, full_range=False), H264Decoder()
    for _ in range(12):
        decoded = decoder.decode(encoder.encode(picture).data, expected_size=encoder.coded_size)
    assert decoded.color == ColorSpec("bt601", full_range=False)
    inside = np.zeros(size[::-1], bool)
    inside[12::32, 12::32] = True
    assert np.abs(rgb_of(decoded, size) - picture[..., :3])[inside].max() <= 7
    assert decoded.chroma_shift == (1, 1)


@pytest.mark.parametrize("canvas", [(319, 200), (320, 199), (319, 199), (17, 15), (3, 3), (1, 1), (2, 2)])
def test_odd_sizes_move_no_pixel(canvas: tuple[int, int]) -> None:
    width, height = canvas
    # Vertical and horizontal lines, two pixels wide: moved by half a pixel they would turn grey.
    pattern = 255 * ((np.arange(width)[None, :] // 2 + np.arange(height)[:, None] // 2) % 2)
    picture = opaque(pattern[..., None], canvas)
    shown = settled(picture, canvas)
    assert shown.shape == (height, width, 3)
    assert np.abs(shown - picture[..., :3]).max() <= 24
    assert psnr_db(shown, picture[..., :3]) > 36


def test_the_padding_of_odd_sizes_repeats_the_edge() -> None:
    canvas = (63, 47)
    picture = opaque(np.linspace(40, 220, 63)[None, :, None], canvas)
    decoder, encoder = H264Decoder(), H264Encoder(canvas, frame_rate=60)
    for _ in range(8):
        decoded = decoder.decode(encoder.encode(picture).data, expected_size=(64, 48))
    assert np.abs(decoded.y[:48, 63].astype(int) - 220).max() <= 4
    assert np.abs(decoded.y[47, :63].astype(int) - decoded.y[46, :63]).max() <= 6


@pytest.mark.parametrize(("canvas", "half_size"), [((320, 200), (160, 100)), ((319, 199), (160, 100))])
def test_a_half_size_picture_fills_the_canvas_in_place(canvas: tuple[int, int], half_size: tuple[int, int]) -> None:
    half = opaque((20, 40, 60), half_size)
    half[10:60, 30:90, :3] = (200, 180, 160)
    shown = settled(half, canvas)
    assert np.abs(shown[60, 80] - (200, 180, 160)).max() <= 6
    assert np.abs(shown[180, 300] - (20, 40, 60)).max() <= 6
    weight = shown.sum(-1) - 120
    weight[weight < 60] = 0
    y, x = np.mgrid[: canvas[1], : canvas[0]] + 0.5
    centre = (weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()
    scale = canvas[0] / half_size[0], canvas[1] / half_size[1]
    assert centre == pytest.approx((60 * scale[0], 35 * scale[1]), abs=0.25)


def test_a_coarser_picture_is_in_place_and_needs_no_keyframe() -> None:
    canvas = (320, 200)
    picture = noisy_pan(1, canvas)[0]
    encoder, decoder = H264Encoder(canvas, frame_rate=60), H264Decoder()
    units = [encoder.encode(picture, scale=scale) for scale in (1.0, 0.75, 0.75, 0.75, *[1.0] * 8)]
    assert [unit.keyframe for unit in units] == [True] + [False] * 11
    levels = []
    for unit in units:
        shown = decoder.decode(unit.data, expected_size=canvas).y[:200, :320]
        levels.append(psnr_db(shown, luma_of(picture)))
    assert 20 < levels[3] < 36 < levels[-1], "it loses detail, and nothing moves"


def test_full_and_reduced_detail_alternate_without_an_idr() -> None:
    canvas = (320, 200)
    full = noisy_pan(1, canvas)[0]
    half = np.ascontiguousarray(full[::2, ::2])
    encoder, decoder = H264Encoder(canvas, frame_rate=60), H264Decoder()
    units = [encoder.encode(picture) for picture in (half, full, half, *[full] * 8)]
    assert [unit.keyframe for unit in units] == [True] + [False] * 10
    for unit in units:
        decoded = decoder.decode(unit.data, expected_size=canvas)
    assert psnr_db(decoded.y[:200, :320], luma_of(full)) > 36


@pytest.mark.parametrize("preset", PRESETS)
def test_a_noisy_pan_at_720p_stays_above_38_db(preset: str) -> None:
    size = (1280, 720)
    encoder, decoder = H264Encoder(size, frame_rate=60, preset=preset), H264Decoder()
    levels = []
    for picture in noisy_pan(30, size):
        decoded = decoder.decode(encoder.encode(picture).data)
        levels.append(psnr_db(decoded.y[:720, :1280], luma_of(picture)))
    # The IDR must fit one frame's share of the link, so the first pictures are coarse.
    assert min(levels[5:]) >= 34
    assert np.median(levels[5:]) >= 38
    assert levels[0] >= 28


def test_an_idr_on_request_lets_a_newcomer_in() -> None:
    size = (320, 200)
    encoder, newcomer = H264Encoder(size, frame_rate=60), H264Decoder()
    pictures = noisy_pan(40, size)
    units = [encoder.encode(picture, keyframe=index == 20) for index, picture in enumerate(pictures)]
    with pytest.raises(StreamError):
        newcomer.decode(units[19].data)
    newcomer.reset()
    for unit in units[20:]:
        decoded = newcomer.decode(unit.data)
    assert psnr_db(decoded.y[:200, :320], luma_of(pictures[-1])) > 34


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(opaque(np.random.default_rng(0).integers(0, 256, (201, 301, 3)), (301, 201)), id="random"),
        pytest.param(noisy_pan(1, (301, 201))[0], id="grey"),
        pytest.param(opaque((7, 77, 177), (301, 201)), id="flat"),
        pytest.param(patches((301, 201)), id="patches"),
        pytest.param(opaque((1, 2, 3), (1, 1)), id="one pixel"),
    ],
)
def test_stills_are_exact(picture: Rgba) -> None:
    assert np.array_equal(read(StillDecoder(), picture, parts_of(picture)), picture)


def test_the_video_beneath_a_still_goes_on_where_it_was() -> None:
    """A still is a packet of its own: it must not disturb the prediction of the access units around it."""
    size = (320, 200)
    encoder, decoder = H264Encoder(size, frame_rate=60), H264Decoder()
    pictures = noisy_pan(20, size)
    for index, picture in enumerate(pictures):
        unit = encoder.encode(picture)
        if index == 10:
            parts_of(picture)
        assert unit.keyframe == (index == 0)
        decoded = decoder.decode(unit.data)
    assert psnr_db(decoded.y[:200, :320], luma_of(pictures[-1])) > 34
