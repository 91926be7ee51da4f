"""LoopSyncState: what went wrong in a stream, counted, and which of it is worth a line in the log."""

from __future__ import annotations

from dataclasses import dataclass, replace

_LOG_EVERY_S = 1.0
"""A bad link breaks the stream many times a second: the first line says it, the next one how often."""


@dataclass(slots=True)
class SyncCounts:
    """Packets and discontinuities of a client's stream, all connections together."""

    admitted: int = 0
    keyframes: int = 0
    gaps: int = 0
    missing: int = 0
    """Packets that never arrived, by the gaps in `seq`."""
    losses: int = 0
    """Packets that arrived and could not be decoded, or were dropped before."""
    epochs: int = 0
    reconnects: int = 0
    dropped_closed: int = 0
    dropped_late: int = 0
    dropped_old_epoch: int = 0
    keyframe_requests: int = 0


class LoopSyncState:
    """Counts, and says what to log. Pure. Owner: the `StreamGate` it belongs to."""

    def __init__(self) -> None:
        self.counts = SyncCounts()
        self._line: str | None = None
        self._quiet_until_s: float | None = None
        self._unsaid = 0

    def discontinuity(self, text: str, now_s: float) -> None:
        """The stream broke: `text` says how. Kept for `take_line` unless another was said just now."""
        if self._quiet_until_s is not None and now_s < self._quiet_until_s:
            self._unsaid += 1
            return
        self._quiet_until_s = now_s + _LOG_EVERY_S
        before = f" ({self._unsaid} more since the last such line)" if self._unsaid else ""
        self._line = f"discontinuity in the stream: {text}{before}"
        self._unsaid = 0

    def take_line(self) -> str | None:
        """Return what is to be logged now, once; None if there is nothing."""
        line, self._line = self._line, None
        return line

    def snapshot(self) -> SyncCounts:
        """Return a copy of the counters."""
        return replace(self.counts)
