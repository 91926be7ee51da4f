"""MetricTable: the metrics of one side, declared once; names, help and reference come from it.

A metric that is not in its table cannot be counted: a misspelt name fails in the first test that runs
that line, instead of being a number that nobody ever sees.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from napari_cuda.protocol.errors import MetricError

BUCKETS_S = (0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.033, 0.066, 0.13, 0.26, 0.5, 1.0, 2.0, 5.0)
"""Upper bounds of a stage's buckets: each about twice the last, with a frame's 16 and 33 ms among them."""


class Kind(enum.Enum):
    """What a metric is, and so the Prometheus family it is a label of."""

    EVENT = "event"
    """Counted up: `napari_cuda_<side>_events_total{event="…"}`."""
    STAGE = "stage"
    """Duration of one stage for one frame: the histogram `napari_cuda_<side>_stage_seconds{stage="…"}`."""
    QUEUE = "queue"
    """What waits or is held now: the gauge `napari_cuda_<side>_queue{queue="…"}`."""
    LEVEL = "level"
    """What is so now, and no queue: the gauge `napari_cuda_<side>_level{level="…"}`."""


FAMILIES: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        Kind.EVENT: ("events", "What happened, by name"),
        Kind.STAGE: ("stage_seconds", "Duration of one stage for one frame"),
        Kind.QUEUE: ("queue", "What waits or is held now"),
        Kind.LEVEL: ("level", "What is so now, by name"),
    }
)
"""Kind → the family's name after `napari_cuda_<side>_`, and its help."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row: `meaning` is one line, `unit` what a value of 1 is."""

    name: str
    kind: Kind
    unit: str
    meaning: str


class MetricTable:
    """The metrics of one side, `client` or `server`. Immutable."""

    def __init__(self, side: str, *rows: Metric) -> None:
        self.rows = rows
        self._side = side

    def names(self, kind: Kind) -> list[str]:
        """Return the names of a kind, in the table's order."""
        return [row.name for row in self.rows if row.kind is kind]

    def family(self, kind: Kind) -> str:
        """Return the Prometheus name of a kind's family."""
        return f"napari_cuda_{self._side}_{FAMILIES[kind][0]}"

    def unknown(self, kind: Kind, name: str) -> MetricError:
        """Return the error to raise for a name that is not in the table."""
        return MetricError(f"the {self._side} has no {kind.value} {name!r}: add a row to its table of metrics")

    def reference(self) -> list[tuple[str, str, str, str]]:
        """Return the rows of the documents' table: name, kind, unit, meaning."""
        return [(f"`{row.name}`", row.kind.value, row.unit, row.meaning) for row in self.rows]
