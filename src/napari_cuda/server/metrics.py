"""ServerMetrics: what the server counts and times, every name of it in one table; for `/metrics` and the demo."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from napari_cuda.metric_table import BUCKETS_S, FAMILIES, Kind, Metric, MetricTable

METRICS = MetricTable(
    "server",
    Metric("intents_applied", Kind.EVENT, "intents", "of all viewers; what waits together merges into one"),
    Metric("render", Kind.STAGE, "seconds", "draw one frame and read it back"),
    Metric("render_errors", Kind.EVENT, "frames", "that could not be drawn"),
    Metric("encode_keyframe", Kind.STAGE, "seconds", "convert, encode and hand over one keyframe"),
    Metric("encode_delta", Kind.STAGE, "seconds", "the same for a picture that refers to the one before"),
    Metric("render_band", Kind.STAGE, "seconds", "draw some rows of a resting picture in full detail"),
    Metric("encode_still", Kind.STAGE, "seconds", "the same for one part of an exact picture"),
    Metric("encode_unchanged", Kind.STAGE, "seconds", "say that a newer revision looks the same"),
    Metric("pixel_packets", Kind.EVENT, "packets", "made for the viewers"),
    Metric("pixel_bytes", Kind.EVENT, "bytes", "in these packets, headers not included"),
    Metric("keyframe_requests", Kind.EVENT, "requests", "of viewers whose decoder must start anew"),
    Metric("viewers", Kind.QUEUE, "viewers", "connected"),
    Metric("bit_rate_lowest", Kind.LEVEL, "bit/s", "that a viewer is sent at most, of the one with the least"),
    Metric("link_rate_lowest", Kind.LEVEL, "bit/s", "that a viewer's link was seen to carry; 0: none was busy of late"),
    Metric("window_largest", Kind.LEVEL, "packets", "that may be under way to a viewer"),
    Metric("commands", Kind.QUEUE, "commands", "for the render thread"),
    Metric("pixel_packets", Kind.QUEUE, "packets", "that the sockets have not taken"),
    Metric("state_messages", Kind.QUEUE, "messages", "that the sockets have not taken"),
    Metric("unacked_intents", Kind.QUEUE, "intents", "received, not confirmed"),
)


class ServerMetrics:
    """Counts, durations, queue lengths and levels by the names in METRICS; MetricError for any other.

    One registry of its own per server. Thread-safe.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # CPU time and memory of the process, where its system tells
        families = {kind: (METRICS.family(kind), help_text) for kind, (_, help_text) in FAMILIES.items()}
        events = Counter(*families[Kind.EVENT], ["event"], registry=self._registry)
        stages = Histogram(*families[Kind.STAGE], ["stage"], buckets=BUCKETS_S, registry=self._registry)
        queues = Gauge(*families[Kind.QUEUE], ["queue"], registry=self._registry)
        levels = Gauge(*families[Kind.LEVEL], ["level"], registry=self._registry)
        self._events = {name: events.labels(name) for name in METRICS.names(Kind.EVENT)}
        self._stages = {name: stages.labels(name) for name in METRICS.names(Kind.STAGE)}
        self._levels = {name: levels.labels(name) for name in METRICS.names(Kind.LEVEL)}
        self._queues = {name: queues.labels(name) for name in METRICS.names(Kind.QUEUE)}

    def observe(self, name: str, seconds: float) -> None:
        """Add the duration of a stage."""
        if name not in self._stages:
            raise METRICS.unknown(Kind.STAGE, name)
        self._stages[name].observe(seconds)

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter."""
        if name not in self._events:
            raise METRICS.unknown(Kind.EVENT, name)
        self._events[name].inc(n)

    def viewers(self, number: int) -> None:
        """Set how many viewers are connected."""
        self._queues["viewers"].set(number)

    def watch(self, queue: str, length: Callable[[], float]) -> None:
        """Report the length of a queue; it is asked whenever `exposition` is called, on that thread."""
        if queue not in self._queues:
            raise METRICS.unknown(Kind.QUEUE, queue)
        self._queues[queue].set_function(length)

    def show(self, level: str, value: Callable[[], float]) -> None:
        """Report a level; it is asked as `watch` says."""
        if level not in self._levels:
            raise METRICS.unknown(Kind.LEVEL, level)
        self._levels[level].set_function(value)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)
