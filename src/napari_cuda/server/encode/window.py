"""AckWindow: how many pictures may be on their way to one viewer."""

from __future__ import annotations

WINDOW = 2
"""Measured: two in flight keep a 20 Mb/s, 40 ms link at its floor latency; more only queue."""


class AckWindow:
    """Pictures sent and not yet presented. Pure; the owner locks.

    An ack of `seq` acknowledges everything up to it: the viewer presents in order.
    """

    def __init__(self, size: int = WINDOW) -> None:
        self._size = size
        self._in_flight: list[int] = []

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

    def sent(self, seq: int) -> None:
        """Note that packet `seq` left."""
        self._in_flight.append(seq)

    def acked(self, seq: int) -> bool:
        """Note that packet `seq` was presented; False if it never was in flight."""
        if seq not in self._in_flight:
            return False
        self._in_flight = self._in_flight[self._in_flight.index(seq) + 1 :]
        return True

    def reset(self) -> None:
        """Forget what is in flight: nobody will present it."""
        self._in_flight.clear()
