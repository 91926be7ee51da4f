"""What the GUI thread hears of a pixel socket that is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from napari_cuda.client.net.pixel_receiver import PixelReceiver
from napari_cuda.client.net.transport import ConnectionLost, Ending
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.packet import PacketFlag, PacketHeader, PacketKind, pack


class Reader:
    """A GUI thread that takes what waits when it is told to."""

    def __init__(self, pipeline: Any = None) -> None:
        self.calls: list[Callable[[], None]] = []
        self.heard: list[ConnectionLost] = []
        self.takes = True
        self.receiver = PixelReceiver(pipeline, ClientMetrics(), self.heard.append, self._post)

    def _post(self, call: Callable[[], None]) -> bool:
        if self.takes:
            self.calls.append(call)
        return self.takes

    def read(self) -> None:
        while self.calls:
            self.calls.pop(0)()


def test_losses_that_nobody_has_heard_of_are_one_call() -> None:
    reader = Reader()
    for reason in ("lost", "no answer", "still no answer"):
        reader.receiver.closed(Ending(reason))
    assert len(reader.calls) == 1
    reader.read()
    reader.receiver.closed(Ending("lost again"))
    reader.read()
    assert [lost.reason for lost in reader.heard] == ["still no answer", "lost again"]


def test_a_gui_that_is_full_hears_of_the_next_loss() -> None:
    reader = Reader()
    reader.takes = False
    reader.receiver.closed(Ending("lost"))
    reader.takes = True
    reader.receiver.closed(Ending("no answer"))
    reader.read()
    assert [lost.reason for lost in reader.heard] == ["no answer"]


@pytest.mark.parametrize(
    ("ending", "final"),
    [
        (Ending("ValueError: oops", final=True, crashed=True), True),
        (Ending("the server refused us: no such viewer", final=True), False),
    ],
)
def test_only_a_thread_that_failed_is_final(ending: Ending, final: bool) -> None:
    reader = Reader()
    reader.receiver.closed(ending)
    reader.read()
    assert [lost.final for lost in reader.heard] == [final]


class Intake:
    """A pipeline, or a socket, that keeps what it is given."""

    def __init__(self, source: Source = Source.PYAV) -> None:
        self.source = source
        self.headers: list[PacketHeader] = []
        self.texts: list[str] = []

    def submit(self, header: PacketHeader, payload: memoryview, received_s: float) -> None:
        self.headers.append(header)

    def on_reconnect(self) -> None:
        self.headers.clear()

    def send(self, text: str) -> None:
        self.texts.append(text)


def test_an_ack_says_when_the_packet_had_arrived_and_how_long_it_took_to_show_it() -> None:
    intake = Intake()
    receiver = Reader(intake).receiver
    receiver.attach(intake)  # type: ignore[arg-type]
    receiver.opened()
    header = PacketHeader(PacketKind.ACCESS_UNIT, 0, 1, 1, 0, 0, (8, 8), (8, 8), PacketFlag.KEYFRAME)
    before_s = time.perf_counter()
    receiver.received(pack(header, b"x"))
    received_s = time.perf_counter()
    receiver.ack(intake.headers[0])
    shown_s = time.perf_counter()
    ack = m.decode_pixel_client(intake.texts[-1])
    assert isinstance(ack, m.PixelAck)
    assert before_s <= (ack.received_us + 1) / 1e6
    assert ack.received_us / 1e6 <= received_s
    assert 0 <= ack.held_us / 1e6 <= shown_s - before_s


def test_only_software_takes_colour_in_full() -> None:
    assert Reader(Intake(Source.PYAV)).receiver.takes_full_color
    assert not Reader(Intake(Source.VT)).receiver.takes_full_color
