"""ClientMetrics: one counter per event and one short history per stage."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass

import numpy as np

_HISTORY = 4096
"""Durations kept per stage: over a minute at 60 frames/s, and a fixed cost."""


@dataclass(frozen=True, slots=True)
class StageStats:
    """Durations of one stage, in seconds."""

    samples: int
    p50_s: float
    p95_s: float


class ClientMetrics:
    """Counters and stage durations. Thread-safe; every thread of the client adds to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._stages: dict[str, deque[float]] = {}

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += n

    def observe(self, name: str, seconds: float) -> None:
        """Add the duration of a stage."""
        with self._lock:
            self._stages.setdefault(name, deque(maxlen=_HISTORY)).append(seconds)

    def counts(self) -> dict[str, int]:
        """Return all counters."""
        with self._lock:
            return dict(self._counts)

    def stage(self, name: str) -> StageStats | None:
        """Return the statistics of a stage, or None if it never ran."""
        with self._lock:
            values = list(self._stages.get(name, ()))
        if not values:
            return None
        p50, p95 = np.percentile(values, (50, 95))
        return StageStats(len(values), float(p50), float(p95))

    def stages(self) -> dict[str, StageStats]:
        """Return the statistics of every stage that ran."""
        with self._lock:
            names = list(self._stages)
        return {name: stats for name in names if (stats := self.stage(name)) is not None}

    def forget(self, name: str) -> None:
        """Measure a stage anew."""
        with self._lock:
            self._stages.pop(name, None)
