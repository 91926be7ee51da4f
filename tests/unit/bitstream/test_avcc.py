from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bits import escape
from napari_cuda.bitstream.annexb import nal_type, nal_units
from napari_cuda.bitstream.avcc import LENGTH_SIZES, ParameterSets, length_prefixed
from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.h264 import H264Encoder
from pictures import noisy_pan

SIZE = (64, 48)

payloads = st.binary(min_size=1, max_size=60)
units = st.builds(lambda kind, body: bytes([0x60 | kind]) + escape(body + b"\x80"), st.integers(1, 12), payloads)
start_codes = st.sampled_from([b"\x00\x00\x01", b"\x00\x00\x00\x01"])


def stream(count: int, preset: str = "ultrafast", size: tuple[int, int] = SIZE) -> list[bytes]:
    encoder = H264Encoder(size, frame_rate=60, preset=preset)
    return [encoder.encode(picture).data for picture in noisy_pan(count, size)]


def split(sample: bytes, length_size: int) -> list[bytes]:
    """Return the units of a length-prefixed access unit."""
    found, at = [], 0
    while at < len(sample):
        begin = at + length_size
        at = begin + int.from_bytes(sample[at:begin], "big")
        found.append(sample[begin:at])
    assert at == len(sample)
    return found


@given(st.lists(st.tuples(start_codes, units), min_size=1), st.sampled_from(LENGTH_SIZES))
def test_the_units_are_the_same_but_for_those_in_the_record(parts: list[tuple[bytes, bytes]], length_size: int) -> None:
    kept = [unit for _, unit in parts if nal_type(unit) not in (7, 8, 9)]
    data = b"".join(code + unit for code, unit in parts)
    if kept:
        assert split(length_prefixed(data, length_size), length_size) == kept
    else:
        with pytest.raises(StreamError, match="no picture"):
            length_prefixed(data, length_size)


@pytest.mark.parametrize("preset", ["ultrafast", "superfast"])  # baseline, and a profile with the record's extension
@pytest.mark.parametrize("length_size", [2, 4])
def test_libavcodec_decodes_it_to_the_same_pictures(preset: str, length_size: int) -> None:
    annexb = stream(5, preset)
    plain, prefixed = (av.CodecContext.create("h264", "r") for _ in range(2))
    assert isinstance(plain, av.VideoCodecContext)
    assert isinstance(prefixed, av.VideoCodecContext)
    plain.thread_count = prefixed.thread_count = 1
    prefixed.extradata = ParameterSets().updated_by(annexb[0]).record(length_size)
    for unit in annexb:
        expected = plain.decode(av.Packet(unit + bytes(64)))[0].to_ndarray()
        found = prefixed.decode(av.Packet(length_prefixed(unit, length_size)))[0].to_ndarray()
        assert np.array_equal(found, expected)


def test_the_record_byte_by_byte() -> None:
    sets = ParameterSets().updated_by(stream(1)[0])
    (sps,), (pps,) = sets.sps, sets.pps
    head = bytes((1, 66, sps[2], sps[3], 0xFF, 0xE1, 0, len(sps)))
    assert sets.record() == head + sps + bytes((1, 0, len(pps))) + pps
    assert sets.record(2)[4] == 0xFD
    high = ParameterSets().updated_by(stream(1, "superfast")[0])
    assert high.record()[-4:] == bytes((0xFD, 0xF8, 0xF8, 0))


def test_a_change_of_parameter_sets_is_seen() -> None:
    first, delta = stream(2)
    sets = ParameterSets().updated_by(first)
    assert sets.updated_by(delta) == sets  # it carries none
    assert sets.updated_by(first) == sets
    assert sets.updated_by(stream(1, size=(80, 64))[0]) != sets
    sps_alone = b"\x00\x00\x01" + sets.sps[0]
    assert ParameterSets(pps=sets.pps).updated_by(sps_alone) == sets


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (ParameterSets(), "no sequence parameter set"),
        (ParameterSets(sps=ParameterSets().updated_by(stream(1)[0]).sps), "no picture parameter set"),
        (ParameterSets(sps=(b"\x67\x42",), pps=(b"\x68\xce",)), "ends too early"),
    ],
)
def test_what_is_no_configuration_is_a_named_error(sets: ParameterSets, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        sets.record()


def test_more_sets_than_a_record_holds() -> None:
    sets = ParameterSets().updated_by(stream(1)[0])
    with pytest.raises(StreamError, match="more parameter sets"):
        ParameterSets(sets.sps * 32, sets.pps).record()


def test_a_unit_too_long_for_its_length() -> None:
    idr = next(unit for unit in nal_units(stream(1)[0]) if nal_type(unit) == 5)
    assert len(idr) > 255
    with pytest.raises(StreamError, match="does not fit a length of 1"):
        length_prefixed(b"\x00\x00\x01" + idr, 1)
    with pytest.raises(StreamError, match="not possible"):
        length_prefixed(b"\x00\x00\x01" + idr, 3)


@given(st.binary(max_size=80))
def test_any_bytes_are_survived(data: bytes) -> None:
    sets = ParameterSets().updated_by(data)
    for attempt in (sets.record, lambda: length_prefixed(data)):
        try:
            attempt()
        except StreamError as error:
            assert "\n" not in str(error)
