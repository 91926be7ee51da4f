"""ServerMetrics: counters and stage times of the server, for `/metrics` and the demo's table."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS_S = (0.001, 0.002, 0.004, 0.008, 0.016, 0.033, 0.066, 0.13, 0.26, 0.5, 1.0, 2.0, 5.0)


class ServerMetrics:
    """One registry of its own per server. Thread-safe."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._stages = Histogram(
            "napari_cuda_server_stage_seconds",
            "Duration of one stage for one frame",
            ["stage"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._events = Counter("napari_cuda_server_events", "Events by name", ["event"], registry=self._registry)
        self._queues = Gauge(
            "napari_cuda_server_queue", "What waits in a queue, of all viewers", ["queue"], registry=self._registry
        )
        self._viewers = Gauge("napari_cuda_server_viewers", "Connected viewers", registry=self._registry)

    def observe(self, name: str, seconds: float) -> None:
        """Add the duration of a stage."""
        self._stages.labels(name).observe(seconds)

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter."""
        self._events.labels(name).inc(n)

    def viewers(self, number: int) -> None:
        """Set how many viewers are connected."""
        self._viewers.set(number)

    def watch(self, queue: str, length: Callable[[], float]) -> None:
        """Report the length of a queue; it is asked whenever `exposition` is called, on that thread."""
        self._queues.labels(queue).set_function(length)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)
