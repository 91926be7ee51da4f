"""What every decode pipeline has: the bounded queue of packets, and what to do with each of them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from napari_cuda.client.decode.live import LiveDecoderError
from napari_cuda.client.decode.still import MissingPartError, StillDecoder
from napari_cuda.client.playout.frame import Picture, SubmittedFrame
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketHeader, PacketKind

log = logging.getLogger(__name__)

QUEUE_CAPACITY = 32
"""About half a second at 60 frames/s. A well-behaved server has 2 to 4 on the way; more than
this and what waits is too old to be worth decoding: a fresh IDR shows the present sooner."""


class DecodePipeline(Protocol):
    """From admitted packets to presentable pictures. Owner: GUI thread; `submit`, `on_reconnect`: the receiver's."""

    @property
    def source(self) -> Source:
        """Which source its pictures are of now."""

    @property
    def name(self) -> str:
        """What decodes now, for people."""

    def start(self) -> None:
        """Start the threads."""

    def stop(self, deadline_s: float = 5.0) -> bool:
        """End the threads; what waits is dropped, and every lease released. False if one did not end in time."""

    def submit(self, header: PacketHeader, payload: bytes | memoryview, received_s: float) -> None:
        """Queue an admitted packet. Never blocks."""

    def on_reconnect(self) -> None:
        """A new connection begins: drop what waits; `on_restarted` is called before its first picture."""

    def give_up(self, error: Exception) -> None:
        """Its pictures cannot be shown: another decoder goes on, if there is one. Never blocks; may be repeated."""


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a pipeline's results go, all on its own threads and in the order of the packets.

    `present` gets the pictures, and with each of them a hold of PRESENTER; `on_unchanged` the
    UNCHANGED packets; `on_part` the parts of a still that show nothing yet; `on_lost` what could
    not be shown: it closes the gate and asks for an IDR.
    `clock` is the client's clock, on which `received_s` was read too.
    """

    present: Callable[[Source, SubmittedFrame], object]
    on_unchanged: Callable[[PacketHeader], None]
    on_lost: Callable[[PacketHeader], None]
    metrics: ClientMetrics
    on_restarted: Callable[[], None] = lambda: None
    on_part: Callable[[PacketHeader], None] = lambda _header: None
    clock: Callable[[], float] = time.perf_counter


@dataclass(frozen=True, slots=True)
class Packet:
    """An admitted packet that waits to be decoded."""

    header: PacketHeader
    payload: bytes | memoryview
    received_s: float
    after_loss: bool = False

    def frame(self, picture: Picture, decoded_s: float) -> SubmittedFrame:
        """Return the packet's picture, due at once."""
        return SubmittedFrame(self.header, picture, decoded_s, self.received_s, decoded_s)


class Sink(Protocol):
    """What a pipeline makes of its packets. Owner: the pipeline's first thread."""

    def begin(self) -> bool:
        """Another epoch or connection: forget the stream. True if pictures that were under way are lost."""

    def unchanged(self, packet: Packet) -> None:
        """The picture before is also that of its header."""

    def still(self, packet: Packet, picture: ExactPicture) -> None:
        """The exact picture."""

    def access_unit(self, packet: Packet) -> None:
        """Decode it. Raises StreamError if it is damaged, LiveDecoderError if another decoder must go on."""


class PacketIntake:
    """Packets between the receiver and a decoder, and what is lost on the way.

    Owner: the receiver's thread for `submit` and `on_reconnect`; one decode thread at a time for
    `run`. Packets arrive gated (`StreamGate`). What is lost here (overflow, damage) is reported, and
    what was admitted before the gate heard of it is dropped here, up to the next IDR. A pipeline
    that takes over from another runs the same intake, and so misses nothing.
    """

    def __init__(self, outlets: Outlets, capacity: int = QUEUE_CAPACITY) -> None:
        self.outlets = outlets
        self._capacity = capacity
        self._changed = threading.Condition()
        # `None` stands for a new connection.
        self._waiting: deque[Packet | None] = deque()
        self._epoch: int | None = None
        self._broken = False
        self._newest: PacketHeader | None = None
        self._stills = StillDecoder()

    @property
    def waiting(self) -> int:
        """How many packets wait."""
        return len(self._waiting)

    def submit(self, header: PacketHeader, payload: bytes | memoryview, received_s: float) -> None:
        """Append a packet. If the queue is full, all that waited is dropped for it."""
        with self._changed:
            dropped = 0
            if len(self._waiting) >= self._capacity:
                # A new connection must still be noticed when its first packets overflow.
                restarts = [item for item in self._waiting if item is None]
                dropped = len(self._waiting) - len(restarts)
                self._waiting = deque(restarts[-1:])
            self._waiting.append(Packet(header, payload, received_s, after_loss=dropped > 0))
            self._changed.notify_all()
        if dropped:
            self.outlets.metrics.count("decode_queue_overflows")
            self.outlets.metrics.count("packets_dropped", dropped)
            self.outlets.metrics.count("dropped_overflow", dropped)

    def on_reconnect(self) -> None:
        """Replace all packets by the mark of a new connection."""
        with self._changed:
            self._waiting = deque([None])
            self._changed.notify_all()

    def wake(self) -> None:
        """Let `run` look at its stop event."""
        with self._changed:
            self._changed.notify_all()

    # --- the decode thread --------------------------------------------------------------

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Feed `sink` until `stop` is set. Raises LiveDecoderError if its decoder is of no more use.

        The IDR for which that happened waits first in the queue again: whoever runs the intake next
        goes on with it.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: stop.is_set() or self._waiting)
                if stop.is_set():
                    return
                packet = self._waiting.popleft()
            if packet is None:
                self._restart(sink)
            else:
                self._handle(packet, sink)

    def lose_newest(self) -> None:
        """What was taken last did not arrive on screen: drop up to the next IDR, and ask for it."""
        if self._newest is not None and not self._broken:
            self._lose(self._newest)

    def _restart(self, sink: Sink) -> None:
        self._epoch = None
        self._broken = False
        self._stills.forget()
        sink.begin()
        self.outlets.on_restarted()

    def _handle(self, packet: Packet, sink: Sink) -> None:
        header, metrics = packet.header, self.outlets.metrics
        self._newest = header
        metrics.observe("decode_wait", self.outlets.clock() - packet.received_s)
        lost = packet.after_loss
        if lost:
            log.warning("decoding fell behind: dropped what waited, going on at the next keyframe")
        if header.epoch != self._epoch:
            missed = sink.begin() or self._broken
            self._epoch, self._broken = header.epoch, False
            # A still stands alone; a delta never does, and UNCHANGED means the picture before.
            lost |= header.kind is PacketKind.ACCESS_UNIT or (missed and header.kind is PacketKind.UNCHANGED)
        if header.keyframe:
            self._broken = False
        elif lost:
            self._lose(header)
        if self._broken:
            self._count_undecodable()
        elif header.kind is PacketKind.UNCHANGED:
            sink.unchanged(packet)
        else:
            self._decode(packet, sink)

    def _decode(self, packet: Packet, sink: Sink) -> None:
        header, outlets = packet.header, self.outlets
        began_s = outlets.clock()
        try:
            if header.kind is PacketKind.ACCESS_UNIT:
                sink.access_unit(packet)
                return
            picture = self._stills.add(header, packet.payload)
        except LiveDecoderError:
            if header.keyframe:
                self._put_back(packet)
            else:
                self._lose(header)
            raise
        except MissingPartError:
            self._count_undecodable()
            self._lose(header)
            return
        except (StreamError, MemoryError) as error:
            # A still too: the server counts it as shown, only a new picture can make that true again.
            outlets.metrics.count("decode_errors")
            log.warning("packet %d: %s; going on at the next keyframe", header.seq, str(error) or "no memory is left")
            self._lose(header)
            return
        outlets.metrics.observe("decode_still", outlets.clock() - began_s)
        if picture is None:
            outlets.on_part(header)
            return
        outlets.metrics.count("pictures_decoded")
        sink.still(packet, picture)

    def _count_undecodable(self) -> None:
        self.outlets.metrics.count("packets_dropped")
        self.outlets.metrics.count("dropped_undecodable")

    def _put_back(self, packet: Packet) -> None:
        with self._changed:
            if None not in self._waiting:  # else it is of the old connection; one more than the bound is no harm
                self._waiting.appendleft(replace(packet, after_loss=False))

    def _lose(self, header: PacketHeader) -> None:
        """Nothing that follows is true or can be decoded, up to the next keyframe."""
        self._broken = True
        self.outlets.on_lost(header)
