"""What waits for the GUI thread while it does not read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_cuda.client.control.cadence import TURN_S
from napari_cuda.client.net import state_channel
from napari_cuda.client.net.state_channel import StateChannel, StateEvents
from napari_cuda.client.net.transport import ConnectionLost, Ending
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.backlog import MOST_WAITING
from napari_cuda.protocol.session import SessionEvent

WELCOME = m.Welcome(1, "S1", "V1", "server", 2.0, "secret", 0)
SNAPSHOT = m.SceneSnapshot(5, [], {}, {}, {}, {})
FLOOD = [m.LayerThumbnail(f"L{index}", 0, 0, b"") for index in range(MOST_WAITING + 1)]


class Reader:
    """A GUI thread that takes what waits when it is told to."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.heard: list[SessionEvent | ConnectionLost] = []
        self.overflows = 0
        self.busy_after = 10**9
        """Busy once so much was heard."""
        events = StateEvents(self.heard.append, self._overflowed, busy=lambda: len(self.heard) >= self.busy_after)
        self.channel = StateChannel("x", events, self.calls.append, ClientMetrics())

    def _overflowed(self) -> None:
        self.overflows += 1

    def arrive(self, *events: SessionEvent) -> None:
        for event in events:
            self.channel._on_event(event)

    def read(self) -> None:
        while self.calls:
            self.calls.pop(0)()


@pytest.fixture
def reader() -> Reader:
    reader = Reader()
    reader.arrive(WELCOME, SNAPSHOT)
    reader.read()
    return reader


def test_a_snapshot_that_was_dropped_before_it_was_read_is_asked_for_again(reader: Reader) -> None:
    reader.arrive(*FLOOD)
    reader.read()
    assert reader.overflows == 1
    reader.arrive(SNAPSHOT, *FLOOD)
    reader.read()
    assert reader.overflows == 2
    reader.arrive(*FLOOD)
    reader.read()
    assert reader.overflows == 2, "it is on its way"


def test_attempts_that_fail_while_nobody_listens_are_one_loss(reader: Reader) -> None:
    for reason in ("the connection was lost", "no answer", "still no answer"):
        reader.channel.closed(Ending(reason))
    reader.read()
    [lost] = reader.heard[2:]
    assert isinstance(lost, ConnectionLost)
    assert (lost.reason, lost.final) == ("still no answer", False)


class Wire:
    """Stands for the SocketThread: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, text: str) -> None:
        self.sent.append(text)


def test_questions_are_asked_on_an_open_session_only(reader: Reader) -> None:
    wire = Wire()
    reader.channel.attach(wire)  # type: ignore[arg-type]
    reader.channel.ask(m.LogQuery(3))
    assert [m.decode_client(text) for text in wire.sent] == [m.LogQuery(3)]
    reader.channel.closed(Ending("the connection was lost"))
    reader.channel.ask(m.LogQuery(4))
    assert len(wire.sent) == 1, "before its welcome the server takes a hello and nothing else"
    reader.arrive(WELCOME)
    reader.channel.ask(m.LogQuery(5))
    assert len(wire.sent) == 2


def test_what_takes_long_to_show_is_handed_over_in_several_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(state_channel.time, "perf_counter", lambda: now_s)
    heard = []

    def happened(event: SessionEvent | ConnectionLost) -> None:
        nonlocal now_s
        now_s += TURN_S / 2
        heard.append(event)

    calls: list[Callable[[], None]] = []
    channel = StateChannel("x", StateEvents(happened, lambda: None), calls.append, ClientMetrics())
    for thumbnail in FLOOD[:5]:
        channel._on_event(thumbnail)
    told = []
    while calls:
        [call] = calls
        calls.clear()
        call()
        told.append(len(heard))
        if len(told) == 1:
            channel._on_event(FLOOD[5])  # asks for no turn of its own: there is one
    assert told == [2, 4, 6]
    assert heard == FLOOD[:6]


def test_a_reader_that_is_busy_gets_the_rest_merged_when_it_goes_on(reader: Reader) -> None:
    reader.busy_after = 3
    reader.arrive(m.Status("one"), *(m.CameraUpdate(number, {"zoom": number}) for number in (6, 7)))
    reader.read()
    assert reader.heard[2:] == [m.Status("one")]
    reader.arrive(m.CameraUpdate(8, {"zoom": 8}))
    reader.read()
    assert len(reader.heard) == 3
    reader.busy_after = 10**9
    reader.channel.go_on()
    reader.read()
    assert reader.heard[3:] == [m.CameraUpdate(8, {"zoom": 8})]
