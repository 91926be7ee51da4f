"""RateLimit: what may happen often is said now and then, with the number of times it was not."""

from __future__ import annotations


class RateLimit:
    """Lets one thing through every `every_s`, and counts the others. Pure. Owner: whoever made it."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._passed_s: float | None = None
        self._held_back = 0

    def passes(self, now_s: float) -> int | None:
        """Return how many were held back since the last that passed, or None if this one is, too."""
        if self._passed_s is not None and now_s - self._passed_s < self._every_s:
            self._held_back += 1
            return None
        held_back, self._held_back, self._passed_s = self._held_back, 0, now_s
        return held_back
