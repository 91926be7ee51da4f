"""EventLoopMonitor: hangs and forgotten pictures, by a clock of the test's own."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from qtpy.QtWidgets import QApplication

from napari_cuda.client.qt.event_loop_monitor import (
    INTERVAL_S,
    LOG_EVERY_S,
    OVERDUE_S,
    STALL_S,
    EventLoopMonitor,
    EventLoopWatch,
    Look,
)
from napari_cuda.client.telemetry import ClientMetrics


@pytest.fixture(scope="module", autouse=True)
def application() -> Iterator[QApplication]:
    platform = [] if os.environ.get("DISPLAY") else ["-platform", "offscreen"]
    yield QApplication.instance() or QApplication(["tests", *platform])


def test_a_punctual_timer_is_no_stall() -> None:
    watch = EventLoopWatch()
    assert [watch.look(10 + n * INTERVAL_S, None) for n in range(50)] == [Look()] * 50


def test_a_late_look_is_one_stall_of_that_length() -> None:
    watch = EventLoopWatch()
    watch.look(10.0, None)
    assert watch.look(10.0 + INTERVAL_S + STALL_S * 0.9, None) == Look()
    now_s = 20.0
    watch = EventLoopWatch()
    watch.look(now_s, None)
    now_s += INTERVAL_S + 2.0
    assert watch.look(now_s, None).stall_s == pytest.approx(2.0)
    assert watch.look(now_s + INTERVAL_S, None) == Look()


def test_a_picture_that_is_not_drawn_is_kicked_once() -> None:
    watch, kicks = EventLoopWatch(), []
    for n in range(100):
        now_s = 10 + n * INTERVAL_S
        if watch.look(now_s, 12.0).kick:
            kicks.append(now_s)
    assert len(kicks) == 1
    assert OVERDUE_S <= kicks[0] - 12.0 <= OVERDUE_S + INTERVAL_S + 1e-9
    assert watch.look(20.1, 19.0).kick, "another picture, another incident"


def test_a_picture_due_later_is_not_kicked() -> None:
    watch = EventLoopWatch()
    assert not any(watch.look(10 + n * INTERVAL_S, 100.0).kick for n in range(50))


def test_after_a_hang_the_picture_gets_its_chance_before_it_is_kicked() -> None:
    watch = EventLoopWatch()
    watch.look(10.0, None)
    assert watch.look(13.0, 10.5) == Look(stall_s=pytest.approx(2.9))
    assert watch.look(13.1, 10.5).kick


class Gui:
    """A monitor whose clock, picture and repaint are the test's."""

    def __init__(self) -> None:
        self.now_s = 10.0
        self.waiting_since_s: float | None = None
        self.kicks = 0
        self.metrics = ClientMetrics()
        self.monitor = EventLoopMonitor(
            self.metrics, waiting_since_s=lambda: self.waiting_since_s, kick=self.kick, clock=lambda: self.now_s
        )

    def kick(self) -> None:
        self.kicks += 1

    def look_after(self, seconds: float) -> None:
        self.now_s += seconds
        self.monitor.look()


@pytest.fixture
def gui() -> Iterator[Gui]:
    gui = Gui()
    gui.monitor._timer.stop()  # looks only when the test says so
    gui.monitor.look()
    yield gui
    gui.monitor.close()


def test_stalls_are_measured_and_logged_at_a_limited_rate(gui: Gui, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            gui.look_after(INTERVAL_S + 1.0)
        gui.look_after(LOG_EVERY_S)
    stage = gui.metrics.stage("gui_stall")
    assert stage is not None
    assert (stage.samples, stage.p50_s) == (5, pytest.approx(1.0))
    assert [record.getMessage() for record in caplog.records] == [
        "the window did not answer for 1.0 s",
        "the window did not answer for 9.9 s (3 more times since it was last said)",
    ]


def test_a_forgotten_picture_is_repainted_once_and_counted(gui: Gui, caplog: pytest.LogCaptureFixture) -> None:
    gui.waiting_since_s = gui.now_s
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            gui.look_after(INTERVAL_S)
    assert gui.kicks == 1
    assert gui.metrics.counts()["draw_kicks"] == 1
    assert len(caplog.records) == 1


def test_it_looks_by_itself_until_closed() -> None:
    gui = Gui()
    assert gui.monitor._timer.isActive()
    assert gui.monitor._timer.interval() == INTERVAL_S * 1000
    gui.monitor.close()
    gui.monitor.close()
    assert not gui.monitor._timer.isActive()
