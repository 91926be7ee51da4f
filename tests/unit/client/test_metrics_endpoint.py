from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from napari_cuda.client.metrics_endpoint import MetricsEndpoint, exposition
from napari_cuda.client.telemetry import METRICS, ClientMetrics
from napari_cuda.metric_table import Kind
from napari_cuda.protocol.errors import StartupError


def samples(text: bytes) -> dict[tuple[str, str, str], float]:
    """Every sample by name, label and bucket, as a Prometheus server reads them."""
    return {
        (
            sample.name.removeprefix("napari_cuda_client_"),
            next(value for label, value in sample.labels.items() if label != "le"),
            sample.labels.get("le", ""),
        ): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_metric_of_the_table_is_there() -> None:
    metrics = ClientMetrics()
    for queue in METRICS.names(Kind.QUEUE):
        metrics.watch(queue, lambda: 3)
    read = samples(exposition(metrics))
    assert all(read["events_total", name, ""] == 0 for name in METRICS.names(Kind.EVENT))
    assert all(read["stage_seconds_count", name, ""] == 0 for name in METRICS.names(Kind.STAGE))
    assert all(read["queue", name, ""] == 3 for name in METRICS.names(Kind.QUEUE))


def test_a_stage_is_a_histogram() -> None:
    metrics = ClientMetrics()
    for seconds in (0.003, 0.003, 0.015, 9.0):
        metrics.observe("decode", seconds)
    read = samples(exposition(metrics))
    assert read["stage_seconds_bucket", "decode", "0.002"] == 0
    assert read["stage_seconds_bucket", "decode", "0.004"] == 2
    assert read["stage_seconds_bucket", "decode", "5.0"] == 3
    assert read["stage_seconds_bucket", "decode", "+Inf"] == read["stage_seconds_count", "decode", ""] == 4
    assert read["stage_seconds_sum", "decode", ""] == pytest.approx(9.021)


@pytest.fixture
def metrics() -> ClientMetrics:
    return ClientMetrics()


@pytest.fixture
def endpoint(metrics: ClientMetrics) -> Iterator[MetricsEndpoint]:
    endpoint = MetricsEndpoint(metrics, 0)
    yield endpoint
    endpoint.stop()


def test_it_answers_with_the_metrics_of_the_moment(metrics: ClientMetrics, endpoint: MetricsEndpoint) -> None:
    for shown in (1, 2):
        metrics.count("frames_shown")
        with urllib.request.urlopen(endpoint.url, timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert samples(answer.read())["events_total", "frames_shown", ""] == shown
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(endpoint.url.removesuffix("metrics"), timeout=30)


def test_it_listens_on_this_machine_only(endpoint: MetricsEndpoint) -> None:
    assert urlsplit(endpoint.url).hostname == "127.0.0.1"


def test_a_taken_port_is_said_in_one_line(endpoint: MetricsEndpoint) -> None:
    port = urlsplit(endpoint.url).port
    assert port is not None
    with pytest.raises(StartupError, match=f"cannot serve metrics on port {port}: Address already in use. Choose"):
        MetricsEndpoint(ClientMetrics(), port)
    with pytest.raises(StartupError, match=r"cannot serve metrics on port 99999: .*0-65535"):
        MetricsEndpoint(ClientMetrics(), 99999)


def test_a_silent_scraper_does_not_hold_up_who_stops_it(metrics: ClientMetrics) -> None:
    endpoint = MetricsEndpoint(metrics, 0)
    with socket.create_connection(("127.0.0.1", urlsplit(endpoint.url).port)) as silent:
        assert not endpoint.stop(0), "its thread still waits for the scraper"
        silent.settimeout(30)
        with suppress(ConnectionError):
            assert silent.recv(1) == b""


def test_the_port_is_free_again_afterwards(metrics: ClientMetrics) -> None:
    endpoint = MetricsEndpoint(metrics, 0)
    port = urlsplit(endpoint.url).port
    endpoint.stop()
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
