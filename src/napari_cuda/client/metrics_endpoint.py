"""MetricsEndpoint: the client's `/metrics` for Prometheus, on loopback, when asked for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from napari_cuda.client.telemetry import METRICS, ClientMetrics
from napari_cuda.metric_table import BUCKETS_S, FAMILIES, Kind
from napari_cuda.protocol.errors import StartupError
from napari_cuda.worker import Worker

log = logging.getLogger(__name__)

_LOOK_S = 0.2
"""How often the thread looks whether it is to end."""

_BOUNDS = (*map(str, BUCKETS_S), "+Inf")


class _Families(Collector):
    """The metrics as they are when asked for."""

    def __init__(self, metrics: ClientMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each kind."""
        events = CounterMetricFamily(METRICS.family(Kind.EVENT), FAMILIES[Kind.EVENT][1], labels=["event"])
        for name, count in self._metrics.counts().items():
            events.add_metric([name], count)
        yield events
        stages = HistogramMetricFamily(METRICS.family(Kind.STAGE), FAMILIES[Kind.STAGE][1], labels=["stage"])
        for name, total in self._metrics.totals().items():
            cumulative = map(float, accumulate(total.buckets))
            stages.add_metric([name], list(zip(_BOUNDS, cumulative, strict=True)), total.seconds)
        yield stages
        queues = GaugeMetricFamily(METRICS.family(Kind.QUEUE), FAMILIES[Kind.QUEUE][1], labels=["queue"])
        for name, length in self._metrics.queues().items():
            queues.add_metric([name], length)
        yield queues


def exposition(metrics: ClientMetrics) -> bytes:
    """Return everything in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Families(metrics))
    return generate_latest(registry)


class MetricsEndpoint:
    """Serves `http://127.0.0.1:PORT/metrics`. Owner: its thread, "metrics"; `stop` from the one that made it.

    Raises StartupError in one line if the port cannot be had.
    """

    def __init__(self, metrics: ClientMetrics, port: int) -> None:
        try:
            self._server = HTTPServer(("127.0.0.1", port), _handler(metrics))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise StartupError(
                f"cannot serve metrics on port {port}: {reason}. Choose another with --metrics-port (0: any free port)"
            ) from None
        self._server.timeout = _LOOK_S
        self._worker = Worker("metrics", self._serve)
        self._worker.start()
        log.info("metrics on %s", self.url)

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"http://127.0.0.1:{self._server.server_port}/metrics"

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Close the port and end the thread; False if that did not end in time."""
        ended = self._worker.stop(deadline_s)
        self._server.server_close()
        return ended

    def _serve(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._server.handle_request()


def _handler(metrics: ClientMetrics) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # A scraper that connects and says nothing must not keep out the others.
        timeout = 1.0

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            text = exposition(metrics)
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_details: object) -> None:
            """Say nothing: somebody asks every few seconds."""

    return Handler
