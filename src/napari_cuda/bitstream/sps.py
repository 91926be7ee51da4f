"""Sequence parameter set: what a stream says about its size and colour (ITU-T H.264, 7.3.2.1 and E.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cuda.bitstream.annexb import NalType, first_unit, nal_type, unescape
from napari_cuda.protocol.errors import StreamError

HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""profile_idc values whose SPS carries the chroma format and bit depths (7.3.2.1.1)."""
_EXTENDED_SAR = 255
UNSPECIFIED = 2
"""Value of a colour code that the stream leaves open."""


@dataclass(frozen=True, slots=True)
class Sps:
    """One sequence parameter set.

    `coded_size` is (width, height) in pixels after cropping: the size of a decoded picture.
    `chroma_format_idc` is 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4. The colour codes are those of
    ITU-T H.273 (1 is BT.709), `UNSPECIFIED` if the stream does not say.
    """

    profile_idc: int
    constraint_flags: int
    level_idc: int
    chroma_format_idc: int
    coded_size: tuple[int, int]
    full_range: bool = False
    color_primaries: int = UNSPECIFIED
    transfer_characteristics: int = UNSPECIFIED
    matrix_coefficients: int = UNSPECIFIED
    bit_depth_luma: int = 8
    bit_depth_chroma: int = 8

    @property
    def codec_string(self) -> str:
        """The codec's name for WebCodecs and MIME types (RFC 6381), such as `avc1.42C01F`."""
        return f"avc1.{self.profile_idc:02X}{self.constraint_flags:02X}{self.level_idc:02X}"


class _BitReader:
    """Reads fixed and Exp-Golomb codes (9.1) from unescaped bytes."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def bits(self, count: int) -> int:
        """Return the next `count` bits as an unsigned number. Raises StreamError at the end."""
        if count > self._left:
            raise StreamError("the sequence parameter set ends too early: the stream is damaged")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        """Return the next bit."""
        return self.bits(1) == 1

    def unsigned(self) -> int:
        """Return the next ue(v)."""
        zeros = 0
        while not self.flag():
            zeros += 1
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed(self) -> int:
        """Return the next se(v)."""
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def sps_of(access_unit: bytes) -> Sps | None:
    """Return the first sequence parameter set of an Annex B access unit, or None."""
    nal = first_unit(access_unit, NalType.SPS)
    return None if nal is None else parse_sps(nal)


def parse_sps(nal: bytes) -> Sps:
    """Return the parsed parameter set; `nal` starts at its header byte, without start code.

    Raises StreamError if it is another kind of unit, cut short, or of an impossible size.
    """
    if not nal or nal_type(nal) != NalType.SPS:
        raise StreamError("not a sequence parameter set")
    read = _BitReader(unescape(nal)[1:])
    profile_idc, constraint_flags, level_idc = read.bits(8), read.bits(8), read.bits(8)
    read.unsigned()  # seq_parameter_set_id
    chroma_format_idc, separate_planes, bit_depths = 1, False, (8, 8)
    if profile_idc in HIGH_PROFILES:
        chroma_format_idc, separate_planes, bit_depths = _read_chroma(read)
    read.unsigned()  # log2_max_frame_num_minus4
    _skip_picture_order(read)
    read.unsigned()  # max_num_ref_frames
    read.flag()  # gaps_in_frame_num_value_allowed_flag
    coded_size = _read_size(read, 0 if separate_planes else chroma_format_idc)
    full_range, color = _read_color(read) if read.flag() else (False, (UNSPECIFIED,) * 3)
    kind = (profile_idc, constraint_flags, level_idc, chroma_format_idc)
    return Sps(*kind, coded_size, full_range, *color, *bit_depths)


def _read_chroma(read: _BitReader) -> tuple[int, bool, tuple[int, int]]:
    chroma_format_idc = read.unsigned()
    if chroma_format_idc > 3:
        raise StreamError(f"the sequence parameter set has chroma format {chroma_format_idc}: the stream is damaged")
    separate_planes = chroma_format_idc == 3 and read.flag()
    bit_depths = 8 + read.unsigned(), 8 + read.unsigned()
    if max(bit_depths) > 14:
        raise StreamError(f"the sequence parameter set has {max(bit_depths)} bits a sample: the stream is damaged")
    read.flag()  # qpprime_y_zero_transform_bypass_flag
    if read.flag():  # seq_scaling_matrix_present_flag
        for index in range(8 if chroma_format_idc != 3 else 12):
            if read.flag():
                _skip_scaling_list(read, 16 if index < 6 else 64)
    return chroma_format_idc, separate_planes, bit_depths


def _skip_scaling_list(read: _BitReader, size: int) -> None:
    last = 8
    for _ in range(size):
        last = (last + read.signed()) % 256
        if last == 0:
            return


def _skip_picture_order(read: _BitReader) -> None:
    kind = read.unsigned()
    if kind == 0:
        read.unsigned()  # log2_max_pic_order_cnt_lsb_minus4
    elif kind == 1:
        read.flag()  # delta_pic_order_always_zero_flag
        read.signed()  # offset_for_non_ref_pic
        read.signed()  # offset_for_top_to_bottom_field
        for _ in range(read.unsigned()):
            read.signed()


def _read_size(read: _BitReader, chroma_array_type: int) -> tuple[int, int]:
    width = (read.unsigned() + 1) * 16
    map_units = read.unsigned() + 1
    frames_only = read.flag()
    height = map_units * 16 * (1 if frames_only else 2)
    if not frames_only:
        read.flag()  # mb_adaptive_frame_field_flag
    read.flag()  # direct_8x8_inference_flag
    if read.flag():  # frame_cropping_flag: in chroma samples, rows doubled for fields (7-19 … 7-22)
        unit_x = 2 if chroma_array_type in (1, 2) else 1
        unit_y = (2 if chroma_array_type == 1 else 1) * (1 if frames_only else 2)
        left, right, top, bottom = (read.unsigned() for _ in range(4))
        width -= unit_x * (left + right)
        height -= unit_y * (top + bottom)
    if width <= 0 or height <= 0:
        raise StreamError(f"the sequence parameter set crops the picture to {width}x{height}: the stream is damaged")
    return width, height


def _read_color(read: _BitReader) -> tuple[bool, tuple[int, int, int]]:
    """Read the VUI as far as the colour description; the rest does not concern us."""
    if read.flag() and read.bits(8) == _EXTENDED_SAR:  # aspect_ratio_info
        read.bits(32)
    if read.flag():  # overscan_info
        read.flag()
    full_range, color = False, (UNSPECIFIED, UNSPECIFIED, UNSPECIFIED)
    if read.flag():  # video_signal_type
        read.bits(3)  # video_format
        full_range = read.flag()
        if read.flag():
            color = (read.bits(8), read.bits(8), read.bits(8))
    return full_range, color
