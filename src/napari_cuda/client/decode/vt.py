"""VTPipeline: hardware decoding on two threads; the pictures stay in the decoder's surfaces."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from napari_cuda.bitstream.avcc import ParameterSets, length_prefixed
from napari_cuda.client.decode.in_flight import Entry, InFlight
from napari_cuda.client.decode.live import (
    DecodeFailedError,
    DecoderConfig,
    DecoderFactory,
    DecoderStalledError,
    LiveDecoder,
    LiveDecoderError,
)
from napari_cuda.client.decode.pipeline import Packet, PacketIntake
from napari_cuda.client.playout.lease import FrameLease, LeaseLedger, LeaseRole
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketHeader
from napari_cuda.worker import Worker

POLL_S = 0.05
"""How long one poll of the decoder waits, and how soon a stop is noticed while it is waited for."""
STALLED_POLLS = 20
"""A second without one picture, though access units are in flight: no decoder takes that long."""


class VTPipeline:
    """A DecodePipeline over a `LiveDecoder`. Owner: its threads, "vt-submit" and "vt-drain".

    The submit worker makes avcC of the access units and gives them to the decoder, a new one
    whenever the parameter sets change. The drain worker takes the surfaces, puts them back in the
    order of the packets and presents them: the pipeline holds DECODER, acquires PRESENTER for the
    presenter, and lets go. If all surfaces are out, packets wait, and the intake drops to the next
    IDR when too many do. Any failure of the decoder ends both workers; then `on_failed` is called
    once, on one of them, and another pipeline can run the same intake.
    """

    source = Source.VT

    def __init__(
        self,
        intake: PacketIntake,
        open_decoder: DecoderFactory,
        ledger: LeaseLedger,
        on_failed: Callable[[Exception], None],
        *,
        length_size: int = 4,
        poll_s: float = POLL_S,
    ) -> None:
        self._intake = intake
        self._outlets = intake.outlets
        self._open_decoder = open_decoder
        self._ledger = ledger
        self._on_failed = on_failed
        self._length_size = length_size
        self._poll_s = poll_s
        self._sets = ParameterSets()
        self._decoder: LiveDecoder | None = None
        self._in_flight = InFlight()
        self._pts = itertools.count()
        self._failure: Exception | None = None
        self._ended = threading.Event()
        self._submit = Worker("vt-submit", self._run_submit, wake=self._end, on_error=on_failed)
        self._drain = Worker("vt-drain", self._run_drain, wake=self._end, on_error=self.give_up)

    def start(self) -> None:
        """Start both threads."""
        self._drain.start()
        self._submit.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """End both threads; what is under way is dropped and released. False if one did not end in time."""
        return self._submit.stop(deadline_s) and not self._drain.alive

    def submit(self, header: PacketHeader, payload: bytes | memoryview, received_s: float) -> None:
        """Queue an admitted packet. Never blocks."""
        self._intake.submit(header, payload, received_s)

    def on_reconnect(self) -> None:
        """A new connection begins: drop what waits; `on_restarted` is called before its first picture."""
        self._intake.on_reconnect()

    def give_up(self, error: Exception) -> None:
        """Fail with `error`. Any thread: the rest is left to the submit worker, which ends now."""
        self._failure = error
        self._end()

    def _end(self) -> None:
        self._ended.set()
        self._intake.wake()
        self._in_flight.wake()

    # --- submit worker ------------------------------------------------------------------

    def _run_submit(self, _stop: threading.Event) -> None:
        all_seen_to = False
        try:
            self._intake.run(self, self._ended)
            all_seen_to = self._failure is None
        except LiveDecoderError as error:
            self._failure, all_seen_to = error, True  # the intake told what is lost
        finally:
            # Before anybody else presents, and whatever happened.
            self._drain.stop()
            self._drop_in_flight()
            self._close_decoder()
            if not all_seen_to:
                self._intake.lose_newest()
        if self._failure is not None:
            self._on_failed(self._failure)

    def begin(self) -> bool:
        """Forget the stream; True if pictures were under way."""
        dropped = self._drop_in_flight()
        if self._decoder is not None:
            self._decoder.flush()
        return dropped

    def unchanged(self, packet: Packet) -> None:
        """Let it wait for its turn."""
        self._put(Entry(packet, self._outlets.clock()))

    def still(self, packet: Packet, picture: ExactPicture) -> None:
        """Let it wait for its turn."""
        self._put(Entry(packet, self._outlets.clock(), picture=picture))

    def access_unit(self, packet: Packet) -> None:
        """Give it to the decoder, when that has room. Raises LiveDecoderError."""
        unit = bytes(packet.payload)
        try:
            decoder = self._decoder_for(packet.header, unit)
            sample = length_prefixed(unit, self._length_size)
        except LiveDecoderError:
            raise
        except StreamError as error:
            raise DecodeFailedError(str(error)) from error
        pts = next(self._pts)
        entry = Entry(packet, self._outlets.clock(), pts)
        if not self._put(entry):
            return
        try:
            while not decoder.submit(sample, pts, keyframe=packet.header.keyframe, timeout_s=self._poll_s):
                if self._ended.is_set():
                    return
        except MemoryError as error:  # its entry waits: what follows would wait behind it for ever
            raise DecodeFailedError("no memory is left") from error
        entry.given = True
        self._outlets.metrics.observe("submit", self._outlets.clock() - entry.began_s)

    def _decoder_for(self, header: PacketHeader, unit: bytes) -> LiveDecoder:
        sets = self._sets.updated_by(unit) if header.keyframe else self._sets
        if self._decoder is None or sets != self._sets:
            config = DecoderConfig.of(sets, self._length_size)
            if config.coded_size != header.coded_size:
                raise StreamError(f"the stream is {config.coded_size}, its header says {header.coded_size}")
            self._drop_in_flight()  # an IDR follows: what is under way would hardly be seen
            self._close_decoder()
            self._decoder, self._sets = self._open_decoder(config), sets
        return self._decoder

    def _put(self, entry: Entry) -> bool:
        return self._in_flight.put(entry, self._ended.is_set)

    def _drop_in_flight(self) -> bool:
        dropped = self._in_flight.clear()
        if dropped:
            self._outlets.metrics.count("packets_dropped", dropped)
            self._outlets.metrics.count("dropped_stale", dropped)
        return dropped > 0

    def _close_decoder(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = None

    # --- drain worker -------------------------------------------------------------------

    def _run_drain(self, _stop: threading.Event) -> None:
        try:
            self._drain_until_ended()
        except LiveDecoderError as error:
            self.give_up(error)

    def _drain_until_ended(self) -> None:
        polls_for_nothing = 0
        awaited: Entry | None = None
        while self._in_flight.wait(self._ended.is_set):
            if not self._in_flight.present_ready(self._present):
                continue
            decoder = self._decoder
            surface = None if decoder is None else decoder.poll(self._poll_s)
            owed = self._in_flight.owed() if surface is None else None
            # Counted for one access unit: after a flush, and with another decoder, it is another one.
            polls_for_nothing = polls_for_nothing + 1 if owed is awaited else 1
            awaited = owed
            if surface is not None:
                self._arrived(FrameLease(surface, self._ledger))
            elif owed is not None and polls_for_nothing >= STALLED_POLLS:
                raise DecoderStalledError(f"the decoder gave no picture in {STALLED_POLLS * self._poll_s:g} s")

    def _arrived(self, lease: FrameLease) -> None:
        entry = self._in_flight.arrived(lease)
        if entry is not None:
            self._outlets.metrics.observe("decode", self._outlets.clock() - entry.began_s)
            self._outlets.metrics.count("pictures_decoded")

    def _present(self, entry: Entry) -> None:
        if entry.picture is None:
            self._outlets.on_unchanged(entry.packet.header)
            return
        frame = entry.packet.frame(entry.picture, self._outlets.clock())
        try:
            frame.acquire(LeaseRole.PRESENTER)
            self._outlets.present(self.source, frame)
        finally:
            frame.release(LeaseRole.DECODER)
