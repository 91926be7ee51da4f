"""H264Encoder: pictures in, one H.264 access unit out for each, at once (libavcodec through PyAV).

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
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from napari_cuda.bitstream.sps import sps_of
from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.backends import BACKENDS, DEFAULT_PRESET, SOFTWARE, Backend, Wanted

DEFAULT_BIT_RATE = 20_000_000

_FINEST_QUANTISER = 16
"""Below this the eye gains nothing and a constant bit rate would be spent on noise: 45 dB and up."""
_PROBED_SIZE = (640, 480)
_BT709_MATRIX = 1  # AVCOL_SPC_BT709; `Colorspace` counts in swscale's numbers, which differ
_BT601_MATRIX = 6  # AVCOL_SPC_SMPTE170M


@dataclass(frozen=True, slots=True)
class _Samples:
    """How colours become samples: the range, and the matrix in libavcodec's numbers and in swscale's."""

    range: ColorRange
    signalled: int
    matrix: Colorspace


_FULL_RANGE = _Samples(ColorRange.JPEG, _BT709_MATRIX, Colorspace.ITU709)
_LIMITED_RANGE = _Samples(ColorRange.MPEG, _BT601_MATRIX, Colorspace.ITU601)
"""For Firefox, which takes all for limited range: of BT.709 its conversion then cuts the blue off, by 12 of 255."""


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded picture: Annex B, SPS and PPS before every IDR; seconds spent on it."""

    data: bytes
    keyframe: bool
    convert_s: float
    encode_s: float


@dataclass(frozen=True, slots=True)
class EncoderProbe:
    """Whether an encoder does what is needed on this machine, and if not, why."""

    name: str
    usable: bool
    reason: str = ""


def coded_size_for(canvas_size: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) that a canvas is coded in: 4:2:0 needs even numbers."""
    width, height = canvas_size
    return width + width % 2, height + height % 2


class H264Encoder:
    """Encodes the pictures of one viewer's stream. Owner: that stream's encoder thread.

    1 in → 1 out, no B frames, no lookahead, an IDR first and then only on request. BT.709 in full range,
    or BT.601 in limited range if not `full_range`, signalled in the bitstream; 4:2:0, or 4:4:4 if
    `full_color` and the backend can. No frame exceeds one and a half frames' share of `bit_rate` (VBV), nor does
    an IDR, so that none of them can stall the link.

    `canvas_size` is (width, height) in pixels; `frame_rate` the rate that `bit_rate` (bit/s, also
    the ceiling for `steer`) is shared out for: x264 does not look at the pictures' real times.
    `preset` 'ultrafast' or 'superfast' (x264 only); with `threads` > 1 a frame is cut in that many
    slices, still without delay. The GIL is not held while converting or encoding. Raises StreamError.
    """

    def __init__(
        self,
        canvas_size: tuple[int, int],
        *,
        frame_rate: float,
        bit_rate: int = DEFAULT_BIT_RATE,
        preset: str = DEFAULT_PRESET,
        threads: int = 1,
        full_color: bool = False,
        full_range: bool = True,
        backend: Backend = BACKENDS[SOFTWARE],
    ) -> None:
        self.canvas_size = canvas_size
        self.coded_size = coded_size_for(canvas_size)
        wanted = Wanted(self.coded_size, frame_rate, bit_rate, preset, threads, full_color)
        self._pixel_format = backend.format_for(wanted)
        self._planar_format = "yuv444p" if self._pixel_format == "yuv444p" else "yuv420p"
        self._sampling = _FULL_RANGE if full_range else _LIMITED_RANGE
        self._ceiling = bit_rate
        self._pictures = 0
        self._reformatter = VideoReformatter()
        self._coarsener = VideoReformatter()  # each keeps what it works with for one pair of sizes
        self._context: av.VideoCodecContext | None = None
        try:
            self._context = _open(backend, wanted, self._sampling)
        except (FFmpegError, ValueError, OverflowError) as error:
            width, height = self.coded_size
            raise StreamError(
                f"cannot open {backend.codec} for {width}x{height} at {bit_rate} bit/s: {_reason(error)}"
            ) from error

    def encode(self, rgba: npt.NDArray[np.uint8], *, keyframe: bool = False, scale: float = 1.0) -> AccessUnit:
        """Return the access unit of one picture; an IDR if `keyframe`, and always the first time.

        `rgba` is (h, w, 4) uint8, top row first, rows may be padded; alpha is ignored. A picture of
        another size than the canvas (reduced detail) is scaled to it by the colour conversion. With a
        `scale` below 1 it loses what only so many pixels less would show; its size stays.
        """
        context = self._opened()
        started_s = time.perf_counter()
        try:
            picture = self._convert(rgba, scale)
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
        """Aim at `bit_rate` bit/s (at most what it was opened with) from the next picture on; no IDR.

        An encoder that does not steer goes on as before.
        """
        self._opened().bit_rate = min(bit_rate, self._ceiling)

    def close(self) -> None:
        """Free the encoder; encoding afterwards raises StreamError. May be called twice."""
        self._context = None

    def _opened(self) -> av.VideoCodecContext:
        if self._context is None:
            raise StreamError("the encoder is closed")
        return self._context

    def _convert(self, rgba: npt.NDArray[np.uint8], scale: float) -> av.VideoFrame:
        width, height = self.canvas_size
        # from_numpy_buffer refers to the array; from_ndarray would copy it and hold the GIL.
        picture = av.VideoFrame.from_numpy_buffer(rgba, "rgba")
        if scale < 1:
            picture = self._coarsener.reformat(
                picture,
                width=max(1, round(scale * picture.width)),
                height=max(1, round(scale * picture.height)),
                format="rgba",
                interpolation=Interpolation.AREA,
                threads=1,
            )
        picture = self._reformatter.reformat(
            picture,
            width=width,
            height=height,
            format=self._planar_format,
            src_color_range=ColorRange.JPEG,
            dst_color_range=self._sampling.range,
            dst_colorspace=self._sampling.matrix,
            interpolation=Interpolation.AREA,
            threads=2,  # the same samples in half the time
        )
        if self.canvas_size != self.coded_size:
            picture = self._padded(picture)
        # The same samples, in the order in which some hardware takes them.
        return (
            picture
            if self._pixel_format == self._planar_format
            else self._reformatter.reformat(picture, format=self._pixel_format)
        )

    def _padded(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return the picture with its last column or row repeated: scaling it would move every pixel."""
        coded_width, coded_height = self.coded_size
        padded = av.VideoFrame(coded_width, coded_height, self._planar_format)
        for source, target in zip(picture.planes, padded.planes, strict=True):
            samples, room = _samples(source), _samples(target)
            height, width = samples.shape
            room[:height, :width] = samples
            # Of 4:2:0 only luma lacks anything: the chroma of an odd size is already rounded up.
            room[:height, width:] = samples[:, -1:]
            room[height:] = room[height - 1]
        return padded


def probe(backend: Backend) -> EncoderProbe:
    """Encode two pictures. A listed encoder may lack its driver, and one that opens may hold pictures back."""
    width, height = _PROBED_SIZE
    picture = np.full((height, width, 4), 128, np.uint8)
    try:
        encoder = H264Encoder(_PROBED_SIZE, frame_rate=30, bit_rate=4_000_000, backend=backend)
        units = [encoder.encode(picture) for _ in range(2)]
        encoder.close()
        sps = sps_of(units[0].data)
    except StreamError as error:
        return EncoderProbe(backend.codec, usable=False, reason=str(error))
    if sps is None or not units[0].keyframe:
        return EncoderProbe(backend.codec, usable=False, reason="the stream does not begin with its parameter sets")
    if (sps.matrix_coefficients, sps.full_range) != (_BT709_MATRIX, True):
        return EncoderProbe(backend.codec, usable=False, reason="the stream does not say what its colours are")
    return EncoderProbe(backend.codec, usable=True)


def probe_encoders() -> list[EncoderProbe]:
    """Try every H.264 encoder we know and say which work, in order of preference."""
    return [probe(backend) for backend in BACKENDS.values()]


def _open(backend: Backend, wanted: Wanted, sampling: _Samples) -> av.VideoCodecContext:
    context = av.CodecContext.create(backend.codec, "w")
    if not isinstance(context, av.VideoCodecContext):
        raise ValueError(f"{backend.codec} is not a video encoder")
    rate = Fraction(wanted.frame_rate).limit_denominator(1000)
    context.width, context.height = wanted.coded_size
    context.pix_fmt = backend.format_for(wanted)
    context.framerate = rate
    context.time_base = 1 / rate
    context.bit_rate = wanted.bit_rate
    context.qmin = _FINEST_QUANTISER
    context.color_range = sampling.range
    context.colorspace = sampling.signalled
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.thread_count = wanted.threads
    context.options = backend.options(wanted)
    context.open()
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, UnknownCodecError):
        return "this build of PyAV does not have it"
    return (error.strerror if isinstance(error, FFmpegError) else "") or str(error)


def _samples(plane: av.video.plane.VideoPlane) -> npt.NDArray[np.uint8]:
    """Return a view of a plane's memory, (height, width) uint8, without the rows' padding."""
    return np.frombuffer(cast("memoryview", plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
