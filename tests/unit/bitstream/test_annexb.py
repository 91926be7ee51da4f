from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bits import escape
from napari_cuda.bitstream.annexb import NalType, first_unit, is_idr, nal_type, nal_units, unescape
from napari_cuda.server.encode.h264 import H264Encoder
from pictures import noisy_pan

# Few distinct bytes, so that start codes and emulation are common; the last one ends the RBSP.
payloads = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 0x65, 0xFF]), max_size=40).map(bytes)
units = st.builds(lambda kind, body: bytes([0x60 | kind]) + escape(body + b"\x80"), st.integers(1, 12), payloads)
start_codes = st.sampled_from([b"\x00\x00\x01", b"\x00\x00\x00\x01"])


@given(st.lists(st.tuples(start_codes, units)), st.integers(0, 3))
def test_splitting_returns_the_units_that_were_joined(parts: list[tuple[bytes, bytes]], trailing_zeros: int) -> None:
    stream = b"".join(code + unit for code, unit in parts) + bytes(trailing_zeros)
    assert list(nal_units(stream)) == [unit for _, unit in parts]


@given(payloads)
def test_unescape_undoes_emulation_prevention(payload: bytes) -> None:
    assert unescape(escape(payload)) == payload


@given(st.lists(st.tuples(start_codes, units)))
def test_is_idr_is_told_by_the_first_slice(parts: list[tuple[bytes, bytes]]) -> None:
    kinds = [nal_type(unit) for _, unit in parts]
    slices = [kind for kind in kinds if 1 <= kind <= 5]
    assert is_idr(b"".join(code + unit for code, unit in parts)) == (slices[:1] == [5])


@given(st.binary(max_size=64))
def test_any_bytes_are_survived(data: bytes) -> None:
    assert all(nal_units(data))
    assert is_idr(data) in (True, False)


def test_bytes_before_the_first_start_code_are_ignored() -> None:
    assert list(nal_units(b"\xff\xff\x00\x00\x01\x65\x80")) == [b"\x65\x80"]


def test_first_unit_finds_a_kind_or_nothing() -> None:
    stream = b"\x00\x00\x01\x67\x42\x00\x00\x01\x68\xce\x00\x00\x01\x65\x88"
    assert first_unit(stream, NalType.PPS) == b"\x68\xce"
    assert first_unit(stream, NalType.DELIMITER) is None


def test_a_real_stream() -> None:
    encoder = H264Encoder((64, 48), frame_rate=60)
    first, second = (encoder.encode(picture) for picture in noisy_pan(2, (64, 48)))
    assert [nal_type(unit) for unit in nal_units(first.data)] == [
        NalType.SPS,
        NalType.PPS,
        NalType.SEI,
        NalType.SLICE_IDR,
    ]
    assert [nal_type(unit) for unit in nal_units(second.data)] == [NalType.SLICE]
    assert is_idr(first.data)
    assert not is_idr(second.data)
