"""HardwareDecoder: libavcodec's hardware decoding through PyAV, the pictures left where they are."""

from __future__ import annotations

from collections.abc import Callable

import av
from av.codec.hwaccel import HWAccel
from av.error import FFmpegError

from napari_cuda.client.decode.h264 import check, color_of, open_context, packet_of, planes_of, view_of
from napari_cuda.client.decode.live import (
    DecodeFailedError,
    DecoderConfig,
    DecoderCounts,
    DecoderUnavailableError,
)
from napari_cuda.client.decode.surface_pool import DEFAULT_SURFACES, PooledSurface, SurfacePool
from napari_cuda.client.playout.lease import UseAfterReleaseError
from napari_cuda.client.playout.picture import YuvPicture
from napari_cuda.client.playout.surface import Surface, SurfaceKind
from napari_cuda.protocol.errors import StreamError


class HardwareDecoder:
    """A LiveDecoder on one of libavcodec's devices. Owner: see `LiveDecoder`.

    `device` is libavcodec's name of it ('cuda', 'videotoolbox'; None decodes in software, for
    tests), `handle_of` finds the native object in a decoded frame. libavcodec waits for the hardware
    inside `submit`, and only there. Raises DecoderUnavailableError.
    """

    def __init__(
        self,
        config: DecoderConfig,
        device: str | None,
        kind: SurfaceKind,
        handle_of: Callable[[av.VideoFrame], int],
        *,
        surfaces: int = DEFAULT_SURFACES,
    ) -> None:
        self._size = config.coded_size
        self._kind = kind
        self._handle_of = handle_of
        self._pool = SurfacePool(surfaces)
        try:
            hwaccel = device and HWAccel(device, allow_software_fallback=False, is_hw_owned=True)
            self._context = open_context(config.record, hwaccel or None)
            # Beyond those that it decodes from; we keep that many at most.
            self._context.options = {"extra_hw_frames": str(surfaces)}
            self._context.open()
        except (FFmpegError, ValueError) as error:
            raise DecoderUnavailableError(f"{device} does not open: no such hardware, or no driver") from error
        if device is not None and not self._context.is_hwaccel:
            raise DecoderUnavailableError(f"{device} does not open: this build of libavcodec has no decoder for it")

    @property
    def counts(self) -> DecoderCounts:
        """What is in flight, and how many surfaces are in use."""
        return self._pool.counts()

    def submit(self, unit: bytes, pts: int, *, keyframe: bool, timeout_s: float = 0.0) -> bool:
        """Decode an access unit: see `LiveDecoder`."""
        if not self._pool.promise(timeout_s):
            return False
        packet = packet_of(unit)
        packet.pts = pts
        try:
            frames = self._context.decode(packet)
            if len(frames) != 1:
                raise StreamError(f"the access unit gave {len(frames)} pictures instead of one")
            check(frames[0], self._size)
            self._pool.put(HardwareSurface(frames[0], self._kind, self._handle_of(frames[0]), self._pool))
        except FFmpegError as error:
            raise DecodeFailedError(f"the access unit cannot be decoded: {error.strerror}") from error
        except StreamError as error:
            raise DecodeFailedError(str(error)) from error
        return True

    def poll(self, timeout_s: float) -> Surface | None:
        """Return the next surface: see `LiveDecoder`."""
        return self._pool.take(timeout_s)

    def flush(self) -> None:
        """Forget all that is in flight."""
        self._context.flush_buffers()
        self._pool.clear()

    def close(self) -> None:
        """Stop giving surfaces; the context is freed with the last of its frames."""
        self._pool.close()


class HardwareSurface(PooledSurface):
    """A decoded frame on its device. Owner: the lease that wraps it."""

    def __init__(self, frame: av.VideoFrame, kind: SurfaceKind, handle: int, pool: SurfacePool) -> None:
        if kind is not SurfaceKind.CPU_PLANES and (frame.sw_format or frame.format).name != "nv12":
            raise StreamError("the hardware decodes to another format than NV12: only 8 bit 4:2:0 can be shown")
        super().__init__(pool, frame.pts or 0, color_of(frame), kind, handle)
        self._frame: av.VideoFrame | None = frame

    @property
    def frame(self) -> av.VideoFrame:
        """The frame on its device; UseAfterReleaseError once the surface is closed."""
        if self._frame is None:
            raise UseAfterReleaseError("the surface is closed: its memory belongs to the decoder again")
        return self._frame

    def planes(self) -> YuvPicture:
        """Return the samples: free in memory, else downloaded. Raises StreamError if that fails."""
        if self._kind is SurfaceKind.CPU_PLANES:
            return planes_of(self.frame)
        try:
            luma, chroma = (view_of(plane) for plane in self.frame.reformat(format="nv12").planes)
        except (FFmpegError, ValueError) as error:
            raise StreamError(f"a decoded surface cannot be downloaded: {error}") from error
        return YuvPicture(luma, chroma[:, 0::2], chroma[:, 1::2], self._color)

    def close(self) -> None:
        """Give the surface back to its pool."""
        self._frame = None
        super().close()
