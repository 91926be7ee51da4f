from __future__ import annotations

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bits import BitWriter
from napari_cuda.bitstream.annexb import NalType, first_unit
from napari_cuda.bitstream.sps import UNSPECIFIED, Sps, parse_sps, sps_of
from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.h264 import H264Encoder
from pictures import opaque


def written(sps: Sps, macroblocks: tuple[int, int], crop: tuple[int, int], *, scaling: bool, order: int) -> bytes:
    """Return the NAL unit of a parameter set: `crop` is (right, bottom) in crop units."""
    writer = BitWriter().bits(sps.profile_idc, 8).bits(sps.constraint_flags, 8).bits(sps.level_idc, 8).unsigned(0)
    if sps.profile_idc == 100:
        writer.unsigned(sps.chroma_format_idc)
        if sps.chroma_format_idc == 3:
            writer.bits(0, 1)
        writer.unsigned(sps.bit_depth_luma - 8).unsigned(sps.bit_depth_chroma - 8).bits(0, 1).bits(scaling, 1)
        if scaling:
            for index in range(12 if sps.chroma_format_idc == 3 else 8):
                writer.bits(index % 2, 1)
                if index % 2:  # a list that ends after two deltas: 8 + 8 = 16, then 16 - 16 = 0
                    writer.signed(8).signed(-16)
    writer.unsigned(4).unsigned(order)
    if order == 0:
        writer.unsigned(2)
    elif order == 1:
        writer.bits(0, 1).signed(-3).signed(5).unsigned(2).signed(1).signed(-1)
    writer.unsigned(1).bits(0, 1)
    writer.unsigned(macroblocks[0] - 1).unsigned(macroblocks[1] - 1).bits(1, 1).bits(1, 1)
    writer.bits(crop != (0, 0), 1)
    if crop != (0, 0):
        writer.unsigned(0).unsigned(crop[0]).unsigned(0).unsigned(crop[1])
    writer.bits(1, 1).bits(1, 1).bits(255, 8).bits(1, 16).bits(1, 16)  # VUI: extended aspect ratio 1:1
    writer.bits(0, 1).bits(1, 1).bits(5, 3).bits(sps.full_range, 1).bits(1, 1)
    writer.bits(sps.color_primaries, 8).bits(sps.transfer_characteristics, 8).bits(sps.matrix_coefficients, 8)
    return writer.nal()


@given(st.data())
def test_every_field_is_read_back(data: st.DataObject) -> None:
    number = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    profile = data.draw(st.sampled_from([66, 77, 100]))
    chroma = number(0, 3) if profile == 100 else 1
    macroblocks = (number(1, 500), number(1, 500))
    crop = (number(0, 7), number(0, 7))
    unit = (2 if chroma in (1, 2) else 1, 2 if chroma == 1 else 1)
    expected = Sps(
        profile_idc=profile,
        constraint_flags=number(0, 255),
        level_idc=number(10, 62),
        chroma_format_idc=chroma,
        coded_size=(macroblocks[0] * 16 - crop[0] * unit[0], macroblocks[1] * 16 - crop[1] * unit[1]),
        full_range=data.draw(st.booleans()),
        color_primaries=number(0, 22),
        transfer_characteristics=number(0, 18),
        matrix_coefficients=number(0, 14),
        bit_depth_luma=number(8, 14) if profile == 100 else 8,
        bit_depth_chroma=number(8, 14) if profile == 100 else 8,
    )
    nal = written(expected, macroblocks, crop, scaling=data.draw(st.booleans()), order=number(0, 2))
    assert parse_sps(nal) == expected


@given(st.binary(max_size=48))
def test_damage_is_a_named_error(body: bytes) -> None:
    try:
        sps = parse_sps(b"\x67" + body)
    except StreamError:
        return
    assert min(sps.coded_size) > 0


def test_a_cut_parameter_set_is_refused() -> None:
    nal = first_unit(H264Encoder((64, 48), frame_rate=60).encode(opaque(0, (64, 48))).data, NalType.SPS)
    assert nal is not None
    with pytest.raises(StreamError, match="ends too early"):
        parse_sps(nal[:6])
    with pytest.raises(StreamError, match="not a sequence parameter set"):
        parse_sps(b"\x68" + nal[1:])


def test_an_access_unit_without_parameter_sets() -> None:
    assert sps_of(b"\x00\x00\x01\x41\x9a\x80") is None


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (1280, 720), (322, 202), (1918, 1078)])
@pytest.mark.parametrize(("preset", "codec"), [("ultrafast", "avc1.42C0"), ("superfast", "avc1.6400")])
def test_our_own_stream(size: tuple[int, int], preset: str, codec: str) -> None:
    unit = H264Encoder(size, frame_rate=60, preset=preset).encode(opaque(80, size))
    sps = sps_of(unit.data)
    assert sps is not None
    assert (sps.coded_size, sps.full_range, sps.chroma_format_idc) == (size, True, 1)
    assert (sps.color_primaries, sps.transfer_characteristics, sps.matrix_coefficients) == (1, 1, 1)
    assert sps.codec_string.startswith(codec)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("color", [(0, UNSPECIFIED, UNSPECIFIED, UNSPECIFIED), (1, 5, 6, 6), (2, 1, 13, 1)])
def test_agrees_with_libavcodec(pix_fmt: str, interlaced: bool, color: tuple[int, int, int, int]) -> None:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 210, 132, pix_fmt
    encoder.framerate, encoder.time_base = Fraction(30), Fraction(1, 30)
    encoder.color_range, encoder.color_primaries, encoder.color_trc, encoder.colorspace = color
    encoder.options = {"tune": "zerolatency", "x264-params": f"interlaced={int(interlaced)}"}
    data = bytes(encoder.encode(av.VideoFrame(210, 132, pix_fmt))[0])
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    # Interlaced: one field pair per packet, and a frame only when the next packet or the end comes.
    frame = (decoder.decode(av.Packet(data)) + decoder.decode(None))[0]

    sps = sps_of(data)
    assert sps is not None
    assert sps.coded_size == (frame.width, frame.height)
    assert sps.full_range == (frame.color_range == 2)
    found = (sps.color_primaries, sps.transfer_characteristics, sps.matrix_coefficients)
    assert found == (frame.color_primaries, frame.color_trc, frame.colorspace)
    assert sps.chroma_format_idc == {"yuv420p": 1, "yuv422p": 2, "yuv444p": 3}[pix_fmt]
    assert sps.level_idc > 0
