"""Backoff: how long to wait before a lost connection is tried again."""

from __future__ import annotations

from collections.abc import Callable

FIRST_S = 0.1
"""What cuts a connection is often over at once."""
LONGEST_S = 8.0
"""A server that starts again is found soon enough, and one that is gone for good costs nothing."""


class Backoff:
    """Pauses that double while connections fail, each shortened at random by up to a half.

    By chance, because all clients of a server lose it at the same moment and must not all come
    back at the same moment. Pure; `random` returns numbers in [0, 1).
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._longest_s = 0.0

    def pause_s(self, lasted_s: float) -> float:
        """Return the seconds to wait after a connection that was open for `lasted_s` (0: never was).

        One that lasted longer than the pause before it was worth it: the pauses start anew. One that
        lasted a little halves them: a bad link is used as well as it can be.
        """
        if lasted_s > self._longest_s:
            self._longest_s = FIRST_S
        elif lasted_s > FIRST_S:
            self._longest_s = max(FIRST_S, self._longest_s / 2)
        else:
            self._longest_s = min(LONGEST_S, max(FIRST_S, 2 * self._longest_s))
        return self._longest_s * (1 - self._random() / 2)
