"""ViewerStream: the pictures of one viewer, from the newest frame to packets."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketFlag, PacketHeader, PacketKind, pack
from napari_cuda.server.encode.h264 import H264Encoder, coded_size_for
from napari_cuda.server.encode.plan import Job, StreamPlan
from napari_cuda.server.encode.still import encode_still
from napari_cuda.server.encode.window import AckWindow
from napari_cuda.server.frames import RenderedFrame
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.worker import Worker

log = logging.getLogger(__name__)

MOST_FAILURES = 3
"""An encoder that fails this often in a row will not recover by being opened again."""

KEYFRAME_EVERY_S = 0.25
"""A viewer that asks for keyframes without pause gets no more of them than this."""


class ViewerStream:
    """One viewer's encoder, window and plan.

    Owner: its encoder thread; `offer`, `ack`, `request_keyframe` and `wants_frame` come from
    the render and network threads under one lock. Holds at most one frame (the newest) and
    one being encoded, so a viewer that stops reading costs no memory.
    """

    def __init__(
        self,
        viewer: str,
        *,
        frame_rate: float,
        bit_rate: int,
        deliver: Callable[[bytes], None],
        on_room: Callable[[], None],
        on_failed: Callable[[str], None],
        metrics: ServerMetrics,
        overlays: bool = False,
    ) -> None:
        self.viewer = viewer
        self.overlays = overlays
        """Whether its pictures have the overlays in them that windows draw themselves."""
        self._frame_rate = frame_rate
        self._bit_rate = bit_rate
        self._deliver = deliver
        self._on_room = on_room
        self._on_failed = on_failed
        self._metrics = metrics
        self._changed = threading.Condition()
        self._newest: RenderedFrame | None = None
        self._fresh = False
        self._plan = StreamPlan(viewer)
        self._window = AckWindow()
        self._encoder = _Encoder(frame_rate, bit_rate)
        self._seq = 0
        self._keyframe_from_s = float("-inf")
        self._worker = Worker(
            f"encoder-{viewer}", self._run, wake=self._wake, on_error=lambda error: on_failed(str(error))
        )

    def start(self) -> None:
        """Start the encoder thread."""
        self._worker.start()

    def stop(self, deadline_s: float = 5.0) -> None:
        """End the encoder thread."""
        self._worker.stop(deadline_s)

    def offer(self, frame: RenderedFrame) -> None:
        """Take `frame` in place of the waiting one."""
        with self._changed:
            self._newest = frame.with_overlays() if self.overlays else frame
            self._fresh = True
            self._changed.notify()

    def wants_frame(self) -> bool:
        """Return True if a frame rendered now could be sent when it is ready."""
        with self._changed:
            return self._window.room > int(self._fresh)

    def ack(self, seq: int) -> None:
        """Packet `seq` was presented."""
        with self._changed:
            if not self._window.acked(seq, time.monotonic()):
                return
            self._changed.notify()
        self._on_room()

    def request_keyframe(self) -> None:
        """The viewer's decoder needs an IDR: what is on its way will not be presented."""
        self._metrics.count("keyframe_requests")
        with self._changed:
            self._plan.request_keyframe()
            self._window.reset()
            self._changed.notify()
        self._on_room()

    # --- encoder thread -----------------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        failures = 0
        try:
            while True:
                with self._changed:
                    while not stop.is_set() and self._next_job() is None:
                        # Looked at anew each time: nobody says when a keyframe that is held back is due.
                        self._changed.wait(KEYFRAME_EVERY_S if self._plan.keyframe_needed else None)
                    if stop.is_set():
                        return
                    job, frame = self._next_job(), self._newest
                    if job is None or frame is None:
                        continue
                    self._fresh = False
                try:
                    self._send(job, frame)
                    failures = 0
                except StreamError as error:
                    failures += 1
                    self._encoder.close()
                    with self._changed:
                        self._plan.request_keyframe()
                    log.warning("viewer %s: %s", self.viewer, error)
                    if failures >= MOST_FAILURES:
                        self._on_failed(str(error))
                        return
        finally:
            self._encoder.close()

    def _next_job(self) -> Job | None:
        job = self._plan.next(self._newest, room=self._window.room > 0, empty=self._window.empty)
        too_early = job is Job.KEYFRAME and time.monotonic() < self._keyframe_from_s
        return None if too_early else job

    def _send(self, job: Job, frame: RenderedFrame) -> None:
        began_s = time.monotonic()
        kind, flags, payload, coded_size = self._make(job, frame)
        if frame.full_detail:
            flags |= PacketFlag.FULL_DETAIL
        if frame.at_rest:
            flags |= PacketFlag.AT_REST
        with self._changed:
            header = PacketHeader(
                kind=kind,
                seq=self._seq,
                epoch=self._encoder.epoch,
                revision=frame.revision,
                input_id=frame.input_ids.get(self.viewer, 0),
                capture_time_us=frame.capture_time_us,
                canvas_size=frame.canvas_size,
                coded_size=coded_size,
                flags=flags,
                picture_hash=frame.picture_hash,
                camera=frame.camera,
            )
            self._window.sent(self._seq, time.monotonic())
            self._plan.sent(job, frame)
            if job is Job.KEYFRAME:
                self._keyframe_from_s = time.monotonic() + KEYFRAME_EVERY_S
            self._seq += 1
        self._deliver(pack(header, payload))
        self._metrics.observe(f"encode_{job.value}", time.monotonic() - began_s)
        self._metrics.count("pixel_bytes", len(payload))
        self._metrics.count("pixel_packets")

    def _make(self, job: Job, frame: RenderedFrame) -> tuple[PacketKind, PacketFlag, bytes, tuple[int, int]]:
        if job is Job.UNCHANGED:
            return PacketKind.UNCHANGED, PacketFlag.NONE, b"", frame.canvas_size
        if job is Job.STILL:
            return PacketKind.STILL, PacketFlag.NONE, encode_still(frame.buffer.rgba), frame.canvas_size
        data, keyframe, coded_size = self._encoder.encode(frame, keyframe=job is Job.KEYFRAME)
        flags = PacketFlag.KEYFRAME if keyframe else PacketFlag.NONE
        return PacketKind.ACCESS_UNIT, flags, data, coded_size

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class _Encoder:
    """The open H.264 context for the present canvas size. Each context is an epoch."""

    def __init__(self, frame_rate: float, bit_rate: int) -> None:
        self.epoch = 0
        self._frame_rate = frame_rate
        self._bit_rate = bit_rate
        self._canvas_size: tuple[int, int] | None = None
        self._context: H264Encoder | None = None

    def encode(self, frame: RenderedFrame, *, keyframe: bool) -> tuple[bytes, bool, tuple[int, int]]:
        """Return (access unit, is it an IDR, coded size)."""
        if self._context is None or frame.canvas_size != self._canvas_size:
            self.close()
            self._context = H264Encoder(frame.canvas_size, frame_rate=self._frame_rate, bit_rate=self._bit_rate)
            self._canvas_size = frame.canvas_size
            self.epoch += 1
            keyframe = True
        unit = self._context.encode(frame.buffer.rgba, keyframe=keyframe)
        return unit.data, unit.keyframe, coded_size_for(frame.canvas_size)

    def close(self) -> None:
        """Close the context; the next frame opens another."""
        if self._context is not None:
            self._context.close()
            self._context = None
