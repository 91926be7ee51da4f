from __future__ import annotations

import threading

import pytest

from napari_cuda.client.telemetry import METRICS, ClientMetrics, StageStats
from napari_cuda.metric_table import BUCKETS_S, Kind
from napari_cuda.protocol.errors import MetricError
from napari_cuda.worker import Worker


def test_counts_by_name() -> None:
    metrics = ClientMetrics()
    metrics.count("frames_shown")
    metrics.count("bytes_received", 500)
    metrics.count("frames_shown")
    counts = metrics.counts()
    assert {name: n for name, n in counts.items() if n} == {"frames_shown": 2, "bytes_received": 500}
    assert set(counts) == set(METRICS.names(Kind.EVENT)), "what never happened counts 0"
    counts["frames_shown"] = 0
    assert metrics.counts()["frames_shown"] == 2


def test_a_name_that_is_not_in_the_table_is_an_error() -> None:
    metrics = ClientMetrics()
    with pytest.raises(MetricError, match="no event 'frames'"):
        metrics.count("frames")
    for use in (metrics.stage, metrics.forget, lambda name: metrics.observe(name, 1.0)):
        with pytest.raises(MetricError, match="no stage 'frames_shown'"):
            use("frames_shown")
    with pytest.raises(MetricError, match="no queue 'decode'"):
        metrics.watch("decode", lambda: 1)


def test_a_stage_that_never_ran_has_no_statistics() -> None:
    assert ClientMetrics().stage("decode") is None
    assert ClientMetrics().stages() == {}


def test_percentiles_of_a_stage() -> None:
    metrics = ClientMetrics()
    for milliseconds in range(101):
        metrics.observe("decode", milliseconds / 1000)
    metrics.observe("upload", 0.25)
    assert metrics.stage("decode") == StageStats(101, pytest.approx(0.05), pytest.approx(0.095), 0.1)
    assert metrics.stage("decode", newest=1) == StageStats(1, 0.1, 0.1, 0.1)
    assert metrics.stages() == {"decode": metrics.stage("decode"), "upload": StageStats(1, 0.25, 0.25, 0.25)}


def test_the_history_is_bounded_and_the_newest_count() -> None:
    metrics = ClientMetrics()
    for _ in range(10_000):
        metrics.observe("draw", 1.0)
    for _ in range(4096):
        metrics.observe("draw", 2.0)
    assert metrics.stage("draw") == StageStats(4096, 2.0, 2.0, 2.0)


def test_a_stage_can_be_measured_anew_but_its_total_only_grows() -> None:
    metrics = ClientMetrics()
    metrics.observe("draw", 1.0)
    metrics.forget("draw")
    metrics.forget("upload")
    assert metrics.stage("draw") is None
    assert metrics.totals()["draw"].seconds == 1.0


def test_totals_count_each_duration_in_the_first_bucket_that_holds_it() -> None:
    metrics = ClientMetrics()
    for seconds in (0.0, BUCKETS_S[0], BUCKETS_S[1], BUCKETS_S[-1], 2 * BUCKETS_S[-1]):
        metrics.observe("decode", seconds)
    total = metrics.totals()["decode"]
    assert total.buckets[:2] == (2, 1)
    assert total.buckets[-2:] == (1, 1)
    assert sum(total.buckets) == 5
    assert total.seconds == pytest.approx(BUCKETS_S[0] + BUCKETS_S[1] + 3 * BUCKETS_S[-1])


def test_queues_are_asked_when_they_are_read() -> None:
    metrics, waiting = ClientMetrics(), ["one"]
    metrics.watch("packets_to_decode", lambda: len(waiting))
    assert metrics.queues() == {"packets_to_decode": 1}
    waiting.append("two")
    assert metrics.queues() == {"packets_to_decode": 2}


def test_threads_lose_no_count() -> None:
    metrics = ClientMetrics()

    def run(_stop: threading.Event) -> None:
        for _ in range(5000):
            metrics.count("wakes")
            metrics.observe("draw", 1.0)

    workers = [Worker(f"count-{index}", run).start() for index in range(4)]
    while any(worker.alive for worker in workers):
        metrics.stages()
    assert all(worker.stop(60) for worker in workers)
    assert metrics.counts()["wakes"] == sum(metrics.totals()["draw"].buckets) == 20_000
