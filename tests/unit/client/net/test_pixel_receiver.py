"""What the GUI thread hears of a pixel socket that is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from napari_cuda.client.net.pixel_receiver import PixelReceiver
from napari_cuda.client.net.transport import ConnectionLost, Ending
from napari_cuda.client.telemetry import ClientMetrics


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
