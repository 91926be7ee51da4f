"""RateController: how much one viewer's link and machine take, and so what is sent: how large, how many, how often."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_cuda.server.encode.station import Shortest, Station
from napari_cuda.server.encode.window import LARGEST, SMALLEST, Sent

LEAST_BIT_RATE = 200_000
"""Less carries no picture that anyone could use."""

_TOLERATED_WAIT_S = 0.008
"""A queue this long is noise: threads and jitter. A longer one is ours."""
_LONGEST_WAIT_S = 0.06
_LONGEST_JITTER_S = 0.04
"""So much later than at best may pictures usually be for it to count as jitter."""
_STALL_S = 0.12
"""A picture this late is no jitter: the link stands still, or became a slow one."""
_FAR_S = 0.03
"""A round trip; what is late on a shorter way waits for a busy machine more often than for a link."""
_MOST_LATENESS = 3.0
"""Late acks, less half of the others: fewer are a machine that was busy with something else for a moment."""
_PERIOD_S = 0.1
"""The rate is raised once in so long, or once in a round trip if that is longer: what it does must be seen first."""
_FIRST_RISE, _LARGEST_RISE = 0.04, 0.25
"""Of the rate, in one period. The rise doubles while no queue builds: ten times the rate takes 2.2 s."""
_CAREFUL = (0.85, 1.15)
"""Times the rate at which a queue built last: in between, it rises slowly."""
_USED = 0.7
"""Pictures of less than this part of their share do not show that the link would carry more."""
_HELD_BACK = 1.04
"""Times the cadence: the window lets pictures leave no faster."""
_NO_MORE = 1.05
"""Times what the link carried last: if no more than that comes through, it still carries no more."""
_LONGEST_SERIAL_S = 0.06
"""One picture may occupy the link for so long; it then shows 16 pictures a second."""
_FULL_BITS_PER_PIXEL = 0.1
"""Below this, fewer pictures are better than worse ones: 11.5 kB at 720p."""
_LEAST_BITS_PER_PIXEL = 0.02
"""Below this a coarser picture is better than blocks: 2.3 kB at 720p."""
_COARSE = 0.75
"""Of width and height: finer gains nothing then, coarser gains no more (docs/adr/0006-fast-and-exact.md)."""
_SLOWEST_CADENCE_S = 0.1
_SMOOTHING = 0.125


@dataclass(frozen=True, slots=True)
class Arrival:
    """When the viewer had received the newest acknowledged packet (its clock), and how long it then took to show it."""

    received_s: float
    held_s: float


class RateController:
    """Follows one viewer. Pure: `now_s` is the server's monotonic clock; the owner locks.

    In: what was sent, and what the acks say. Out, as attributes and properties: `bit_rate` (bit/s) that the link
    carries without a queue, at most `ceiling`; `window`, packets under way; `frame_bytes`, the budget of a picture;
    `scale` of what it shows.

    The rate falls to what the link delivered while it was busy as soon as pictures wait; it rises while they
    use their budget and do not wait. What the viewer's machine takes to show a picture is known apart and is
    not mistaken for the link.
    """

    def __init__(self, *, frame_rate: float, ceiling: int) -> None:
        self._ceiling = ceiling
        self._fastest_s = 1.0 / frame_rate
        self.bit_rate = float(ceiling)
        self.window = SMALLEST
        self._link = Station()
        self._screen = Station()
        self._round_trip = Shortest()
        self._usual_trip_s = 0.0
        """On the link, there and back, without what the viewer took to show the picture."""
        self._cadence_s = self._fastest_s
        self._mean_bytes = 0.0
        self._interval_s = self._fastest_s
        """Between pictures as they leave; the cadence is that of those that the window does not hold back."""
        self._used = 0.0
        """What part of their share of the rate pictures had when they left."""
        self._sent_s = -math.inf
        self._blocked = False
        self._opened_s = math.inf
        """When the window that was full had room again; infinite while it is full, or was not."""
        self._making_s = 0.0
        """What it takes to draw and encode a picture once there is room for it."""
        self._full_at = 0.0
        """What the link carried when pictures last waited on it, in bit/s."""
        self._rise = _FIRST_RISE
        self._raised_s = -math.inf
        self._lateness = 0.0

    # --- what happens -------------------------------------------------------------------

    def sent(self, size_bytes: int, now_s: float, *, room: int) -> None:
        """Note that a video picture left; `room` is what the window has left."""
        interval_s = now_s - self._sent_s
        if interval_s <= _SLOWEST_CADENCE_S:
            self._interval_s += _SMOOTHING * (max(interval_s, self._fastest_s) - self._interval_s)
        if not self._blocked and interval_s <= _SLOWEST_CADENCE_S:
            self._cadence_s += _SMOOTHING * (max(interval_s, self._fastest_s) - self._cadence_s)
        making_s = now_s - max(self._opened_s, self._sent_s + self._fastest_s)
        if 0.0 <= making_s <= _SLOWEST_CADENCE_S:
            self._making_s += _SMOOTHING * (making_s - self._making_s)
        self._opened_s = math.inf
        self._mean_bytes += _SMOOTHING * (size_bytes - self._mean_bytes) if self._mean_bytes else size_bytes
        self._used += _SMOOTHING * (8 * size_bytes / (self.bit_rate * self._cadence_s) - self._used)
        self._sent_s = now_s
        self._blocked = room == 0

    def acked(self, sent: Sequence[Sent], arrival: Arrival, now_s: float) -> None:
        """Note that the packets `sent` arrived and were shown, or skipped for the newest of them."""
        if self._blocked:
            self._opened_s = min(self._opened_s, now_s)
        newest = sent[-1]
        bits = [8.0 * packet.size_bytes for packet in sent]
        received_s = arrival.received_s
        self._link.passed(sum(bits), sent[0].sent_s, received_s, newest_entered_s=newest.sent_s, newest_amount=bits[-1])
        self._screen.passed(
            1.0, received_s, received_s + arrival.held_s, newest_entered_s=received_s, newest_amount=1.0
        )
        trip_s = now_s - newest.sent_s
        self._round_trip.note(trip_s, bits[-1], now_s)
        on_link_s = trip_s - arrival.held_s - self._link.wait_s
        on_link_s = min(on_link_s, self._round_trip.seconds + _LONGEST_JITTER_S)
        self._usual_trip_s += _SMOOTHING * (on_link_s - self._usual_trip_s) if self._usual_trip_s else on_link_s
        self._steer(now_s)
        self.window = min(self._window(), self.window + 1)

    # --- what follows from it -----------------------------------------------------------

    @property
    def round_trip_s(self) -> float:
        """What a packet took to be shown and acknowledged, at best; 0 if there was none yet."""
        return self._round_trip.seconds

    @property
    def link_rate(self) -> float | None:
        """What the link was seen to carry, in bit/s; None if it was not busy of late."""
        return self._link.rate_per_s

    @property
    def queue_s(self) -> float:
        """How long the newest packet waited on the link for those before it."""
        return self._link.wait_s

    def frame_bytes(self, canvas_size: tuple[int, int]) -> int:
        """Return the budget of one picture of a canvas (width, height in pixels), in bytes.

        The rate's share for the pace at which pictures come; if that is too little to look at, more, and fewer.
        """
        share = self.bit_rate * self._cadence_s
        full = _FULL_BITS_PER_PIXEL * math.prod(canvas_size)
        bits = max(share, min(full, self.bit_rate * _LONGEST_SERIAL_S))
        return int(min(bits, self._ceiling * self._fastest_s) / 8)

    def scale(self, canvas_size: tuple[int, int]) -> float:
        """Return in what part of a canvas' width and height its pictures are: 1 unless the budget is too small."""
        return 1.0 if 8 * self.frame_bytes(canvas_size) >= _LEAST_BITS_PER_PIXEL * math.prod(canvas_size) else _COARSE

    # --- the window -----------------------------------------------------------------------

    def _window(self) -> int:
        """Return what the way holds at the pace of its slowest part: `(RTT + S/R) / max(1/fps, S/R)`."""
        if self._link.wait_s > _LONGEST_WAIT_S or self._link.late_s > _STALL_S:
            return SMALLEST  # until the queue is gone
        rate = min(self._link.rate_per_s or math.inf, 1.25 * self.bit_rate)
        picture_s = 8 * self._mean_bytes / rate
        shown_per_s = self._screen.rate_per_s
        pace_s = max(self._cadence_s, picture_s, 1.0 / shown_per_s if shown_per_s else 0.0)
        # The shortest round trip has the link's time for the bits of then in it already.
        way_s = self._round_trip.seconds + max(0.0, picture_s - self._round_trip.amount / rate)
        # Jitter is part of the way. A queue is not: it looks the same from here, but the rate takes it away.
        way_s = max(way_s, min(self._usual_trip_s, way_s + _LONGEST_JITTER_S))
        return min(max(math.ceil((way_s + self._making_s) / pace_s), SMALLEST), LARGEST)

    # --- the rate -----------------------------------------------------------------------

    def _steer(self, now_s: float) -> None:
        wait_s, carried = self._link.wait_s, self._link.rate_per_s
        if wait_s <= _LONGEST_WAIT_S:
            wait_s = self._link.standing_s
        late = wait_s > _LONGEST_WAIT_S or self._link.late_s > _STALL_S
        blind = late and carried is None and self._round_trip.seconds >= _FAR_S
        self._lateness = self._lateness + 1.0 if blind else max(self._lateness - 0.5, 0.0)
        if blind and self._lateness >= _MOST_LATENESS:
            self._fall_blindly(now_s)
        elif wait_s > _TOLERATED_WAIT_S:
            if carried is not None:
                # Below what it carries, so that what waits is gone in a few pictures.
                lower = carried * (1.0 - min(max(2.0 * wait_s, 0.05), 0.4))
                self.bit_rate = max(min(self.bit_rate, lower), LEAST_BIT_RATE)
                self._full_at = carried
            self._rise = _FIRST_RISE
            self._raised_s = now_s
        elif now_s - self._raised_s >= max(_PERIOD_S, self._round_trip.seconds):
            self._raise(now_s)

    def _fall_blindly(self, now_s: float) -> None:
        """Halve the rate, once in a round trip: the link carries less, and nothing tells how much."""
        if now_s - self._raised_s >= max(_PERIOD_S, self._round_trip.seconds):
            self.bit_rate = max(0.5 * self.bit_rate, LEAST_BIT_RATE)
            self._rise = _LARGEST_RISE  # if it only stood still
            self._raised_s = now_s

    def _is_full(self) -> bool:
        """Return whether the link carries no more than before, and the window holds back what is above that.

        Then larger pictures, each of which is longer under way, are only older, and no queue is seen.
        """
        held_back = self._interval_s > _HELD_BACK * self._cadence_s
        sent = 8 * self._mean_bytes / self._interval_s
        return held_back and self.bit_rate > self._full_at and sent < _NO_MORE * self._full_at

    def _raise(self, now_s: float) -> None:
        if self._is_full():
            self.bit_rate = self._full_at
            self._rise = _FIRST_RISE
            self._raised_s = now_s
        elif self.bit_rate < self._ceiling and self._used >= _USED:
            self.bit_rate = min(self.bit_rate * (1.0 + self._rise), float(self._ceiling))
            near, beyond = (part * self._full_at for part in _CAREFUL)
            careful = near <= self.bit_rate <= beyond
            self._rise = _FIRST_RISE if careful else min(2 * self._rise, _LARGEST_RISE)
            self._raised_s = now_s
