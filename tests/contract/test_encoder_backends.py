"""What every encoder must do, whichever is here; and what becomes of a stream whose encoder fails."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest

from napari_cuda.bitstream.annexb import is_idr
from napari_cuda.bitstream.sps import sps_of
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.errors import StartupError
from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server.encode.backends import BACKENDS, SOFTWARE, Backend
from napari_cuda.server.encode.choice import EncoderChoice
from napari_cuda.server.encode.effort import Effort
from napari_cuda.server.encode.h264 import EncoderProbe, H264Encoder, probe
from napari_cuda.server.encode.viewer_encoder import ViewerEncoder
from napari_cuda.server.frames import PixelBuffer, RenderedFrame
from pictures import Rgba, noisy_pan, opaque, psnr_db, rgb_of

SIZE = (320, 200)
PROBES = {name: probe(backend) for name, backend in BACKENDS.items()}
HERE = [name for name, found in PROBES.items() if found.usable]
ABSENT = [name for name, found in PROBES.items() if not found.usable]


def frame_of(rgba: Rgba, *, sharp_color: bool = False) -> RenderedFrame:
    """Return a frame as the renderer hands it out."""
    height, width = rgba.shape[:2]
    return RenderedFrame(
        buffer=PixelBuffer(rgba),
        canvas_size=(width, height),
        revision=1,
        camera=CameraPose(),
        capture_time_us=0,
        picture_hash=picture_hash(rgba),
        sharp_color=sharp_color,
    )


def encoder_of(choice: EncoderChoice, *, takes_full_color: bool = True) -> ViewerEncoder:
    return ViewerEncoder(
        choice,
        Effort(frame_rate=60, cores=2),
        frame_rate=60,
        bit_rate=20_000_000,
        takes_full_color=takes_full_color,
    )


@pytest.mark.parametrize("name", HERE)
def test_an_encoder_gives_each_picture_at_once_and_a_keyframe_when_asked(name: str) -> None:
    encoder, decoder = H264Encoder(SIZE, frame_rate=60, backend=BACKENDS[name]), H264Decoder()
    for index, picture in enumerate(noisy_pan(12, SIZE)):
        unit = encoder.encode(picture, keyframe=index == 7)
        assert unit.keyframe == is_idr(unit.data) == (sps_of(unit.data) is not None) == (index in (0, 7))
        decoder.decode(unit.data, expected_size=SIZE)


@pytest.mark.parametrize("name", ABSENT)
def test_an_encoder_that_is_not_here_says_so_in_one_line(name: str) -> None:
    assert len(PROBES[name].reason.splitlines()) == 1
    assert 10 < len(PROBES[name].reason) < 150
    with pytest.raises(StartupError, match=name):
        EncoderChoice(name)  # type: ignore[arg-type]


def test_the_first_that_works_is_taken() -> None:
    chosen = EncoderChoice(probe=lambda backend: EncoderProbe(backend.codec, usable=backend.codec == "h264_qsv"))
    assert chosen.backend is BACKENDS["qsv"]
    assert EncoderChoice("x264").backend is BACKENDS[SOFTWARE]
    assert EncoderChoice().backend is BACKENDS[HERE[0]]


FAULTS = {
    "does not open": Backend("h264_nvenc", "yuv420p", lambda _wanted: {"preset": "no such preset"}),
    "gives nothing at once": Backend("libx264", "yuv420p", lambda _wanted: {"rc-lookahead": "20"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_encoder_that_fails_is_replaced_within_one_keyframe_and_that_is_said_once(
    fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("napari_cuda.server.encode.choice.BACKENDS", {**BACKENDS, "nvenc": FAULTS[fault]})
    choice = EncoderChoice("nvenc", probe=lambda backend: EncoderProbe(backend.codec, usable=True))
    picture = noisy_pan(1, SIZE)[0]
    with caplog.at_level(logging.WARNING):
        for _viewer in range(3):
            encoder, decoder = encoder_of(choice), H264Decoder()
            unit, coded_size = encoder.encode(frame_of(picture), keyframe=True, budget=40_000)
            assert unit.keyframe
            decoder.decode(unit.data, expected_size=coded_size)
            unit, _ = encoder.encode(frame_of(picture), keyframe=False, budget=40_000)
            assert not unit.keyframe
            encoder.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "libx264 goes on" in caplog.text


def test_an_encoder_that_takes_interleaved_chroma_gets_it_in_place() -> None:
    canvas = (63, 47)
    backend = dataclasses.replace(BACKENDS[SOFTWARE], pixel_format="nv12")
    picture = opaque(np.linspace(40, 220, 63)[None, :, None] * np.array([1.0, 0.5, 0.2]), canvas)
    shown = {}
    for name, taken in {"planes": BACKENDS[SOFTWARE], "interleaved": backend}.items():
        encoder, decoder = H264Encoder(canvas, frame_rate=60, backend=taken), H264Decoder()
        for _ in range(8):
            decoded = decoder.decode(encoder.encode(picture).data, expected_size=(64, 48))
        shown[name] = rgb_of(decoded, canvas)
    assert np.abs(shown["planes"] - shown["interleaved"]).max() <= 2


def colored_lines() -> Rgba:
    """Return lines one pixel wide, red and green on blue, and edges between flat colours, as labels have."""
    picture = opaque((20, 30, 200), SIZE)
    picture[::8, :, :3] = (230, 20, 20)
    picture[:, ::9, :3] = (20, 220, 40)
    picture[60:120, 100:180, :3] = (200, 40, 160)
    return picture


def test_sharp_colours_are_sent_in_full_to_those_who_can_show_them() -> None:
    picture = colored_lines()
    quality = {}
    for takes_full_color in (True, False):
        encoder, decoder = encoder_of(EncoderChoice("x264"), takes_full_color=takes_full_color), H264Decoder()
        for _ in range(12):
            unit, coded_size = encoder.encode(frame_of(picture, sharp_color=True), keyframe=False, budget=40_000)
            decoded = decoder.decode(unit.data, expected_size=coded_size)
        assert decoded.chroma_shift == ((0, 0) if takes_full_color else (1, 1))
        quality[takes_full_color] = psnr_db(rgb_of(decoded, SIZE), picture[..., :3])
        encoder.close()
    print(f"4:4:4 {quality[True]:.1f} dB, 4:2:0 {quality[False]:.1f} dB")
    assert quality[True] > 38
    assert quality[True] > quality[False] + 12


def test_a_scene_that_gets_sharp_colours_or_loses_them_begins_anew() -> None:
    encoder = encoder_of(EncoderChoice("x264"))
    picture = colored_lines()
    keyframes = []
    for sharp in (False, False, True, True, False):
        unit, _ = encoder.encode(frame_of(picture, sharp_color=sharp), keyframe=False, budget=40_000)
        keyframes.append((unit.keyframe, encoder.epoch))
    assert keyframes == [(True, 1), (False, 1), (True, 2), (False, 2), (True, 3)]
    encoder.close()


@pytest.mark.parametrize("full_color", [False, True], ids=["4:2:0", "4:4:4"])
def test_a_part_that_does_not_change_costs_next_to_nothing(full_color: bool) -> None:
    """What does: a picture in which a tenth changes, and one in which all of it does."""
    size = (640, 400)
    rng = np.random.default_rng(0)

    def cost(rows: int) -> float:
        encoder = H264Encoder(size, frame_rate=60, full_color=full_color)
        still = opaque(rng.integers(0, 256, (size[1], size[0], 1)) // 8 + 100, size)
        sizes = []
        for _ in range(40):
            still[:rows, :, :3] = rng.integers(100, 132, (rows, size[0], 1))
            sizes.append(len(encoder.encode(still).data))
        return float(np.mean(sizes[-10:]))

    none, tenth, everything = (cost(rows) for rows in (0, size[1] // 10, size[1]))
    print(f"bytes a picture: nothing changes {none:.0f}, a tenth {tenth:.0f}, all {everything:.0f}")
    assert none < 0.02 * everything
    assert tenth < 0.5 * everything
