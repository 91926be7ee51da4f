"""LogRing: the newest lines of the server's log, for the viewers who ask."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque

MOST_LINES = 500
"""What one message carries and a person reads; the whole log is where the server was started."""
LONGEST_LINE = 500

_SECRETS = re.compile(r"(?i)((?:token=|bearer\s+))[^\s'\"&]+")


class LogRing(logging.Handler):
    """Keeps lines, numbered from 1. Owner: none; any thread, under a lock."""

    def __init__(self, *tokens: str) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
        self._tokens = tokens
        # Bound: the oldest go, as in any log that is read over somebody's shoulder.
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._newest = 0
        self._guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, one line for each of its lines, without the tokens."""
        for line in self.format(record).splitlines():
            for token in self._tokens:
                line = line.replace(token, "…")
            clean = _SECRETS.sub(r"\1…", line)
            with self._guard:
                self._lines.append(clean if len(clean) <= LONGEST_LINE else f"{clean[:LONGEST_LINE]}…")
                self._newest += 1

    def since(self, number: int) -> tuple[int, list[str]]:
        """Return the newest line's number and the lines after `number`; all, if that is of another server's log."""
        with self._guard:
            count = self._newest - number if 0 <= number <= self._newest else MOST_LINES
            lines = list(self._lines)
            return self._newest, lines[max(0, len(lines) - count) :]
