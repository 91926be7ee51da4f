"""What a session counts, as Prometheus reads it from both sides."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

import napari_cuda
from integration.conftest import Serve
from napari_cuda import workloads
from napari_cuda.client.telemetry import METRICS
from napari_cuda.metric_table import Kind
from napari_cuda.protocol.errors import StartupError
from napari_cuda.server import metrics as server_metrics
from napari_cuda.server_process import ServerProcess


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("flat", size=(320, 240))


def read(url: str) -> dict[tuple[str, str], float]:
    """The samples of a client's metrics by name and label."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        (sample.name.removeprefix("napari_cuda_client_"), next(iter(sample.labels.values()))): sample.value
        for family in families
        for sample in family.samples
        if "le" not in sample.labels
    }


def test_a_client_serves_what_it_counts_and_times(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/metrics"
    with napari_cuda.connect(server.connect_url, window=False, metrics_port=port) as viewer:
        workloads.drive(viewer, workloads.pan, 1)
        counts, found = viewer.metrics.counts(), read(url)
        assert found["events_total", "frames_shown"] == counts["frames_shown"] > 0
        assert found["events_total", "intents_sent"] == counts["intents_sent"] >= 60
        for stage in ("receive", "decode_wait", "decode", "present_wait", "present", "input_to_photon"):
            assert found["stage_seconds_count", stage] > 0, stage
        for queue in ("pictures_to_present", "intents_unsent", "properties_unacknowledged"):
            assert found["queue", queue] >= 0
        assert {name for family, name in found if family == "events_total"} == set(METRICS.names(Kind.EVENT))
        with pytest.raises(StartupError, match=f"cannot serve metrics on port {port}: Address already in use"):
            napari_cuda.connect(server.connect_url, window=False, metrics_port=port)
        # A port from the environment is for the first client of this machine; the others go without.
        monkeypatch.setenv("NAPARI_CUDA_METRICS_PORT", str(port))
        napari_cuda.connect(server.connect_url, window=False).close()
        assert f"cannot serve metrics on port {port}: Address already in use" in caplog.text
    with pytest.raises(urllib.error.URLError, match="refused"):
        read(url)


def test_the_server_has_every_metric_of_its_table(server: ServerProcess) -> None:
    families = {Kind.EVENT: "events", Kind.STAGE: "stage_seconds", Kind.QUEUE: "queue", Kind.LEVEL: "level"}
    for kind, family in families.items():
        labels = {name.split(" ")[-1] for name in workloads.server_samples(server, family)}
        assert labels >= set(server_metrics.METRICS.names(kind))
