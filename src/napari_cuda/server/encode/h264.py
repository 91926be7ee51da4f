"""H264Encoder: pictures in, one H.264 access unit out for each, at once (libx264 through PyAV).

The only module of the server that imports `av`. What was measured, and why these settings:
docs/adr/0002-codec.md.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from napari_cuda.protocol.errors import StreamError

DEFAULT_BIT_RATE = 20_000_000
DEFAULT_PRESET = "ultrafast"
PROBED_ENCODERS = ("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf", "h264_v4l2m2m", "libx264")
"""In order of preference."""

_CHROMA_OFFSET = -8
"""Steps by which colour is quantised more finely than x264 would: docs/adr/0002-codec.md."""
_FINEST_QUANTISER = 16
"""Below this the eye gains nothing and a constant bit rate would be spent on noise: 45 dB and up."""
_BT709_MATRIX = 1  # AVCOL_SPC_BT709; `Colorspace` counts in swscale's numbers, which differ


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded picture: Annex B, SPS and PPS before every IDR; seconds spent on it."""

    data: bytes
    keyframe: bool
    convert_s: float
    encode_s: float


@dataclass(frozen=True, slots=True)
class EncoderProbe:
    """Whether an encoder opens on this machine, and if not, why."""

    name: str
    usable: bool
    reason: str = ""


def coded_size_for(canvas_size: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) that a canvas is coded in: 4:2:0 needs even numbers."""
    width, height = canvas_size
    return width + width % 2, height + height % 2


class H264Encoder:
    """Encodes the pictures of one viewer's stream. Owner: that stream's encoder thread.

    1 in → 1 out, no B frames, no lookahead, an IDR first and then only on request. BT.709, full
    range, 4:2:0, signalled in the bitstream. No frame exceeds one frame's share of `bit_rate`
    (VBV), not even an IDR, so that none of them can stall the link.

    `canvas_size` is (width, height) in pixels; `frame_rate` the rate that `bit_rate` (bit/s, also
    the ceiling for `steer`) is shared out for: x264 does not look at the pictures' real times.
    `preset` 'ultrafast' or 'superfast'; with `threads` > 1 a frame is cut in that many slices,
    still without delay. The GIL is not held while converting or encoding. Raises StreamError.
    """

    def __init__(
        self,
        canvas_size: tuple[int, int],
        *,
        frame_rate: float,
        bit_rate: int = DEFAULT_BIT_RATE,
        preset: str = DEFAULT_PRESET,
        threads: int = 1,
    ) -> None:
        self.canvas_size = canvas_size
        self.coded_size = coded_size_for(canvas_size)
        self._ceiling = bit_rate
        self._pictures = 0
        self._reformatter = VideoReformatter()
        self._context: av.VideoCodecContext | None = None
        try:
            self._context = self._open(frame_rate, preset, threads)
        except (FFmpegError, ValueError, OverflowError) as error:
            width, height = self.coded_size
            raise StreamError(f"cannot open libx264 for {width}x{height} at {bit_rate} bit/s: {error}") from error

    def encode(self, rgba: npt.NDArray[np.uint8], *, keyframe: bool = False) -> AccessUnit:
        """Return the access unit of one picture; an IDR if `keyframe`, and always the first time.

        `rgba` is (h, w, 4) uint8, top row first, rows may be padded; alpha is ignored. A picture of
        another size than the canvas (reduced detail) is scaled to it by the colour conversion.
        """
        context = self._opened()
        started_s = time.perf_counter()
        try:
            picture = self._convert(rgba)
            picture.pts = self._pictures
            if keyframe:
                picture.pict_type = PictureType.I
            converted_s = time.perf_counter()
            packets = context.encode(picture)
        except (FFmpegError, ValueError) as error:
            raise StreamError(f"cannot encode a picture of shape {rgba.shape}, {rgba.dtype}: {error}") from error
        self._pictures += 1
        if len(packets) != 1:
            raise StreamError(f"the encoder returned {len(packets)} packets for one picture: it must not delay any")
        data = bytes(packets[0])
        return AccessUnit(data, packets[0].is_keyframe, converted_s - started_s, time.perf_counter() - converted_s)

    def steer(self, bit_rate: int) -> None:
        """Aim at `bit_rate` bit/s (at most what it was opened with) from the next picture on; no IDR."""
        self._opened().bit_rate = min(bit_rate, self._ceiling)

    def close(self) -> None:
        """Free the encoder; encoding afterwards raises StreamError. May be called twice."""
        self._context = None

    def _opened(self) -> av.VideoCodecContext:
        if self._context is None:
            raise StreamError("the encoder is closed")
        return self._context

    def _open(self, frame_rate: float, preset: str, threads: int) -> av.VideoCodecContext:
        context = _context_for("libx264", self.coded_size)
        rate = Fraction(frame_rate).limit_denominator(1000)
        context.framerate = rate
        context.time_base = 1 / rate
        context.bit_rate = self._ceiling
        context.qmin = _FINEST_QUANTISER
        context.color_range = ColorRange.JPEG
        context.colorspace = _BT709_MATRIX
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.thread_count = threads
        context.options = {
            "preset": preset,
            "tune": "zerolatency",
            # Both are needed for `steer`: x264 takes a new bit rate only in ABR with VBV.
            "maxrate": str(self._ceiling),
            "bufsize": str(max(1, int(self._ceiling / frame_rate))),
            # No scene cut detection: an IDR comes on request only.
            # Chroma finer than x264's default: a step of its quantiser is nearly two of red or blue.
            "x264-params": f"keyint=infinite:scenecut=0:chroma-qp-offset={_CHROMA_OFFSET}",
        }
        context.open()
        return context

    def _convert(self, rgba: npt.NDArray[np.uint8]) -> av.VideoFrame:
        width, height = self.canvas_size
        # from_numpy_buffer refers to the array; from_ndarray would copy it and hold the GIL.
        picture = self._reformatter.reformat(
            av.VideoFrame.from_numpy_buffer(rgba, "rgba"),
            width=width,
            height=height,
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            interpolation=Interpolation.AREA,
            threads=1,  # more were no faster
        )
        return picture if self.canvas_size == self.coded_size else self._padded(picture)

    def _padded(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return the picture with its last column or row repeated: scaling it would move every pixel."""
        coded_width, coded_height = self.coded_size
        padded = av.VideoFrame(coded_width, coded_height, "yuv420p")
        for source, target in zip(picture.planes, padded.planes, strict=True):
            samples, room = _samples(source), _samples(target)
            height, width = samples.shape
            room[:height, :width] = samples
            # Only luma lacks anything: the chroma of an odd size is already rounded up.
            room[:height, width:] = samples[:, -1:]
            room[height:] = room[height - 1]
        return padded


def probe_encoders() -> list[EncoderProbe]:
    """Open every H.264 encoder we know and say which work. A listed encoder may still lack its driver."""
    probes = []
    for name in PROBED_ENCODERS:
        try:
            _context_for(name, (640, 480)).open()
        except (FFmpegError, ValueError) as error:
            probes.append(EncoderProbe(name, usable=False, reason=str(error)))
        else:
            probes.append(EncoderProbe(name, usable=True))
    return probes


def _context_for(name: str, coded_size: tuple[int, int]) -> av.VideoCodecContext:
    context = av.CodecContext.create(name, "w")
    if not isinstance(context, av.VideoCodecContext):
        raise ValueError(f"{name} is not a video encoder")
    context.width, context.height = coded_size
    context.pix_fmt = "yuv420p"
    context.framerate = Fraction(30)
    context.time_base = Fraction(1, 30)
    return context


def _samples(plane: av.video.plane.VideoPlane) -> npt.NDArray[np.uint8]:
    """Return a view of a plane's memory, (height, width) uint8, without the rows' padding."""
    return np.frombuffer(cast("memoryview", plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
