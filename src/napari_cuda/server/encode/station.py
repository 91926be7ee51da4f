"""Station: one place that everything sent passes in order, seen from its two ends only."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

BELIEVED_S = 10.0
"""So long the shortest passage counts: a path that became longer is taken for a queue until then."""

_SPAN_S = 0.3
"""What passed in this time says how fast the station is; of a slow one at least so many:"""
_FEWEST = 3
_STANDING_S = 0.08
"""A queue stands if nothing passed without waiting for so long; else it is a burst of threads or of jitter."""
_MOST = 64
"""Bound of what is remembered: a second of pictures at 60 a second."""


@dataclass(frozen=True, slots=True)
class _Passage:
    at_s: float
    seconds: float
    amount: float
    within_s: float = math.inf
    """It left so long after the one before: being served took no longer."""


class Shortest:
    """The shortest passage of late, and how much passed then; `now_s` is any clock."""

    def __init__(self) -> None:
        # Bound: of two the longer counts only if it is newer, and one for each tenth of a second will do.
        self._passages: deque[_Passage] = deque()

    @property
    def seconds(self) -> float:
        """The shortest; 0 if there was none."""
        return self._passages[0].seconds if self._passages else 0.0

    @property
    def amount(self) -> float:
        """What it was that passed so fast."""
        return self._passages[0].amount if self._passages else 0.0

    def service_s(self, rate_per_s: float) -> float:
        """Return the part of the shortest passage in which it was served, if the rate was not another one then."""
        if not self._passages:
            return 0.0
        return min(self._passages[0].amount / rate_per_s, self._passages[0].within_s)

    def note(self, seconds: float, amount: float, now_s: float, within_s: float = math.inf) -> None:
        """Take in one passage."""
        passages = self._passages
        while passages and passages[0].at_s < now_s - BELIEVED_S:
            passages.popleft()
        while passages and passages[-1].seconds >= seconds:
            passages.pop()
        if not passages or now_s - passages[-1].at_s > BELIEVED_S / 300:
            passages.append(_Passage(now_s, seconds, amount, within_s))


class Station:
    """A link, which bits pass, or a viewer's decoder and screen, which pictures pass. Pure; the owner locks.

    The clocks of the two ends need not agree: all that counts is how much longer a passage takes than the shortest.
    A passage that began while the one before was not over was *served* from the end of that one on: only such say
    how fast the station is. So nothing is learned from gaps, nor from a sender that has little to send.
    """

    def __init__(self) -> None:
        self.wait_s = 0.0
        """How long the newest had to wait for those before it."""
        self.late_s = 0.0
        """How much longer than the shortest passage its own was."""
        self._shortest = Shortest()
        self._left_s = -math.inf
        # Bound: what is older than the span is dropped, and of two the longer counts only if it is newer.
        self._waits: deque[tuple[float, float]] = deque()
        # Bound: what is older than the span, or than the newest 64, is dropped.
        self._served: deque[_Passage] = deque(maxlen=_MOST)

    @property
    def standing_s(self) -> float:
        """The shortest wait of late: what never empties is a queue."""
        return self._waits[0][1] if self._waits else 0.0

    @property
    def rate_per_s(self) -> float | None:
        """Amount per second while it is busy; None if it was not busy of late.

        The slowest service does not count: it may have been a stall, after which the rest comes all the faster.
        """
        if len(self._served) < _FEWEST:
            return None
        slowest = max(self._served, key=lambda served: served.seconds)
        seconds = sum(served.seconds for served in self._served) - slowest.seconds
        return (sum(served.amount for served in self._served) - slowest.amount) / max(seconds, 1e-6)

    def passed(
        self, amount: float, entered_s: float, left_s: float, *, newest_entered_s: float, newest_amount: float
    ) -> None:
        """Note that `amount` went in from `entered_s` on and was out at `left_s`, with its newest part."""
        self._shortest.note(left_s - newest_entered_s, newest_amount, left_s, left_s - self._left_s)
        self.late_s = left_s - newest_entered_s - self._shortest.seconds
        free_s = self._left_s - entered_s - self._shortest.seconds
        while len(self._served) > _FEWEST - 1 and self._served[0].at_s < left_s - _SPAN_S:
            self._served.popleft()
        if free_s > 0:
            self._served.append(_Passage(left_s, left_s - self._left_s, amount))
        elif self._served and self._served[0].at_s < left_s - 2 * _SPAN_S:
            self._served.clear()  # it has long had nothing to wait for
        # Even the shortest passage had to be served, which its waiting was not.
        rate = self.rate_per_s
        self.wait_s = max(0.0, free_s + (self._shortest.service_s(rate) if rate else 0.0))
        self._left_s = left_s
        while self._waits and self._waits[-1][1] >= self.wait_s:
            self._waits.pop()
        self._waits.append((left_s, self.wait_s))
        while len(self._waits) > 1 and self._waits[0][0] < left_s - _STANDING_S:
            self._waits.popleft()
