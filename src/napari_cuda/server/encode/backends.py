"""The encoders we know: how each is told to be quick, to delay nothing and to keep to a rate. Pure.

What libx264 is told was measured (docs/adr/0002-codec.md). The hardware ones follow FFmpeg's documents of their
options; none of them was ever run by us, so each must prove at start-up that it does what is asked (`h264.probe`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

CHROMA_OFFSET = -8
"""Steps by which colour is quantised more finely than x264 would: docs/adr/0002-codec.md."""
DEFAULT_PRESET = "ultrafast"
_X264_BUFFER = 1.5
"""Pictures that its VBV holds. With one x264 makes pictures of 0.54 to 0.85 of what it is steered to, by chance; with
this of 0.7 to 1.0 (docs/adr/0002-codec.md)."""
_X264_FILL = 0.5
"""Of it for the first picture: an IDR has no more than one with a VBV of one picture would have."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a context is opened for. `bit_rate` in bit/s is the ceiling; `frame_rate` what it is shared out for."""

    coded_size: tuple[int, int]
    frame_rate: float
    bit_rate: int
    preset: str = DEFAULT_PRESET
    threads: int = 1
    full_color: bool = False
    """Colour in every pixel, 4:4:4."""

    @property
    def picture_bits(self) -> int:
        """One picture's share."""
        return max(1, int(self.bit_rate / self.frame_rate))


@dataclass(frozen=True, slots=True)
class Backend:
    """One encoder of libavcodec. `steers`: a new bit rate is taken on the open context."""

    codec: str
    pixel_format: str
    options: Callable[[Wanted], dict[str, str]] = field(repr=False)
    full_color_format: str = ""
    steers: bool = False

    def format_for(self, wanted: Wanted) -> str:
        """Return the pixel format to feed it."""
        return self.full_color_format if wanted.full_color and self.full_color_format else self.pixel_format


def _rate(wanted: Wanted) -> dict[str, str]:
    """Return a VBV of one picture: none of them, IDR or not, takes longer on the link than its time."""
    return {"maxrate": str(wanted.bit_rate), "bufsize": str(wanted.picture_bits)}


def _x264(wanted: Wanted) -> dict[str, str]:
    # No scene cut detection: an IDR comes on request only.
    # Chroma finer than x264's default: a step of its quantiser is nearly two of red or blue. In 4:4:4 x264 codes it
    # as it does luma, which is finer already.
    offset = 0 if wanted.full_color else CHROMA_OFFSET
    x264 = f"keyint=infinite:scenecut=0:chroma-qp-offset={offset}:vbv-init={_X264_FILL}"
    # Both of _rate are needed to steer: x264 takes a new bit rate only in ABR with VBV.
    rate = _rate(wanted) | {"bufsize": str(int(_X264_BUFFER * wanted.picture_bits))}
    return {"preset": wanted.preset, "tune": "zerolatency", "x264-params": x264} | rate


def _nvenc(wanted: Wanted) -> dict[str, str]:
    quick = {"preset": "p1", "tune": "ull", "rc": "cbr", "zerolatency": "1", "delay": "0", "rc-lookahead": "0"}
    return quick | {"b_ref_mode": "disabled", "forced-idr": "1", "g": "-1", "bf": "0"} | _rate(wanted)


def _videotoolbox(wanted: Wanted) -> dict[str, str]:
    return {"realtime": "1", "prio_speed": "1", "allow_sw": "0", "profile": "high", "g": "1000000", "bf": "0"}


def _qsv(wanted: Wanted) -> dict[str, str]:
    quick = {"async_depth": "1", "preset": "veryfast", "look_ahead": "0", "scenario": "remotegaming"}
    return quick | {"forced_idr": "1", "g": "65535", "bf": "0"} | _rate(wanted)


def _amf(wanted: Wanted) -> dict[str, str]:
    quick = {"usage": "ultralowlatency", "quality": "speed", "rc": "cbr", "header_insertion_mode": "idr"}
    return quick | {"forced_idr": "1", "g": "1000000", "bf": "0"} | _rate(wanted)


def _v4l2(wanted: Wanted) -> dict[str, str]:
    return {"g": "1000000", "bf": "0"}


SOFTWARE = "x264"

BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {
        "nvenc": Backend("h264_nvenc", "yuv420p", _nvenc, "yuv444p", steers=True),
        "videotoolbox": Backend("h264_videotoolbox", "yuv420p", _videotoolbox),
        "qsv": Backend("h264_qsv", "nv12", _qsv, steers=True),
        "amf": Backend("h264_amf", "yuv420p", _amf),
        "v4l2": Backend("h264_v4l2m2m", "yuv420p", _v4l2),
        SOFTWARE: Backend("libx264", "yuv420p", _x264, "yuv444p", steers=True),
    }
)
"""By the names of the setting, in order of preference."""
