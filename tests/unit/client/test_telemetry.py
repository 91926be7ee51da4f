from __future__ import annotations

import threading

import pytest

from napari_cuda.client.telemetry import ClientMetrics, StageStats
from napari_cuda.worker import Worker


def test_counts_by_name() -> None:
    metrics = ClientMetrics()
    metrics.count("frames")
    metrics.count("bytes", 500)
    metrics.count("frames")
    counts = metrics.counts()
    assert counts == {"frames": 2, "bytes": 500}
    counts["frames"] = 0
    assert metrics.counts()["frames"] == 2


def test_a_stage_that_never_ran_has_no_statistics() -> None:
    assert ClientMetrics().stage("decode") is None
    assert ClientMetrics().stages() == {}


def test_percentiles_of_a_stage() -> None:
    metrics = ClientMetrics()
    for milliseconds in range(101):
        metrics.observe("decode", milliseconds / 1000)
    metrics.observe("upload", 0.25)
    assert metrics.stage("decode") == StageStats(101, pytest.approx(0.05), pytest.approx(0.095))
    assert metrics.stages() == {"decode": metrics.stage("decode"), "upload": StageStats(1, 0.25, 0.25)}


def test_the_history_is_bounded_and_the_newest_count() -> None:
    metrics = ClientMetrics()
    for _ in range(10_000):
        metrics.observe("draw", 1.0)
    for _ in range(4096):
        metrics.observe("draw", 2.0)
    assert metrics.stage("draw") == StageStats(4096, 2.0, 2.0)


def test_a_stage_can_be_measured_anew() -> None:
    metrics = ClientMetrics()
    metrics.observe("draw", 1.0)
    metrics.forget("draw")
    metrics.forget("never")
    assert metrics.stage("draw") is None


def test_threads_lose_no_count() -> None:
    metrics = ClientMetrics()

    def run(_stop: threading.Event) -> None:
        for _ in range(5000):
            metrics.count("n")
            metrics.observe("s", 1.0)

    workers = [Worker(f"count-{index}", run).start() for index in range(4)]
    while any(worker.alive for worker in workers):
        metrics.stages()
    assert all(worker.stop(60) for worker in workers)
    assert metrics.counts() == {"n": 20_000}
