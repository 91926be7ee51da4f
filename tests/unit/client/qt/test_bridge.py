"""CallProxy and WakeProxy: order, coalescing, errors, ends, and waking exactly when due."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QCoreApplication, QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_cuda.client.control.cadence import TURN_S
from napari_cuda.client.qt import bridge
from napari_cuda.client.qt.bridge import CallProxy, WakeProxy


@pytest.fixture(scope="module", autouse=True)
def application() -> Iterator[QCoreApplication]:
    """The one QApplication of the process; these tests need no display."""
    platform = [] if os.environ.get("DISPLAY") else ["-platform", "offscreen"]
    yield QApplication.instance() or QApplication(["tests", *platform])


@pytest.fixture
def proxy() -> Iterator[CallProxy]:
    proxy = CallProxy()
    yield proxy
    proxy.close()


def run_in_thread(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def process() -> None:
    QEventLoop().processEvents(QEventLoop.ProcessEventsFlag.AllEvents)


def count_wakes(proxy: CallProxy | WakeProxy, name: str) -> list[None]:
    """Return a list that grows by one for each Qt event the proxy posts."""
    wakes: list[None] = []
    getattr(proxy, name).connect(lambda: wakes.append(None))
    return wakes


def test_calls_run_in_order_on_the_gui_thread(proxy: CallProxy) -> None:
    seen: list[tuple[int, threading.Thread]] = []
    run_in_thread(lambda: [proxy.post(lambda i=i: seen.append((i, threading.current_thread()))) for i in range(50)])
    assert seen == []

    process()

    assert [index for index, _ in seen] == list(range(50))
    assert {thread for _, thread in seen} == {threading.current_thread()}


def test_posting_from_the_gui_thread_is_queued_too(proxy: CallProxy) -> None:
    seen: list[int] = []
    proxy.post(lambda: seen.append(1))
    assert seen == []
    process()
    assert seen == [1]


def test_one_event_serves_all_waiting_calls(proxy: CallProxy) -> None:
    wakes = count_wakes(proxy, "_wake")
    seen: list[int] = []
    for index in range(100):
        proxy.post(lambda index=index: seen.append(index))
    process()
    assert len(seen) == 100
    assert len(wakes) == 1

    proxy.post(lambda: seen.append(100))
    process()
    assert seen[-1] == 100
    assert len(wakes) == 2


def test_calls_that_take_long_let_qt_have_its_turn(proxy: CallProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(bridge.time, "monotonic", lambda: now_s)
    seen: list[object] = []

    def take_long(index: int) -> None:
        nonlocal now_s
        now_s += TURN_S / 2
        seen.append(index)

    for index in range(5):
        proxy.post(lambda index=index: take_long(index))
    QTimer.singleShot(0, lambda: seen.append("Qt"))
    for _ in range(3):
        process()
    assert [each for each in seen if each != "Qt"] == [0, 1, 2, 3, 4]
    assert seen[:2] == [0, 1]
    assert seen[-1] != "Qt", "it waited for all of them"


def test_a_call_posted_by_a_call_runs_after_the_others(proxy: CallProxy) -> None:
    seen: list[str] = []
    proxy.post(lambda: (seen.append("a"), proxy.post(lambda: seen.append("c"))))
    proxy.post(lambda: seen.append("b"))
    process()
    process()
    assert seen == ["a", "b", "c"]


def test_a_failing_call_is_logged_and_the_next_one_runs(proxy: CallProxy, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []
    proxy.post(lambda: 1 / 0)
    proxy.post(lambda: seen.append(1))
    with caplog.at_level(logging.ERROR):
        process()
    assert seen == [1]
    assert "ZeroDivisionError" in caplog.text


def test_closing_drops_waiting_and_later_calls(proxy: CallProxy) -> None:
    seen: list[int] = []
    assert proxy.post(lambda: seen.append(1))
    proxy.close()
    assert not proxy.post(lambda: seen.append(2))
    process()
    assert seen == []


def test_a_call_that_closes_the_proxy_is_the_last(proxy: CallProxy) -> None:
    seen: list[int] = []
    proxy.post(lambda: (seen.append(1), proxy.close()))
    proxy.post(lambda: seen.append(2))
    process()
    assert seen == [1]


def test_a_full_queue_refuses_and_recovers(caplog: pytest.LogCaptureFixture) -> None:
    proxy = CallProxy(capacity=3)
    seen: list[int] = []
    with caplog.at_level(logging.ERROR):
        accepted = [proxy.post(lambda index=index: seen.append(index)) for index in range(5)]
    assert accepted == [True, True, True, False, False]
    assert len(proxy) == 3
    assert "does not answer" in caplog.text
    process()
    assert seen == [0, 1, 2]
    assert proxy.post(lambda: seen.append(9))
    proxy.close()


class FakeClock:
    """Seconds that pass only when they are looked at, a little each time."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.now_s = 100.0
        self.step_s = step_s
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        self.now_s += self.step_s
        return self.now_s


class Woken:
    """A WakeProxy with a callback that notes the clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.times: list[float] = []
        self.wake = WakeProxy(lambda: self.times.append(clock.now_s), clock=clock)

    def wait_for_timer(self) -> None:
        """Let the armed timer run out (it is real), without the clock moving."""
        loop = QEventLoop()
        self.wake._timer.timeout.connect(loop.quit)
        assert self.wake._timer.isActive()
        loop.exec()


def test_a_past_due_wakes_in_the_next_event() -> None:
    woken = Woken(FakeClock())
    run_in_thread(lambda: woken.wake.wake_at(99.0))
    assert woken.times == []
    process()
    assert woken.times == [100.0]
    assert not woken.wake._timer.isActive()


def test_the_last_millisecond_is_spun_to_the_due_time() -> None:
    woken = Woken(FakeClock(step_s=0.00001))
    woken.wake.wake_at(100.0008)
    process()
    assert len(woken.times) == 1
    assert 100.0008 <= woken.times[0] <= 100.00082
    assert woken.clock.reads > 50


def test_a_timer_is_armed_with_whole_milliseconds_rounded_down() -> None:
    woken = Woken(FakeClock())
    woken.wake.wake_at(100.0059)
    process()
    assert woken.times == []
    assert woken.wake._timer.interval() == 5

    woken.clock.now_s = 100.0055
    woken.clock.step_s = 0.00001
    woken.wait_for_timer()
    assert len(woken.times) == 1
    assert 100.0059 <= woken.times[0] < 100.006


def test_the_timer_is_precise_and_a_whole_millisecond_is_not_spun() -> None:
    woken = Woken(FakeClock())
    woken.wake.wake_at(100.0 + 1 / 1024 + 1 / 32768)  # just over one millisecond, in binary
    reads = woken.clock.reads
    process()
    assert woken.clock.reads - reads == 1
    assert woken.times == []
    assert woken.wake._timer.timerType() == Qt.TimerType.PreciseTimer
    assert woken.wake._timer.isSingleShot()
    assert woken.wake._timer.interval() == 1
    woken.wake.close()


@given(st.lists(st.integers(2, 5000), min_size=1, max_size=20))
def test_the_timer_is_always_armed_for_the_earliest(dues_ms: list[int]) -> None:
    woken = Woken(FakeClock())
    for asked, due_ms in enumerate(dues_ms, 1):
        woken.wake.wake_at(100.0 + due_ms / 1000)
        process()
        assert abs(woken.wake._timer.interval() - min(dues_ms[:asked])) <= 1
    woken.clock.now_s = 100.0 + min(dues_ms) / 1000
    woken.wake._timer.timeout.emit()
    assert len(woken.times) == 1
    assert not woken.wake._timer.isActive()


def test_a_timer_that_fires_early_is_armed_again() -> None:
    woken = Woken(FakeClock())
    woken.wake.wake_at(100.003)
    process()
    woken.wait_for_timer()
    assert woken.times == []
    assert woken.wake._timer.isActive()
    woken.clock.now_s = 100.003
    woken.wait_for_timer()
    assert woken.times == [100.003]


def test_an_earlier_due_replaces_a_later_one_and_a_later_one_is_ignored() -> None:
    woken = Woken(FakeClock())
    events = count_wakes(woken.wake, "_asked")
    woken.wake.wake_at(200.0)
    process()
    assert woken.wake._timer.interval() == 100_000
    woken.wake.wake_at(150.0)
    woken.wake.wake_at(300.0)
    process()
    assert woken.wake._timer.interval() == 50_000
    assert len(events) == 2
    woken.wake.wake_at(100.0)
    process()
    assert woken.times == [100.0]
    assert not woken.wake._timer.isActive()


def test_many_requests_post_one_event() -> None:
    woken = Woken(FakeClock())
    events = count_wakes(woken.wake, "_asked")
    for due in (200.0, 190.0, 180.0, 99.0):
        woken.wake.wake_at(due)
    process()
    assert len(woken.times) == 1
    assert len(events) == 1


def test_the_callback_may_ask_for_the_next_wake() -> None:
    clock = FakeClock()
    times: list[float] = []

    def callback() -> None:
        times.append(clock.now_s)
        if len(times) < 3:
            clock.now_s += 1
            wake.wake_at(clock.now_s)

    wake = WakeProxy(callback, clock=clock)
    wake.wake_at(100.0)
    for _ in range(5):
        process()
    assert times == [100.0, 101.0, 102.0]


def test_nothing_due_nothing_runs() -> None:
    woken = Woken(FakeClock())
    woken.wake.wake_at(200.0)
    process()
    woken.wake.cancel()
    reads = woken.clock.reads
    for _ in range(5):
        process()
    assert woken.times == []
    assert not woken.wake._timer.isActive()
    assert woken.clock.reads == reads


def test_a_due_days_away_does_not_overflow_the_timer() -> None:
    woken = Woken(FakeClock())
    woken.wake.wake_at(1e12)
    process()
    assert 0 < woken.wake._timer.interval() < 2**31
    woken.wake.close()


def test_closed_it_never_calls_again() -> None:
    woken = Woken(FakeClock())
    woken.wake.wake_at(99.0)
    woken.wake.close()
    woken.wake.wake_at(99.0)
    process()
    assert woken.times == []


def test_a_failing_callback_is_logged_and_the_next_wake_comes(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def callback() -> None:
        calls.append(1)
        raise ValueError("broken callback")

    wake = WakeProxy(callback, clock=FakeClock())
    for _ in range(2):
        wake.wake_at(0.0)
        with caplog.at_level(logging.ERROR):
            process()
    assert len(calls) == 2
    assert "broken callback" in caplog.text
