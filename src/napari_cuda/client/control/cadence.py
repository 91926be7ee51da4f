"""Cadence: at most one message in an interval, and the last thing said always goes out."""

from __future__ import annotations

INTERVAL_S = 1 / 120
"""Of what a hand does: no server draws more often, and no hand is faster."""

TURN_S = 0.02
"""So long one thing keeps the GUI thread, but for what cannot be cut: then hands and pictures have their turn."""


class Cadence:
    """When what was noted may be sent. Owner: GUI thread; pure.

    The first is due at once, what comes within `interval_s` after it at its end, together. What
    was noted stays due until it is taken: nothing is ever discarded.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._taken_s: float | None = None
        self._due_s: float | None = None

    @property
    def due_s(self) -> float | None:
        """When to send; None if there is nothing."""
        return self._due_s

    def note(self, now_s: float) -> float:
        """Something is to be sent; return when."""
        if self._due_s is None:
            free_s = now_s if self._taken_s is None else self._taken_s + self._interval_s
            self._due_s = max(now_s, free_s)
        return self._due_s

    def take(self, now_s: float) -> bool:
        """Return True if it is time: the caller sends everything now."""
        if self._due_s is None or now_s < self._due_s:
            return False
        self.taken(now_s)
        return True

    def taken(self, now_s: float) -> None:
        """Everything was sent, in time or because it could not wait."""
        self._due_s = None
        self._taken_s = now_s
