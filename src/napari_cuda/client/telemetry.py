"""ClientMetrics: what the client counts and times, every name of it in one table."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_cuda.metric_table import BUCKETS_S, Kind, Metric, MetricTable

_HISTORY = 4096
"""Durations kept per stage: over a minute at 60 frames/s, and a fixed cost."""

METRICS = MetricTable(
    "client",
    # --- connection
    Metric("bytes_received", Kind.EVENT, "bytes", "pixel packets, headers included"),
    Metric("packets_received", Kind.EVENT, "packets", "receive: well-formed pixel packets"),
    Metric("packets_malformed", Kind.EVENT, "packets", "receive: packets whose header makes no sense"),
    Metric("keyframe_requests", Kind.EVENT, "requests", "asked the server for a fresh start of the stream"),
    Metric("intents_sent", Kind.EVENT, "intents", "changes that the user or a script asked for"),
    Metric("connections_lost", Kind.EVENT, "connections", "sessions that broke off without being ended"),
    Metric("reconnects", Kind.EVENT, "connections", "sessions that were taken up again"),
    Metric("resume", Kind.STAGE, "seconds", "from the reopened socket until a picture of the present scene"),
    Metric("round_trip", Kind.STAGE, "seconds", "ping to pong on the state socket"),
    # --- from packet to picture
    Metric("receive", Kind.STAGE, "seconds", "parse and gate one packet and hand it to the pipeline"),
    Metric("packets_admitted", Kind.EVENT, "packets", "gate: passed on to the decoder"),
    Metric("submit", Kind.STAGE, "seconds", "repack an access unit and give it to the hardware decoder"),
    Metric("decode_wait", Kind.STAGE, "seconds", "from receipt until the decoder takes the packet"),
    Metric("decode", Kind.STAGE, "seconds", "decode one video picture"),
    Metric("decode_still", Kind.STAGE, "seconds", "decode one part of an exact picture; with the last, verify it"),
    Metric("pictures_decoded", Kind.EVENT, "pictures", "video and exact ones"),
    Metric("decode_errors", Kind.EVENT, "packets", "damaged, or refused by the decoder"),
    Metric("decode_queue_overflows", Kind.EVENT, "times", "decoding fell behind and starts anew"),
    Metric("decoder_fallbacks", Kind.EVENT, "times", "the hardware decoder failed; software goes on"),
    # --- from picture to photon
    Metric("present_wait", Kind.STAGE, "seconds", "wait: from decoded until taken for drawing"),
    Metric("present", Kind.STAGE, "seconds", "present: later than it was due when taken for drawing"),
    Metric("upload", Kind.STAGE, "seconds", "give one picture to OpenGL"),
    Metric("draw", Kind.STAGE, "seconds", "draw the canvas' video, upload included"),
    Metric("frames_shown", Kind.EVENT, "pictures", "on screen"),
    Metric("input_to_photon", Kind.STAGE, "seconds", "from an input until a picture that shows it is on screen"),
    # --- drops, by reason
    Metric("packets_dropped", Kind.EVENT, "packets", "dropped on the way to the decoder, for any reason"),
    Metric("dropped_at_gate", Kind.EVENT, "packets", "out of sequence, or before the first keyframe"),
    Metric("dropped_overflow", Kind.EVENT, "packets", "too old to decode when decoding fell behind"),
    Metric("dropped_undecodable", Kind.EVENT, "packets", "after a loss, until the next keyframe"),
    Metric("dropped_stale", Kind.EVENT, "pictures", "older than what is shown, or of an earlier epoch"),
    Metric("dropped_skipped", Kind.EVENT, "pictures", "a newer one was due before it was shown"),
    # --- stalls
    Metric("gui_stall", Kind.STAGE, "seconds", "the GUI thread did not run for so long"),
    Metric("draw_kicks", Kind.EVENT, "times", "a picture was due and not drawn: one repaint was forced"),
    Metric("wakes", Kind.EVENT, "times", "the GUI thread was woken for a picture"),
    # --- queues
    Metric("packets_to_decode", Kind.QUEUE, "packets", "received, not decoded"),
    Metric("pictures_to_present", Kind.QUEUE, "pictures", "decoded, not shown"),
    Metric("leases", Kind.QUEUE, "surfaces", "of the hardware decoder, held by anyone"),
    Metric("gui_calls", Kind.QUEUE, "calls", "for the GUI thread, not run"),
    Metric("intents_unsent", Kind.QUEUE, "intents", "not handed to the socket"),
    Metric("properties_unacknowledged", Kind.QUEUE, "properties", "set here, not confirmed by the server"),
)


@dataclass(frozen=True, slots=True)
class StageStats:
    """Durations of one stage, in seconds."""

    samples: int
    p50_s: float
    p95_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class StageTotal:
    """A stage since the start: `buckets` counts durations up to each of BUCKETS_S, and the longer ones."""

    buckets: tuple[int, ...]
    seconds: float


class _Stage:
    """What is kept of one stage. Owner: the lock of its ClientMetrics."""

    __slots__ = ("buckets", "newest_s", "seconds")

    def __init__(self) -> None:
        self.newest_s: deque[float] = deque(maxlen=_HISTORY)
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.seconds = 0.0


class ClientMetrics:
    """Counts, durations and queue lengths by the names in METRICS; MetricError for any other.

    Thread-safe; every thread of the client adds to it, several times a frame.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(METRICS.names(Kind.EVENT), 0)
        self._stages = {name: _Stage() for name in METRICS.names(Kind.STAGE)}
        self._queues: dict[str, Callable[[], float]] = {}

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter."""
        try:
            with self._lock:
                self._counts[name] += n
        except KeyError:
            raise METRICS.unknown(Kind.EVENT, name) from None

    def observe(self, name: str, seconds: float) -> None:
        """Add the duration of a stage."""
        stage = self._stage(name)
        bucket = bisect_left(BUCKETS_S, seconds)
        with self._lock:
            stage.newest_s.append(seconds)
            stage.buckets[bucket] += 1
            stage.seconds += seconds

    def watch(self, name: str, length: Callable[[], float]) -> None:
        """Report the length of a queue; it is asked on the thread that reads it, whichever that is."""
        if name not in METRICS.names(Kind.QUEUE):
            raise METRICS.unknown(Kind.QUEUE, name)
        self._queues[name] = length

    def counts(self) -> dict[str, int]:
        """Return all counters."""
        with self._lock:
            return dict(self._counts)

    def queues(self) -> dict[str, float]:
        """Return the lengths of the queues that are watched."""
        return {name: length() for name, length in self._queues.copy().items()}

    def stage(self, name: str, newest: int = _HISTORY) -> StageStats | None:
        """Return the statistics of a stage's `newest` durations, or None if it never ran."""
        stage = self._stage(name)
        with self._lock:
            durations_s = list(stage.newest_s)[-newest:]
        if not durations_s:
            return None
        p50_s, p95_s, longest_s = np.percentile(durations_s, (50, 95, 100))
        return StageStats(len(durations_s), float(p50_s), float(p95_s), float(longest_s))

    def stages(self) -> dict[str, StageStats]:
        """Return the statistics of every stage that ran."""
        return {name: stats for name in self._stages if (stats := self.stage(name)) is not None}

    def totals(self) -> dict[str, StageTotal]:
        """Return every stage since the start; `forget` does not change them."""
        with self._lock:
            return {name: StageTotal(tuple(stage.buckets), stage.seconds) for name, stage in self._stages.items()}

    def forget(self, name: str) -> None:
        """Begin a stage's statistics anew."""
        stage = self._stage(name)
        with self._lock:
            stage.newest_s.clear()

    def _stage(self, name: str) -> _Stage:
        try:
            return self._stages[name]
        except KeyError:
            raise METRICS.unknown(Kind.STAGE, name) from None
