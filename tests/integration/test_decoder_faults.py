"""Whatever a decoder does wrong: every picture shown is right, one keyframe mends it, no surface is left behind.

200 random runs of the client from the gate to the presenter, on real streams, with the faults that an
emulated decoder can be told to have, damaged packets, new encoders and new connections in any mixture.
"""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from dataclasses import replace

import numpy as np
import pytest

from napari_cuda.client.decode.choice import FallbackPipeline
from napari_cuda.client.decode.emulated import Behaviour, emulated
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.pipeline import Outlets, PacketIntake
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.gate import StreamGate, Verdict
from napari_cuda.client.playout.lease import LeaseLedger, LeaseRole
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.playout.presenter import FixedLatencyPresenter
from napari_cuda.client.playout.source_mux import Source, SourceMux
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import PacketHeader, PacketKind
from streams import Packet, PacketSource, planes_of

RUNS = 200
PACKETS = 24
FOREVER = 1_000_000
FRAME_S = 1 / 60

FAULTS = ("none", "does not open", "refuses", "loses its device", "stalls", "hesitates", "few surfaces")


def behaviour(dice: random.Random, fault: str) -> Behaviour:
    at = dice.randrange(PACKETS)
    return Behaviour(
        surfaces=dice.choice((3, 4)) if fault == "few surfaces" else 16,
        delay_s=dice.choice((0.0, 0.0, 0.001)),
        reorder=dice.choice((0, 0, 2)),
        opens=fault != "does not open",
        refuses=at if fault == "refuses" else None,
        loses=at if fault == "loses its device" else None,
        stalls=at if fault in ("stalls", "hesitates") else None,
        stalled_polls=FOREVER if fault == "stalls" else 5,
    )


class Session:
    """A server, the link and a client in one: the test's thread is receiver and GUI thread."""

    def __init__(self, dice: random.Random, fault: str) -> None:
        self.dice = dice
        self.server = PacketSource()
        self.reference = H264Decoder()
        self.truth: dict[tuple[int, int], np.ndarray | int] = {}
        self.before: dict[tuple[int, int], tuple[int, int]] = {}
        self.newest: tuple[int, int] = (0, 0)
        self.gate = StreamGate()
        self.ledger = LeaseLedger()
        self.presenter = FixedLatencyPresenter()
        self.mux = SourceMux(self.presenter, Source.VT)
        self.wanted = threading.Event()
        self.happened = threading.Event()
        self.presented: tuple[int, int] | None = None
        self.shown: tuple[int, int] | None = None
        self.held: deque[SubmittedFrame] = deque()
        self.holds = dice.choice((0, 1, 2)) if fault != "few surfaces" else dice.randrange(8)
        self.notices: list[str] = []
        self.wrong: list[str] = []
        self.now_s = 0.0
        self.counts = Counts()
        outlets = Outlets(self._present, self._unchanged, self._lost, self.counts, clock=lambda: self.now_s)
        self.pipeline = FallbackPipeline(
            PacketIntake(outlets, capacity=dice.choice((4, 32))),
            emulated(behaviour(dice, fault)),
            self.ledger,
            "emulated",
            self._fell_back,
            poll_s=0.002,
        )

    @property
    def failures(self) -> int:
        """How often something that a keyframe can mend has happened, as far as it was noticed."""
        return len(self.notices) + self.counts["decode_queue_overflows"] + self.counts["decode_errors"]

    # --- what the pipeline's threads call -------------------------------------------------

    def _present(self, source: Source, frame: SubmittedFrame) -> None:
        self.presented = key(frame.header)
        self.mux.submit(source, frame, self.now_s)
        self.happened.set()

    def _unchanged(self, header: PacketHeader) -> None:
        # The picture that the server means must be the one that was handed on last.
        if self.before[key(header)] != self.presented:
            self.wrong.append(f"{key(header)} means {self.before[key(header)]}, presented was {self.presented}")
        self.presented = key(header)
        self.happened.set()

    def _lost(self, header: PacketHeader) -> None:
        if self.gate.lost(header.seq, epoch=header.epoch, now_s=self.now_s):
            self.wanted.set()
        self.happened.set()

    def _fell_back(self, line: str) -> None:
        self.notices.append(line)
        self.mux.switch(Source.PYAV, self.now_s)
        self.happened.set()

    # --- the server and the link --------------------------------------------------------

    def send(self, *, damaged: bool = False) -> bool:
        """Send what the server would; True if it is a keyframe."""
        keyframe = self.wanted.is_set()
        self.wanted.clear()
        make = self.server.access_unit
        if self.truth and not keyframe:
            make = self.dice.choices((self.server.access_unit, self.server.still, self.server.unchanged), (6, 1, 1))[0]
        header, payload = make() if make != self.server.access_unit else self.server.access_unit(keyframe=keyframe)
        self._deliver((header, payload), damaged=damaged and header.kind is PacketKind.ACCESS_UNIT)
        return header.keyframe

    def _deliver(self, packet: Packet, *, damaged: bool) -> None:
        header, payload = packet
        self.now_s += FRAME_S
        truth: np.ndarray | int = header.picture_hash
        if header.kind is PacketKind.ACCESS_UNIT:
            truth = luma(self.reference.decode(payload).y, header)
        verdict = self.gate.admit(
            header.seq, epoch=header.epoch, keyframe=header.keyframe, kind=header.kind, now_s=self.now_s
        )
        if verdict is Verdict.DROP_AND_REQUEST_KEYFRAME:
            self.wanted.set()
        header = replace(header, epoch=self.gate.epoch)
        if header.kind is PacketKind.UNCHANGED:
            self.before[key(header)] = self.newest
        else:
            self.truth[key(header)] = truth
        self.newest = key(header)
        if verdict is Verdict.ADMIT:
            payload = payload[: len(payload) // 2] if damaged else payload
            self.pipeline.submit(header, payload, self.now_s)

    def new_encoder(self) -> None:
        if self.dice.random() < 0.5:  # other parameter sets
            size = self.dice.choice(((64, 48), (80, 64)))
            fresh = PacketSource(size)
            fresh.seq, fresh.epoch = self.server.seq, self.server.epoch
            self.server = fresh
        self.server.new_encoder()
        self.reference = H264Decoder()

    def reconnect(self) -> None:
        self.server = PacketSource(self.server.size)
        self.reference = H264Decoder()
        self.gate.on_reconnect()
        self.pipeline.on_reconnect()
        self.wanted.clear()

    # --- the GUI ------------------------------------------------------------------------

    def draw(self) -> None:
        """Take the picture that is due, look at it, and hold it as the renderer does."""
        frame = self.presenter.take_due(self.now_s)
        if frame is not None:
            frame.acquire(LeaseRole.RENDERER)
            frame.release(LeaseRole.PRESENTER)
            self._look_at(frame)
            self.held.append(frame)
        while len(self.held) > self.holds or (frame is None and self.held):
            self.held.popleft().release(LeaseRole.RENDERER)

    def _look_at(self, frame: SubmittedFrame) -> None:
        at = key(frame.header)
        if self.shown is not None and at <= self.shown:
            self.wrong.append(f"{at} shown after {self.shown}")
        self.shown = at
        truth = self.truth[at]
        if isinstance(frame.picture, ExactPicture):
            right = picture_hash(frame.picture.rgba) == truth
        else:
            right = np.array_equal(luma(planes_of(frame).y, frame.header), truth)
        if not right:
            self.wrong.append(f"the picture of {at} is not what was encoded")

    def settle(self) -> None:
        """Go on until the newest is on screen; one keyframe since the last failure must do."""
        for _ in range(500):  # what was lost before is noticed when its turn comes
            if not self.pipeline._intake.waiting:
                break
            self.happened.wait(0.02)
            self.happened.clear()
            self.draw()
        keyframes, failures = 0, self.failures
        for _ in range(50):
            self.happened.clear()
            keyframes += self.send()
            for _ in range(500):
                if self.presented == self.newest or self.wanted.is_set():
                    break
                self.happened.wait(0.02)  # or draw all the same: only that frees surfaces
                self.happened.clear()
                self.draw()
            self.draw()
            if self.failures > failures:
                keyframes, failures = 0, self.failures
            if self.presented == self.newest:
                assert keyframes <= 1
                return
        raise AssertionError(f"the newest picture, {self.newest}, is not shown: {self.presented} is")

    def close(self) -> None:
        assert self.pipeline.stop(10)
        self.mux.close()
        while self.held:
            self.held.popleft().release(LeaseRole.RENDERER)


class Counts(Counter[str]):
    """ClientMetrics, as far as a pipeline needs them."""

    def count(self, name: str, n: int = 1) -> None:
        self[name] += n

    def observe(self, name: str, seconds: float) -> None:
        self[name] += 1


def key(header: PacketHeader) -> tuple[int, int]:
    """What orders the pictures of all connections."""
    return header.epoch, header.seq


def luma(plane: np.ndarray, header: PacketHeader) -> np.ndarray:
    width, height = header.coded_size
    return plane[:height, :width].copy()


@pytest.mark.parametrize("seed", range(RUNS))
def test_one_keyframe_mends_any_fault_and_no_surface_is_left(seed: int) -> None:
    dice = random.Random(seed)
    fault = FAULTS[seed % len(FAULTS)]
    session = Session(dice, fault)
    session.pipeline.start()
    try:
        for _ in range(PACKETS):
            session.send(damaged=dice.random() < 0.03)
            event = dice.random()
            if event < 0.04:
                session.new_encoder()
            elif event < 0.06:
                session.reconnect()
            if dice.random() < 0.7:
                session.draw()
            if dice.random() < 0.3:
                session.happened.wait(0.01)
        session.settle()
        if fault == "does not open" and not session.notices:
            # A thread that had no turn for long dropped all access units, and stills alone tell of no decoder.
            session.wanted.set()
            session.settle()
    finally:
        session.close()
    assert not session.wrong
    assert session.ledger.live == 0
    assert len(session.notices) <= 1
    if fault == "does not open":
        assert session.notices
