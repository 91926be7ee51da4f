"""Annex B: NAL units between start codes (ITU-T H.264, annex B and clause 7.3.1)."""

from __future__ import annotations

import enum
from collections.abc import Iterator

_START_CODE = b"\x00\x00\x01"


class NalType(enum.IntEnum):
    """The NAL unit types we look for (table 7-1)."""

    SLICE = 1
    SLICE_IDR = 5
    SEI = 6
    SPS = 7
    PPS = 8
    DELIMITER = 9


def nal_type(nal: bytes) -> int:
    """Return nal_unit_type: the lower five bits of a NAL unit's first byte."""
    return nal[0] & 0x1F


def nal_units(data: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an Annex B byte stream, without start codes and trailing zeros.

    Lazy, so that whoever needs only the parameter sets never walks the slices. Bytes before the
    first start code are ignored, and so are empty units.
    """
    at = data.find(_START_CODE)
    while at >= 0:
        begin = at + len(_START_CODE)
        at = data.find(_START_CODE, begin)
        # A unit never ends in a zero byte: zeros here belong to a 4 byte start code or to padding.
        nal = (data[begin:at] if at >= 0 else data[begin:]).rstrip(b"\x00")
        if nal:
            yield nal


def is_idr(data: bytes) -> bool:
    """Return True if the access unit is an IDR; looks no further than its first slice."""
    begin = 0
    while (at := data.find(_START_CODE, begin)) >= 0:
        begin = at + len(_START_CODE)
        kind = nal_type(data[begin : begin + 1] or b"\x00")
        if NalType.SLICE <= kind <= NalType.SLICE_IDR:
            return kind == NalType.SLICE_IDR
    return False


def first_unit(data: bytes, kind: NalType) -> bytes | None:
    """Return the first NAL unit of that type, or None."""
    return next((nal for nal in nal_units(data) if nal_type(nal) == kind), None)


def unescape(nal: bytes) -> bytes:
    """Return a NAL unit without its emulation prevention bytes (00 00 03 becomes 00 00)."""
    pieces, begin = [], 0
    while (at := nal.find(b"\x00\x00\x03", begin)) >= 0:
        pieces.append(nal[begin : at + 2])
        begin = at + 3
    pieces.append(nal[begin:])
    return b"".join(pieces)
