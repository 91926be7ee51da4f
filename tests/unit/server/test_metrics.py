from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from napari_cuda.metric_table import Kind
from napari_cuda.protocol.errors import MetricError
from napari_cuda.server.encode.plan import Job
from napari_cuda.server.metrics import METRICS, ServerMetrics


def samples(metrics: ServerMetrics) -> dict[tuple[str, str], float]:
    """Every sample by its name and first label, as a Prometheus server reads them."""
    return {
        (sample.name.removeprefix("napari_cuda_server_"), next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
        if "le" not in sample.labels
    }


def test_counts_events_by_name() -> None:
    metrics = ServerMetrics()
    metrics.count("keyframe_requests")
    metrics.count("pixel_bytes", 500)
    metrics.count("pixel_bytes", 20)
    read = samples(metrics)
    assert read["events_total", "keyframe_requests"] == 1
    assert read["events_total", "pixel_bytes"] == 520


def test_adds_up_the_time_of_each_stage() -> None:
    metrics = ServerMetrics()
    for seconds in (0.25, 0.5):
        metrics.observe("render", seconds)
    metrics.observe("encode_delta", 0.125)
    read = samples(metrics)
    assert read["stage_seconds_count", "render"] == 2
    assert read["stage_seconds_sum", "render"] == 0.75
    assert read["stage_seconds_sum", "encode_delta"] == 0.125


def test_knows_how_many_viewers_there_are() -> None:
    metrics = ServerMetrics()
    metrics.viewers(3)
    metrics.viewers(2)
    assert samples(metrics)["queue", "viewers"] == 2


def test_each_server_counts_for_itself() -> None:
    one, other = ServerMetrics(), ServerMetrics()
    one.count("render_errors")
    assert samples(other)["events_total", "render_errors"] == 0


def test_a_name_that_is_not_in_the_table_is_an_error() -> None:
    metrics = ServerMetrics()
    with pytest.raises(MetricError, match="the server has no event 'x'"):
        metrics.count("x")
    with pytest.raises(MetricError, match="the server has no stage 'x'"):
        metrics.observe("x", 1.0)
    with pytest.raises(MetricError, match="the server has no queue 'x'"):
        metrics.watch("x", lambda: 1)


def test_every_job_of_an_encoder_is_a_stage() -> None:
    stages = {name.removeprefix("encode_") for name in METRICS.names(Kind.STAGE) if name.startswith("encode_")}
    assert stages == {job.value for job in Job}


def test_asks_for_the_length_of_a_queue_whenever_it_is_read() -> None:
    metrics, waiting = ServerMetrics(), ["one"]
    metrics.watch("commands", lambda: len(waiting))
    assert 'napari_cuda_server_queue{queue="commands"} 1.0' in metrics.exposition().decode()
    waiting.append("two")
    assert 'napari_cuda_server_queue{queue="commands"} 2.0' in metrics.exposition().decode()
