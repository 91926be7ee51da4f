"""StreamHub: the streams of all viewers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol

from napari_cuda.protocol.messages import StreamQuality
from napari_cuda.protocol.packet import Coding
from napari_cuda.server.encode.choice import EncoderChoice
from napari_cuda.server.encode.effort import Effort
from napari_cuda.server.encode.jpeg import JPEG_BIT_RATE, JpegEncoder
from napari_cuda.server.encode.rate import RateController
from napari_cuda.server.encode.viewer_encoder import ViewerEncoder
from napari_cuda.server.encode.viewer_stream import PictureEncoder, ViewerStream
from napari_cuda.server.frames import RenderedFrame
from napari_cuda.server.metrics import ServerMetrics


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class OpenStream(Protocol):
    """A stream as it is closed."""

    @property
    def viewer(self) -> str:
        """Whose stream it is."""

    def stop(self) -> None:
        """End it."""


class StreamHub:
    """All viewers' streams; the render loop's frame sink. Thread-safe."""

    def __init__(
        self,
        metrics: ServerMetrics,
        *,
        encoders: EncoderChoice,
        frame_rate: float,
        bit_rate: int,
        on_room: Callable[[], None],
    ) -> None:
        self._metrics = metrics
        self._encoders = encoders
        self._frame_rate = frame_rate
        self._bit_rate = bit_rate
        self._on_room = on_room
        metrics.show("bit_rate_lowest", lambda: min((now.bit_rate for now in self._qualities()), default=0))
        metrics.show(
            "link_rate_lowest", lambda: min((now.link_rate for now in self._qualities() if now.link_rate), default=0)
        )
        metrics.show("window_largest", lambda: max((now.window for now in self._qualities()), default=0))
        self._lock = threading.Lock()
        self._streams: dict[str, ViewerStream] = {}

    def open(
        self,
        viewer: str,
        deliver: Callable[[bytes], None],
        on_failed: Callable[[str], None],
        *,
        overlays: bool,
        full_color: bool = False,
        coding: Coding = "h264",
    ) -> ViewerStream:
        """Start the stream of a viewer and return it; an older one gets no more frames until its socket closes it."""
        encoder = JpegEncoder() if coding == "jpeg" else self._video_encoder(coding, full_color=full_color)
        ceiling = JPEG_BIT_RATE if coding == "jpeg" else self._bit_rate
        stream = ViewerStream(
            viewer,
            encoder,
            RateController(frame_rate=self._frame_rate, ceiling=ceiling),
            deliver=deliver,
            on_room=self._on_room,
            on_failed=on_failed,
            metrics=self._metrics,
            overlays=overlays,
        )
        with self._lock:
            self._streams[viewer] = stream
        stream.start()
        return stream

    def close(self, stream: OpenStream) -> None:
        """Stop a stream; it may have been replaced already."""
        with self._lock:
            if self._streams.get(stream.viewer) is stream:
                del self._streams[stream.viewer]
        stream.stop()

    def wants_frame(self) -> bool:
        """Return True if at least one viewer's window has room."""
        return any(stream.wants_frame() for stream in self._all())

    def took_newest(self) -> bool:
        """Return True if at least one viewer's stream took the newest frame."""
        return any(stream.took_newest() for stream in self._all())

    def wants_overlays(self) -> bool:
        """Return True if at least one viewer draws no overlays itself."""
        return any(stream.overlays for stream in self._all())

    def round_trip_s(self) -> float:
        """Return the shortest of the viewers' round trips; 0 if there is no viewer, or one is not known yet."""
        return min((stream.round_trip_s for stream in self._all()), default=0.0)

    def publish(self, frame: RenderedFrame) -> None:
        """Offer a frame to every stream."""
        for stream in self._all():
            stream.offer(frame)

    def stop(self) -> None:
        """Stop all streams."""
        for stream in self._all():
            self.close(stream)

    def _video_encoder(self, coding: Coding, *, full_color: bool) -> PictureEncoder:
        return ViewerEncoder(
            self._encoders,
            Effort(frame_rate=self._frame_rate, cores=usable_cores()),
            frame_rate=self._frame_rate,
            bit_rate=self._bit_rate,
            takes_full_color=full_color,
            full_range=coding == "h264",
        )

    def _qualities(self) -> list[StreamQuality]:
        return [stream.quality() for stream in self._all()]

    def _all(self) -> list[ViewerStream]:
        with self._lock:
            return list(self._streams.values())
