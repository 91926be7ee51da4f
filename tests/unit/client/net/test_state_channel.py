"""What waits for the GUI thread while it does not read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
        self.channel = StateChannel(
            "x", StateEvents(self.heard.append, self._overflowed), self.calls.append, ClientMetrics()
        )

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
