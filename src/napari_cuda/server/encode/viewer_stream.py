"""ViewerStream: the pictures of one viewer, from the newest frame to packets."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import HEADER_SIZE, PacketFlag, PacketHeader, PacketKind, pack
from napari_cuda.server.encode.h264 import AccessUnit
from napari_cuda.server.encode.plan import Job, StreamPlan
from napari_cuda.server.encode.rate import Arrival, RateController
from napari_cuda.server.encode.still import Stills
from napari_cuda.server.encode.still_pace import StillPace
from napari_cuda.server.encode.window import AckWindow
from napari_cuda.server.frames import RenderedFrame
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.worker import Worker

log = logging.getLogger(__name__)

MOST_FAILURES = 3
"""An encoder that fails this often in a row will not recover by being opened again."""

KEYFRAME_EVERY_S = 0.25
"""A viewer that asks for keyframes without pause gets no more of them than this."""


class PictureEncoder(Protocol):
    """What makes the moving pictures of one viewer."""

    epoch: int
    """Counts its contexts."""
    refines: bool
    """Whether the same picture, encoded again, is better."""

    @property
    def coding(self) -> str:
        """How pictures are coded now, in words. Any thread."""

    def encode(
        self, frame: RenderedFrame, *, keyframe: bool, budget: int, scale: float = 1.0
    ) -> tuple[AccessUnit, tuple[int, int]]:
        """Return the coded picture of a frame, and the size (w, h) it is coded in. Raises StreamError."""

    def close(self) -> None:
        """Free what is open; the next picture opens it anew."""


class ViewerStream:
    """One viewer's encoder, window, rate and plan.

    Owner: its encoder thread; `offer`, `ack`, `request_keyframe` and `wants_frame` come from
    the render and network threads under one lock. Holds at most one frame (the newest) and
    one being encoded, so a viewer that stops reading costs no memory.
    """

    def __init__(
        self,
        viewer: str,
        encoder: PictureEncoder,
        rate: RateController,
        *,
        deliver: Callable[[bytes], None],
        on_room: Callable[[], None],
        on_failed: Callable[[str], None],
        metrics: ServerMetrics,
        overlays: bool = False,
    ) -> None:
        self.viewer = viewer
        self.overlays = overlays
        """Whether its pictures have the overlays in them that windows draw themselves."""
        self._deliver = deliver
        self._on_room = on_room
        self._on_failed = on_failed
        self._metrics = metrics
        self._changed = threading.Condition()
        self._newest: RenderedFrame | None = None
        self._fresh = False
        self._plan = StreamPlan(viewer)
        self._window = AckWindow()
        self._rate = rate
        self._encoder = encoder
        self._stills = Stills()
        self._still_pace = StillPace()
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

    def took_newest(self) -> bool:
        """Return True if the newest frame was sent, is being encoded, or says nothing new."""
        with self._changed:
            return not self._fresh or (self._window.room > 0 and self._planned_job() is None)

    @property
    def round_trip_s(self) -> float:
        """What a packet takes to be shown and acknowledged, at best; 0 if it is not known yet."""
        with self._changed:
            return self._rate.round_trip_s

    def ack(self, ack: m.PixelAck) -> None:
        """A packet was presented, and all before it or never."""
        now_s = time.monotonic()
        told = Arrival(ack.received_us / 1e6, ack.held_us / 1e6) if ack.received_us else Arrival(now_s, 0.0)
        with self._changed:
            acknowledged = self._window.acked(ack.seq)
            if not acknowledged:
                return
            self._rate.acked(acknowledged, told, now_s)
            self._window.size = self._rate.window
            parts = sum(packet.part for packet in acknowledged)
            self._still_pace.acked(parts, self._rate.queue_s, self._rate.round_trip_s)
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

    def quality(self) -> m.StreamQuality:
        """Return how its pictures are coded now."""
        with self._changed:
            rate = self._rate
            link_rate = int(rate.link_rate or 0)
            return m.StreamQuality(
                int(rate.bit_rate), link_rate, rate.window, round(1e3 * rate.queue_s, 1), self._encoder.coding
            )

    # --- encoder thread -----------------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        failures = 0
        try:
            while self._wait_for_job(stop):
                try:
                    if self._send_newest():
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

    def _wait_for_job(self, stop: threading.Event) -> bool:
        """Return True once there is one; False if the thread is to end. No frame is held meanwhile."""
        with self._changed:
            while not stop.is_set() and self._next_job() is None:
                # Looked at anew each time: nobody says when a keyframe that is held back is due.
                self._changed.wait(KEYFRAME_EVERY_S if self._plan.keyframe_needed else None)
        return not stop.is_set()

    def _send_newest(self) -> bool:
        """Return False if there is nothing to send any more. Raises StreamError."""
        with self._changed:
            job, frame = self._next_job(), self._newest
            if job is None or frame is None:
                return False
            self._fresh = False
        self._send(job, frame)
        return True

    def _next_job(self) -> Job | None:
        job = self._planned_job()
        too_early = job is Job.KEYFRAME and time.monotonic() < self._keyframe_from_s
        return None if too_early else job

    def _planned_job(self) -> Job | None:
        window, frame = self._window, self._newest
        return self._plan.next(
            frame,
            room=window.room > 0,
            empty=window.empty,
            part_room=window.parts_in_flight < self._still_pace.allowed,
            refine=frame is not None
            and self._encoder.refines
            and self._still_pace.refines(self._rate.link_rate, math.prod(frame.picture_size)),
        )

    def _send(self, job: Job, frame: RenderedFrame) -> None:
        began_s = time.monotonic()
        made = self._make(job, frame)
        flags = made.flags
        if frame.full_detail:
            flags |= PacketFlag.FULL_DETAIL
        if frame.at_rest:
            flags |= PacketFlag.AT_REST
        with self._changed:
            header = PacketHeader(
                kind=made.kind,
                seq=self._seq,
                epoch=self._encoder.epoch,
                revision=frame.revision,
                input_id=frame.input_ids.get(self.viewer, 0),
                capture_time_us=frame.capture_time_us,
                canvas_size=frame.canvas_size,
                coded_size=made.coded_size,
                flags=flags,
                picture_hash=frame.picture_hash,
                camera=frame.camera,
                part=made.part,
                margin=frame.margin,
            )
            now_s, size_bytes = time.monotonic(), HEADER_SIZE + len(made.payload)
            self._window.sent(self._seq, size_bytes, now_s, part=job is Job.STILL)
            if job is not Job.STILL:
                self._still_pace.begin()
            if made.kind is PacketKind.ACCESS_UNIT:
                self._rate.sent(size_bytes, now_s, room=self._window.room)
            self._plan.sent(job, frame, more=made.kind is PacketKind.STILL_PART)
            if job is Job.KEYFRAME:
                self._keyframe_from_s = now_s + KEYFRAME_EVERY_S
            self._seq += 1
        self._deliver(pack(header, made.payload))
        self._metrics.observe(f"encode_{job.value}", time.monotonic() - began_s)
        self._metrics.count("pixel_bytes", len(made.payload))
        self._metrics.count("pixel_packets")

    def _make(self, job: Job, frame: RenderedFrame) -> _Made:
        if job is Job.STILL:
            with self._changed:
                size_bytes = self._still_pace.part_size(self._rate.link_rate)
            part = self._stills.next_part(frame, size_bytes)
            kind = PacketKind.STILL if part.last else PacketKind.STILL_PART
            return _Made(kind, part.data, frame.canvas_size, part=part.index)
        self._stills.cancel()
        if job is Job.UNCHANGED:
            return _Made(PacketKind.UNCHANGED, b"", frame.canvas_size)
        if job is Job.KEYFRAME:  # asked for by whoever lost something, it may be a still
            self._stills.forget()
        with self._changed:
            budget, scale = self._rate.frame_bytes(frame.picture_size), self._rate.scale(frame.picture_size)
        unit, coded_size = self._encoder.encode(frame, keyframe=job is Job.KEYFRAME, budget=budget, scale=scale)
        flags = PacketFlag.KEYFRAME if unit.keyframe else PacketFlag.NONE
        return _Made(PacketKind.ACCESS_UNIT, unit.data, coded_size, flags)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class _Made:
    """What a job became: a packet but for what the header says of the frame."""

    kind: PacketKind
    payload: bytes
    coded_size: tuple[int, int]
    flags: PacketFlag = PacketFlag.NONE
    part: int = 0
