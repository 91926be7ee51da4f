"""AckWindow: how many pictures may be on their way to one viewer."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

SMALLEST = 2
"""One under way and one being made: measured to keep a loopback or LAN at its floor latency; more only queue."""
LARGEST = 8
"""Until bit and frame rate follow the link: on one that carries less than is sent, each of them waits."""

_BELIEVED_S = 10.0
"""So long the shortest way counts; then the window shrinks for a moment, to measure it without a queue of our own."""
_FEW_WAIT, _MANY_WAIT = 1.0, 2.0
"""Pictures that wait on the way: with fewer the window grows, with more it shrinks."""


@dataclass(frozen=True, slots=True)
class _Sent:
    seq: int
    sent_s: float
    alone: bool
    """Nothing, or one picture, was ahead of it: what it takes is the way, not the queue."""


class AckWindow:
    """Pictures sent and not yet presented. Pure; the owner locks; `now_s` is any monotonic clock.

    An ack of `seq` acknowledges everything up to it: the viewer presents in order. The size follows
    the way as TCP Vegas does: of `size` pictures under way, those that the shortest way does not
    account for wait somewhere. While few wait and the window holds the sender back, it grows.
    """

    def __init__(self) -> None:
        self._size = SMALLEST
        self._in_flight: list[_Sent] = []
        self._way_s = math.inf
        self._measured_s = -math.inf
        self._regained = 0
        """The size from before the way is measured anew; 0 while it is not."""
        self._forgotten = 0
        """Packets that may still be ahead of what is sent now, though nobody will acknowledge them."""
        self._took_s: list[float] = []
        """What pictures took since the size was last looked at: two windows full at most."""
        self._held_back = False

    @property
    def size(self) -> int:
        """How many may be on their way."""
        return self._size

    @property
    def in_flight(self) -> int:
        """Pictures on their way."""
        return len(self._in_flight)

    @property
    def room(self) -> int:
        """How many more may be sent now; never negative."""
        return max(0, self._size - len(self._in_flight))

    @property
    def empty(self) -> bool:
        """True if everything sent was presented."""
        return not self._in_flight

    def sent(self, seq: int, now_s: float) -> None:
        """Note that packet `seq` left."""
        ahead = len(self._in_flight) + self._forgotten
        self._in_flight.append(_Sent(seq, now_s, alone=ahead < SMALLEST))

    def acked(self, seq: int, now_s: float) -> bool:
        """Note that packet `seq` was presented; False if it never was in flight."""
        done = next((index + 1 for index, sent in enumerate(self._in_flight) if sent.seq == seq), 0)
        if not done:
            return False
        self._forgotten = 0
        self._held_back |= self.room == 0
        newest = self._in_flight[done - 1]
        self._in_flight = self._in_flight[done:]
        self._measure(newest, now_s)
        if len(self._took_s) >= 2 * self._size:
            self._resize()
        return True

    def reset(self) -> None:
        """Forget what is in flight: nobody will present it."""
        self._forgotten += len(self._in_flight)
        self._in_flight.clear()

    def _measure(self, sent: _Sent, now_s: float) -> None:
        took_s = now_s - sent.sent_s
        self._took_s.append(took_s)
        stale = now_s - self._measured_s > _BELIEVED_S
        if took_s <= self._way_s or (stale and sent.alone):
            self._way_s, self._measured_s = took_s, now_s
            self._size, self._regained = max(self._size, self._regained), 0
        elif stale and not self._regained:
            self._size, self._regained = SMALLEST, self._size

    def _resize(self) -> None:
        waiting = self._size * (1.0 - self._way_s / max(statistics.fmean(self._took_s), self._way_s, 1e-9))
        if self._held_back and waiting < _FEW_WAIT:
            self._size = min(self._size + 1, LARGEST)
        elif waiting > _MANY_WAIT:
            self._size = max(self._size - 1, SMALLEST)
        self._took_s.clear()
        self._held_back = False
