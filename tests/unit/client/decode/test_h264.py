from __future__ import annotations

import gc
from fractions import Fraction

import av
import numpy as np
import pytest
from av.codec.context import Flags, ThreadType
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cuda.bitstream.avcc import ParameterSets, length_prefixed
from napari_cuda.client.decode.h264 import H264Decoder, open_context
from napari_cuda.client.playout.picture import ColorSpec
from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.h264 import H264Encoder
from pictures import noisy_pan, opaque, patches, rgb_of

SIZE = (192, 128)


def stream(count: int, size: tuple[int, int] = SIZE) -> list[bytes]:
    encoder = H264Encoder(size, frame_rate=60)
    return [encoder.encode(picture).data for picture in noisy_pan(count, size)]


def foreign_stream(pix_fmt: str, color_range: int, matrix: int, rgba: np.ndarray) -> bytes:
    """Return an IDR with the given signalling, from an encoder that is not ours."""
    height, width = rgba.shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, pix_fmt
    encoder.framerate, encoder.time_base = Fraction(30), Fraction(1, 30)
    encoder.color_range, encoder.colorspace = color_range, matrix
    encoder.options = {"tune": "zerolatency", "crf": "5"}
    frame = av.VideoFrame.from_numpy_buffer(rgba, "rgba").reformat(
        format=pix_fmt,
        src_color_range=2,
        dst_color_range=color_range or 1,
        dst_colorspace="ITU601" if matrix in (5, 6) else "ITU709",
    )
    return bytes(encoder.encode(frame)[0])


def test_planes_have_the_decoders_strides_and_stay_valid() -> None:
    units = stream(120)
    decoder = H264Decoder()
    first = decoder.decode(units[0], expected_size=SIZE)
    assert first.y.shape[0] == SIZE[1]
    assert first.y.shape[1] >= SIZE[0]
    assert first.u.shape == first.v.shape
    assert first.u.shape[0] == SIZE[1] // 2
    planes = (first.y, first.u, first.v)
    assert not any(plane.flags.owndata for plane in planes)  # views, nothing was copied
    before = [plane.copy() for plane in planes]
    for unit in units[1:]:  # the decoder reuses its memory, but not this
        decoder.decode(unit)
    del decoder, first
    gc.collect()
    spoil = [np.full((SIZE[1], 512), 7, np.uint8) for _ in range(200)]  # takes whatever memory was freed
    assert all(np.array_equal(plane, copy) for plane, copy in zip(planes, before, strict=True))
    assert spoil


def test_one_plane_alone_keeps_its_memory() -> None:
    units = stream(40)
    decoder = H264Decoder()
    pictures = [decoder.decode(unit) for unit in units]
    lumas = [picture.y for picture in pictures]
    copies = [luma.copy() for luma in lumas]
    del pictures, decoder
    gc.collect()
    assert len(lumas) == 40
    assert all(np.array_equal(luma, copy) for luma, copy in zip(lumas, copies, strict=True))


@pytest.mark.parametrize(("pix_fmt", "shift"), [("yuv420p", (1, 1)), ("yuv444p", (0, 0))])
@pytest.mark.parametrize(
    ("color_range", "matrix", "expected"),
    [
        (2, 1, ColorSpec("bt709", True)),
        (1, 1, ColorSpec("bt709", False)),
        (2, 6, ColorSpec("bt601", True)),
        (1, 5, ColorSpec("bt601", False)),
        (0, 2, ColorSpec("bt709", False)),
    ],
)
def test_colour_is_what_the_stream_signals(
    pix_fmt: str, shift: tuple[int, int], color_range: int, matrix: int, expected: ColorSpec
) -> None:
    picture = patches(SIZE)
    found = H264Decoder().decode(foreign_stream(pix_fmt, color_range, matrix, picture))
    assert found.color == expected
    assert found.chroma_shift == shift
    middles = (slice(16, None, 32), slice(16, None, 32))
    assert np.abs(rgb_of(found, SIZE) - picture[..., :3])[middles].max() <= 6


@pytest.mark.parametrize(("pix_fmt", "matrix"), [("yuv422p", 1), ("yuv420p10le", 1), ("yuv420p", 9)])
def test_what_no_shader_can_show_is_refused(pix_fmt: str, matrix: int) -> None:
    with pytest.raises(StreamError, match="cannot show"):
        H264Decoder().decode(foreign_stream(pix_fmt, 1, matrix, opaque(90, SIZE)))


def test_a_size_other_than_announced_is_refused() -> None:
    with pytest.raises(StreamError, match="the stream is 192x128"):
        H264Decoder().decode(stream(1)[0], expected_size=(192, 126))


def test_parameter_sets_alone_are_no_access_unit() -> None:
    unit = stream(1)[0]
    with pytest.raises(StreamError):
        H264Decoder().decode(unit[: unit.index(b"\x00\x00\x01\x06")])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda unit: b"", id="empty"),
        pytest.param(lambda unit: b"not a stream at all", id="text"),
        pytest.param(lambda unit: unit[: len(unit) // 2], id="cut"),
        pytest.param(lambda unit: unit[:40] + bytes(len(unit) - 40), id="zeros"),
    ],
)
@pytest.mark.parametrize("at", [0, 3])
def test_damage_is_an_error_and_the_decoder_recovers(damage: object, at: int) -> None:
    assert callable(damage)
    units = stream(6)
    decoder = H264Decoder()
    for unit in units[:at]:
        decoder.decode(unit)
    with pytest.raises(StreamError):
        decoder.decode(damage(units[at]))
    decoder.reset()
    assert [decoder.decode(unit).y.shape[0] for unit in units] == [SIZE[1]] * 6


def test_a_delta_without_its_keyframe_is_an_error() -> None:
    with pytest.raises(StreamError, match="cannot be decoded"):
        H264Decoder().decode(stream(2)[1])


GOOD = stream(1)[0]


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.booleans())
def test_any_bytes_are_survived(data: bytes, as_unit: bool) -> None:
    decoder = H264Decoder()
    try:
        decoder.decode(b"\x00\x00\x01" + data if as_unit else data)
    except StreamError as error:
        assert "\n" not in str(error)
    decoder.reset()
    assert decoder.decode(GOOD).y.shape[0] == SIZE[1]


def test_no_decoder_ever_threads_by_frames() -> None:
    """It would delay by a frame, and PyAV 18 hangs when such a decoder is dropped undrained."""
    sets = ParameterSets().updated_by(GOOD)
    for context in (open_context(), open_context(sets.record())):
        context.open()
        assert context.thread_type == ThreadType.SLICE
        assert context.flags & Flags.low_delay
    assert len(H264Decoder().decode(GOOD).y) == SIZE[1]  # out at once


def test_with_a_record_access_units_have_lengths() -> None:
    units = stream(4)
    plain, prefixed = H264Decoder(), H264Decoder(ParameterSets().updated_by(units[0]).record(2))
    for unit in units:
        found, expected = prefixed.decode(length_prefixed(unit, 2)), plain.decode(unit)
        assert np.array_equal(found.y, expected.y)
    prefixed.reset()
    assert np.array_equal(prefixed.decode(length_prefixed(units[0], 2)).y, H264Decoder().decode(units[0]).y)


def test_a_memoryview_is_as_good_as_bytes() -> None:
    message = b"header" + stream(1)[0]
    viewed, copied = (H264Decoder().decode(data) for data in (memoryview(message)[6:], message[6:]))
    assert np.array_equal(viewed.y, copied.y)
