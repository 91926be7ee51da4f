"""avcC: lengths instead of start codes, and the record a decoder is opened with (ISO/IEC 14496-15, clause 5.3)."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cuda.bitstream.annexb import NalType, nal_type, nal_units
from napari_cuda.bitstream.sps import HIGH_PROFILES, Sps, parse_sps
from napari_cuda.protocol.errors import StreamError

LENGTH_SIZES = (1, 2, 4)
"""Bytes a NAL unit's length may take (3 is not allowed)."""

# In the record, or (delimiters) without meaning where every unit has its length.
_LEFT_OUT = frozenset({NalType.SPS, NalType.PPS, NalType.DELIMITER})


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The sequence and picture parameter sets that hold in a stream: NAL units without start codes."""

    sps: tuple[bytes, ...] = ()
    pps: tuple[bytes, ...] = ()

    def updated_by(self, access_unit: bytes) -> ParameterSets:
        """Return the sets that hold from an IDR on: a kind that it carries replaces all of that kind.

        `access_unit` is Annex B. Compare with the sets before to see whether a new decoder is needed.
        """
        units = list(nal_units(access_unit))
        sps = tuple(unit for unit in units if nal_type(unit) == NalType.SPS)
        pps = tuple(unit for unit in units if nal_type(unit) == NalType.PPS)
        return ParameterSets(sps or self.sps, pps or self.pps)

    def first_sps(self) -> Sps:
        """Return the first sequence parameter set, parsed. Raises StreamError if there is none."""
        if not self.sps:
            raise StreamError("the stream has no sequence parameter set yet: ask for a keyframe")
        return parse_sps(self.sps[0])

    def record(self, length_size: int = 4) -> bytes:
        """Return the AVCDecoderConfigurationRecord, which announces `length_size` (bytes of a length).

        Raises StreamError if a kind of parameter set is missing, or is more than a record can hold.
        """
        sps = self.first_sps()
        if not self.pps:
            raise StreamError("the stream has no picture parameter set yet: ask for a keyframe")
        if len(self.sps) > 31 or len(self.pps) > 255 or max(map(len, self.sps + self.pps)) > 0xFFFF:
            raise StreamError("the stream has more parameter sets than an avcC record holds")
        record = bytes((1, *self.sps[0][1:4], 0xFC | (_checked(length_size) - 1), 0xE0 | len(self.sps)))
        record += _prefixed(self.sps, 2) + bytes((len(self.pps),)) + _prefixed(self.pps, 2)
        if sps.profile_idc in HIGH_PROFILES:
            depths = (0xF8 | (sps.bit_depth_luma - 8), 0xF8 | (sps.bit_depth_chroma - 8))
            record += bytes((0xFC | sps.chroma_format_idc, *depths, 0))
        return record


def length_prefixed(access_unit: bytes, length_size: int = 4) -> bytes:
    """Return an Annex B access unit with big-endian lengths of `length_size` bytes instead of start codes.

    Parameter sets and delimiters are left out: the record has them. Raises StreamError if a unit
    is longer than its length can say, or nothing is left.
    """
    units = [unit for unit in nal_units(access_unit) if nal_type(unit) not in _LEFT_OUT]
    if not units:
        raise StreamError("the access unit has no picture in it")
    longest = max(map(len, units))
    if longest >= 1 << (8 * _checked(length_size)):
        raise StreamError(f"a NAL unit of {longest} bytes does not fit a length of {length_size} bytes")
    return _prefixed(units, length_size)


def _prefixed(units: tuple[bytes, ...] | list[bytes], length_size: int) -> bytes:
    return b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in units)


def _checked(length_size: int) -> int:
    if length_size not in LENGTH_SIZES:
        raise StreamError(f"a length of {length_size} bytes is not possible: one of {LENGTH_SIZES}")
    return length_size
