"""PyAVPipeline: software decoding on a thread of its own, from packet to presentable picture."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.still import decode_still
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.gate import TRANSITIONS, GateEvent, GateState, KeyframeRequests, Verdict, packet_event
from napari_cuda.client.playout.picture import ExactPicture, YuvPicture
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketHeader, PacketKind
from napari_cuda.worker import Worker

log = logging.getLogger(__name__)

QUEUE_CAPACITY = 32
"""About half a second at 60 frames/s. A well-behaved server has 2 to 4 on the way; more than
this and what waits is too old to be worth decoding: a fresh IDR shows the present sooner."""


@dataclass(frozen=True, slots=True)
class _Packet:
    header: PacketHeader
    payload: bytes | memoryview
    received_s: float
    after_loss: bool = False


class _PacketQueue:
    """Packets between two threads, with a bound. `None` stands for a new connection."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._changed = threading.Condition()
        self._waiting: deque[_Packet | None] = deque()

    def put(self, header: PacketHeader, payload: bytes | memoryview, received_s: float) -> int:
        """Append a packet and return how many were dropped for it: all that waited, if full."""
        with self._changed:
            dropped = 0
            if len(self._waiting) >= self._capacity:
                # A new connection must still be noticed when its first packets overflow.
                restarts = [item for item in self._waiting if item is None]
                dropped = len(self._waiting) - len(restarts)
                self._waiting = deque(restarts[-1:])
            self._waiting.append(_Packet(header, payload, received_s, after_loss=dropped > 0))
            self._changed.notify()
            return dropped

    def restart(self) -> None:
        """Replace all packets by the mark of a new connection."""
        with self._changed:
            self._waiting = deque([None])
            self._changed.notify()

    def take(self, stop: threading.Event) -> _Packet | None:
        """Wait for the next packet; None for a new connection, or if `stop` is set."""
        with self._changed:
            self._changed.wait_for(lambda: stop.is_set() or self._waiting)
            return None if stop.is_set() else self._waiting.popleft()

    def wake(self) -> None:
        """Let `take` look at its stop event."""
        with self._changed:
            self._changed.notify_all()


class PyAVPipeline:
    """Decodes packets in order. Owner: its thread, "pyav-decode"; `submit` from the receiver's.

    Each picture goes to `present`, each UNCHANGED packet to `on_unchanged`, in the order of the
    packets and on the decode thread. Packets arrive gated (`StreamGate`); what is lost here
    (overflow, damage) is made up for here: drop until the next IDR, and `request_keyframe` once,
    repeated at growing intervals only while deltas keep coming. `clock` is the client's clock, on
    which `received_s` was read too.
    """

    def __init__(
        self,
        *,
        present: Callable[[SubmittedFrame], object],
        on_unchanged: Callable[[PacketHeader], None],
        request_keyframe: Callable[[], None],
        metrics: ClientMetrics,
        on_restarted: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
        capacity: int = QUEUE_CAPACITY,
    ) -> None:
        self._present = present
        self._on_unchanged = on_unchanged
        self._request_keyframe = request_keyframe
        self._on_restarted = on_restarted
        self._metrics = metrics
        self._clock = clock
        self._queue = _PacketQueue(capacity)
        self._state = GateState.CLOSED
        self._requests = KeyframeRequests()
        self._epoch: int | None = None
        self._decoder = H264Decoder()
        self._worker = Worker("pyav-decode", self._run, wake=self._queue.wake)

    def start(self) -> None:
        """Start the decode thread."""
        self._worker.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """End the decode thread; what waits is dropped. False if it did not end in time."""
        return self._worker.stop(deadline_s)

    def submit(self, header: PacketHeader, payload: bytes | memoryview, received_s: float) -> None:
        """Queue an admitted packet. Never blocks."""
        dropped = self._queue.put(header, payload, received_s)
        if dropped:
            self._metrics.count("decode_queue_overflows")
            self._metrics.count("packets_dropped", dropped)

    def on_reconnect(self) -> None:
        """A new connection begins: drop what waits; `on_restarted` is called before its first picture.

        So a picture of the old connection can never follow one of the new.
        """
        self._queue.restart()

    # --- decode thread ------------------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            packet = self._queue.take(stop)
            if stop.is_set():
                return
            if packet is None:
                self._restart()
            else:
                self._handle(packet)

    def _restart(self) -> None:
        self._step(GateEvent.RECONNECT)
        self._epoch = None
        self._decoder.reset()
        self._requests.answered()
        self._on_restarted()

    def _handle(self, packet: _Packet) -> None:
        header = packet.header
        self._metrics.observe("decode_wait", self._clock() - packet.received_s)
        if packet.after_loss:
            log.warning("decoding fell behind: dropped what waited, going on at the next keyframe")
            self._step(GateEvent.LOSS)
        if header.epoch != self._epoch:
            self._epoch = header.epoch
            self._step(GateEvent.NEW_EPOCH)
            self._decoder.reset()
        if self._step(packet_event(header.kind, keyframe=header.keyframe)) is not Verdict.ADMIT:
            self._metrics.count("packets_dropped")
            self._request()
        elif header.kind is PacketKind.UNCHANGED:
            self._on_unchanged(header)
        elif header.kind is PacketKind.STILL:
            self._show_still(packet)
        else:
            self._show_access_unit(packet)

    def _show_access_unit(self, packet: _Packet) -> None:
        header, began_s = packet.header, self._clock()
        try:
            picture = self._decoder.decode(packet.payload, expected_size=header.coded_size)
        except StreamError as error:
            self._metrics.count("decode_errors")
            self._step(GateEvent.LOSS)
            self._decoder.reset()
            log.warning("packet %d: %s; going on at the next keyframe", header.seq, error)
            if header.keyframe:
                self._requests.answered()  # badly: nothing more comes unless it is asked for now
            self._request()
            return
        if header.keyframe:
            self._requests.answered()
        self._submit(packet, picture, began_s, "decode")

    def _show_still(self, packet: _Packet) -> None:
        header, began_s = packet.header, self._clock()
        try:
            picture = decode_still(packet.payload, header.picture_hash, expected_size=header.canvas_size)
        except StreamError as error:
            # The server counts it as shown: only a new picture can make that true again.
            self._metrics.count("decode_errors")
            log.warning("packet %d: %s", header.seq, error)
            self._step(GateEvent.LOSS)
            self._request()
            return
        self._submit(packet, picture, began_s, "decode_still")

    def _submit(self, packet: _Packet, picture: YuvPicture | ExactPicture, began_s: float, stage: str) -> None:
        decoded_s = self._clock()
        self._metrics.observe(stage, decoded_s - began_s)
        self._metrics.count("pictures_decoded")
        self._present(SubmittedFrame(packet.header, picture, decoded_s, packet.received_s, decoded_s))

    def _step(self, event: GateEvent) -> Verdict | None:
        transition = TRANSITIONS[self._state, event]
        self._state = transition.state
        return transition.verdict

    def _request(self) -> None:
        if self._requests.due(self._clock()):
            self._request_keyframe()
