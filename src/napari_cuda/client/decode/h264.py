"""H264Decoder: one access unit in, its planes out, at once (libavcodec through PyAV).

The only module of the client that imports `av`.
"""

from __future__ import annotations

from typing import cast

import av
import numpy as np
from av.codec.context import Flags, ThreadType
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
    decoder is dropped undrained. Damage is an error, never a concealed picture.
    """

    def __init__(self) -> None:
        self._context = _open()

    def decode(self, data: bytes | memoryview, *, expected_size: tuple[int, int] | None = None) -> YuvPicture:
        """Return the picture of one Annex B access unit.

        The planes are views of the decoder's memory, which lives as long as they do.
        `expected_size` is the (width, height) that the packet's header announced. Raises
        StreamError if the data is damaged, or the size or format is another: call `reset` and go
        on at an IDR.
        """
        if not data:
            raise StreamError("the access unit is empty")  # to libavcodec that means: end of stream
        try:
            frames = self._context.decode(_packet(data))
        except FFmpegError as error:
            raise StreamError(f"the access unit cannot be decoded: {error.strerror}") from error
        if len(frames) != 1:
            raise StreamError(f"the access unit gave {len(frames)} pictures instead of one")
        return _picture(frames[0], expected_size)

    def reset(self) -> None:
        """Forget the stream; the next access unit must be an IDR."""
        self._context = _open()


def _open() -> av.VideoCodecContext:
    context = av.CodecContext.create("h264", "r")
    if not isinstance(context, av.VideoCodecContext):
        raise StreamError("this build of PyAV has no H.264 decoder: install the `av` wheel from PyPI")
    context.thread_type = ThreadType.SLICE
    context.thread_count = 1  # 2 were no faster
    context.flags |= Flags.low_delay
    return context


def _packet(data: bytes | memoryview) -> av.Packet[Stream]:
    # av.Packet(data) would refer to the bytes themselves, and libavcodec reads past their end.
    packet = av.Packet(len(data))
    packet.update(cast("bytes", data))
    return packet


def _picture(frame: av.VideoFrame, expected_size: tuple[int, int] | None) -> YuvPicture:
    if frame.is_corrupt:  # libavcodec has patched it up with parts of the picture before
        raise StreamError("the access unit is damaged")
    if expected_size is not None and (frame.width, frame.height) != expected_size:
        raise StreamError(f"the stream is {frame.width}x{frame.height}, its header says {expected_size}")
    shift, matrix = _CHROMA_SHIFTS.get(frame.format.name), _MATRICES.get(frame.colorspace)
    if shift is None:
        raise StreamError(f"cannot show pixel format {frame.format.name}: only 8 bit 4:2:0 and 4:4:4")
    if matrix is None:
        raise StreamError(f"cannot show colour matrix {frame.colorspace}: only BT.709 and BT.601")
    full_range = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    y, u, v = (_view(plane) for plane in frame.planes)
    return YuvPicture(y, u, v, ColorSpec(matrix, full_range), shift)


def _view(plane: VideoPlane) -> Plane:
    """Return the plane's memory, (height, stride); the array keeps plane and frame alive."""
    return np.frombuffer(cast("memoryview", plane), np.uint8).reshape(plane.height, plane.line_size)
