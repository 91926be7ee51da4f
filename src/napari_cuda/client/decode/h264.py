"""H264Decoder: one access unit in, its planes out, at once (libavcodec through PyAV)."""

from __future__ import annotations

from typing import cast

import av
import numpy as np
from av.codec.context import Flags, ThreadType
from av.codec.hwaccel import HWAccel
from av.error import FFmpegError
from av.stream import Stream
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange

from napari_cuda.client.playout.picture import ColorSpec, Plane, YuvPicture
from napari_cuda.protocol.errors import StreamError

# yuvj…: libavcodec's name for the same samples in full range.
_CHROMA_SHIFTS = {"yuv420p": (1, 1), "yuvj420p": (1, 1), "yuv444p": (0, 0), "yuvj444p": (0, 0)}

# By ITU-T H.273 matrix_coefficients. A stream that does not say (2) is BT.709, as in browsers.
_MATRICES = {1: "bt709", 2: "bt709", 5: "bt601", 6: "bt601"}


class H264Decoder:
    """Decodes one stream. Owner: the decode thread that created it.

    1 in → 1 out. Never FRAME threading: it delays by a frame, and PyAV 18 hangs when such a
    decoder is dropped undrained. Damage is an error, never a concealed picture. Access units are
    Annex B; if an avcC `record` is given, they have lengths of the size that it announces.
    """

    def __init__(self, record: bytes = b"") -> None:
        self._record = record
        self._context = open_context(record)

    def decode(self, data: bytes | memoryview, *, expected_size: tuple[int, int] | None = None) -> YuvPicture:
        """Return the picture of one access unit.

        The planes are views of the decoder's memory, which lives as long as they do.
        `expected_size` is the (width, height) that the packet's header announced. Raises
        StreamError if the data is damaged, or the size or format is another: call `reset` and go
        on at an IDR.
        """
        if not data:
            raise StreamError("the access unit is empty")  # to libavcodec that means: end of stream
        try:
            frames = self._context.decode(packet_of(data))
        except FFmpegError as error:
            raise StreamError(f"the access unit cannot be decoded: {error.strerror}") from error
        if len(frames) != 1:
            raise StreamError(f"the access unit gave {len(frames)} pictures instead of one")
        check(frames[0], expected_size)
        return planes_of(frames[0])

    def reset(self) -> None:
        """Forget the stream; the next access unit must be an IDR."""
        self._context = open_context(self._record)


def open_context(record: bytes = b"", hwaccel: HWAccel | None = None) -> av.VideoCodecContext:
    """Return a decoder that delays no picture. Raises StreamError; FFmpegError if the hardware does not open."""
    context = av.CodecContext.create("h264", "r", hwaccel=hwaccel)
    if not isinstance(context, av.VideoCodecContext):
        raise StreamError("this build of PyAV has no H.264 decoder: install the `av` wheel from PyPI")
    context.thread_type = ThreadType.SLICE
    context.thread_count = 1  # 2 were no faster
    context.flags |= Flags.low_delay
    if record:
        context.extradata = record
    return context


def packet_of(data: bytes | memoryview) -> av.Packet[Stream]:
    """Return a packet with a copy of an access unit."""
    # av.Packet(data) would refer to the bytes themselves, and libavcodec reads past their end.
    packet = av.Packet(len(data))
    packet.update(cast("bytes", data))
    return packet


def check(frame: av.VideoFrame, expected_size: tuple[int, int] | None) -> None:
    """Raise StreamError if a decoded frame is damaged, or of another size than announced."""
    if frame.is_corrupt:  # libavcodec has patched it up with parts of the picture before
        raise StreamError("the access unit is damaged")
    if expected_size is not None and (frame.width, frame.height) != expected_size:
        raise StreamError(f"the stream is {frame.width}x{frame.height}, its header says {expected_size}")


def color_of(frame: av.VideoFrame) -> ColorSpec:
    """Return what the bitstream says about a frame's samples. Raises StreamError if no shader can show them."""
    matrix = _MATRICES.get(frame.colorspace)
    if matrix is None:
        raise StreamError(f"cannot show colour matrix {frame.colorspace}: only BT.709 and BT.601")
    full_range = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return ColorSpec(matrix, full_range)


def planes_of(frame: av.VideoFrame) -> YuvPicture:
    """Return a frame's planes, which are not copied. Raises StreamError if no shader can show them."""
    shift = _CHROMA_SHIFTS.get(frame.format.name)
    if shift is None:
        raise StreamError(f"cannot show pixel format {frame.format.name}: only 8 bit 4:2:0 and 4:4:4")
    y, u, v = (view_of(plane) for plane in frame.planes)
    return YuvPicture(y, u, v, color_of(frame), shift)


def view_of(plane: VideoPlane) -> Plane:
    """Return the plane's memory, (height, stride); the array keeps plane and frame alive."""
    return np.frombuffer(cast("memoryview", plane), np.uint8).reshape(plane.height, plane.line_size)
