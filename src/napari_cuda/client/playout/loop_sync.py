"""LoopSyncState: which of what goes wrong in a stream is worth a line in the log."""

from __future__ import annotations

from napari_cuda.client.rate_limit import RateLimit

_LOG_EVERY_S = 1.0
"""A bad link breaks the stream many times a second: the first line says it, the next one how often."""


class LoopSyncState:
    """Says what to log. Pure. Owner: the `StreamGate` it belongs to. Who counts is `ClientMetrics`."""

    def __init__(self) -> None:
        self._line: str | None = None
        self._limit = RateLimit(_LOG_EVERY_S)

    def discontinuity(self, text: str, now_s: float) -> None:
        """The stream broke: `text` says how. Kept for `take_line` unless another was said just now."""
        unsaid = self._limit.passes(now_s)
        if unsaid is not None:
            before = f" ({unsaid} more since the last such line)" if unsaid else ""
            self._line = f"discontinuity in the stream: {text}{before}"

    def take_line(self) -> str | None:
        """Return what is to be logged now, once; None if there is nothing."""
        line, self._line = self._line, None
        return line
