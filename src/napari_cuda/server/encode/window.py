"""AckWindow: which packets are on their way to one viewer, and how many may be."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST = 2
"""One under way and one being made: measured to keep a loopback or LAN at its floor latency; more only queue."""
LARGEST = 24
"""60 pictures a second on a way of 400 ms, there and back."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that left."""

    seq: int
    size_bytes: int
    sent_s: float
    part: bool = False
    """Of a still: it takes no room from pictures that move."""


class AckWindow:
    """Packets sent and not yet presented. Pure; the owner locks; `now_s` is any monotonic clock.

    An ack of `seq` acknowledges everything up to it: the viewer presents in order.
    """

    def __init__(self) -> None:
        self.size = SMALLEST
        """How many may be on their way."""
        # Bound: nothing is sent without room, but a keyframe after a reset; the socket's queue has a bound of its own.
        self._in_flight: list[Sent] = []

    @property
    def in_flight(self) -> int:
        """Packets on their way."""
        return len(self._in_flight)

    @property
    def bytes_in_flight(self) -> int:
        """Bytes on their way."""
        return sum(sent.size_bytes for sent in self._in_flight)

    @property
    def room(self) -> int:
        """How many more may be sent now; never negative."""
        return max(0, self.size - self.in_flight + self.parts_in_flight)

    @property
    def parts_in_flight(self) -> int:
        """Parts of stills on their way."""
        return sum(sent.part for sent in self._in_flight)

    @property
    def empty(self) -> bool:
        """True if everything sent was presented."""
        return not self._in_flight

    def sent(self, seq: int, size_bytes: int, now_s: float, *, part: bool = False) -> None:
        """Note that packet `seq` left, which may be a part of a still."""
        self._in_flight.append(Sent(seq, size_bytes, now_s, part))

    def acked(self, seq: int) -> list[Sent]:
        """Note that packet `seq` was presented; return what that acknowledges, oldest first: nothing if unknown."""
        done = next((index + 1 for index, sent in enumerate(self._in_flight) if sent.seq == seq), 0)
        acknowledged, self._in_flight = self._in_flight[:done], self._in_flight[done:]
        return acknowledged

    def reset(self) -> None:
        """Forget what is in flight: nobody will present it."""
        self._in_flight.clear()
