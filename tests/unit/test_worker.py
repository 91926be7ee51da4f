from __future__ import annotations

import ctypes
import logging
import os
import platform
import struct
import threading

import pytest

from napari_cuda.worker import Deadline, Worker, ask_for_short_slices


def until_stopped(stop: threading.Event) -> None:
    stop.wait()


def test_runs_in_a_named_thread_until_told_to_stop() -> None:
    seen: list[str] = []

    def run(stop: threading.Event) -> None:
        seen.append(threading.current_thread().name)
        stop.wait()

    worker = Worker("probe", run)
    assert not worker.alive
    assert worker.start() is worker
    assert worker.alive
    assert worker.stop(60)
    assert not worker.alive
    assert seen == [worker.name] == ["napari-cuda-probe"]


def test_wake_is_called_after_stop_is_set_so_that_no_wait_is_missed() -> None:
    something = threading.Event()
    order: list[bool] = []
    worker = Worker("waits", lambda stop: something.wait() and order.append(stop.is_set()), wake=something.set)
    worker.start()
    worker.request_stop()
    assert worker.stop(60)
    assert order == [True]


def test_a_worker_that_was_never_started_stops_at_once() -> None:
    assert Worker("unborn", until_stopped).stop(0.0)


def test_stop_may_be_called_twice() -> None:
    worker = Worker("twice", until_stopped).start()
    assert worker.stop(60)
    assert worker.stop(0.0)


def test_a_worker_may_stop_itself() -> None:
    results: list[bool] = []
    worker = Worker("self", lambda stop: results.append(worker.stop(60)))
    worker.start()
    assert worker.stop(60)
    assert results == [True]


def test_a_thread_that_does_not_end_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()
    worker = Worker("stuck", lambda stop: release.wait() and None).start()
    with caplog.at_level(logging.WARNING):
        assert not worker.stop(0.0)
    assert "napari-cuda-stuck did not end" in caplog.text
    release.set()
    assert worker.stop(60)


def test_an_exception_is_logged_once_and_handed_to_the_owner(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[tuple[Exception, str]] = []

    def run(stop: threading.Event) -> None:
        raise ValueError("broken")

    worker = Worker("fails", run, on_error=lambda error: errors.append((error, threading.current_thread().name)))
    with caplog.at_level(logging.ERROR):
        worker.start()
        assert worker.stop(60)
    [(error, thread)] = errors
    assert str(error) == "broken"
    assert thread == "napari-cuda-fails"
    assert [record.getMessage() for record in caplog.records] == ["thread napari-cuda-fails failed"]


def test_without_an_owner_an_exception_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker("fails", lambda stop: [][0]).start()
    assert worker.stop(60)
    assert "IndexError" in caplog.text


def test_a_deadline_that_is_over() -> None:
    for deadline in (Deadline(0.0), Deadline(-5.0)):
        assert deadline.left_s() == 0
        assert deadline.left_s() == 0.0


def test_a_deadline_far_away_only_comes_nearer() -> None:
    deadline = Deadline(1e6)
    assert deadline.left_s() > 0
    first = deadline.left_s()
    assert 0 < deadline.left_s() <= first <= 1e6


def test_threads_started_from_then_on_have_short_slices_too() -> None:
    read_back = {"x86_64": 315, "aarch64": 275, "riscv64": 275}.get(platform.machine())
    asked: list[bool] = []
    slices_ns: list[int] = []

    def look() -> None:
        attributes = ctypes.create_string_buffer(48)
        assert ctypes.CDLL(None).syscall(read_back, 0, attributes, 48, 0) == 0
        slices_ns.append(struct.unpack("=IIQiIQQQ", attributes.raw)[5])

    def ask() -> None:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        asked.append(ask_for_short_slices())
        assert os.getpriority(os.PRIO_PROCESS, 0) == nice
        if asked == [True]:
            later = threading.Thread(target=look)
            later.start()
            later.join()

    thread = threading.Thread(target=ask)  # what this test asks for ends with it
    thread.start()
    thread.join()
    # Older kernels than 6.12 take no notice, a sandbox may refuse.
    takes_notice = [int(part) for part in platform.release().split(".")[:2]] >= [6, 12]
    assert slices_ns == [100_000 if takes_notice else 0] * asked[0]
