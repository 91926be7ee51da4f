"""StillPace: how the parts of a still go out over one viewer's link. Pure; the owner locks."""

from __future__ import annotations

LARGEST_PART = 48_000
"""Bytes of a part: on a fast link, and on one of which nothing is known."""
SMALLEST_PART = 8_000

FEWEST = 2
"""Parts under way when a still begins: one, and one being made."""
MOST = 16
"""Parts under way on any link: 6 Mb, which is a round trip of 60 ms at 100 Mb/s."""

_PART_S = 0.008
"""What moves next waits on the link for one part at most: so long."""
_TOLERATED_WAIT_S = 0.012
"""Longer than a part takes: they wait for each other."""
_SOON_S = 0.15
"""A still that arrives later than this is preceded by better and better video of the same picture."""
_BITS_PER_PIXEL = 8
"""Of a still, guessed: 5 for grey noise, 11 for coloured noise, 0.2 for labels."""


class StillPace:
    """Keeps the link busy with parts, and hardly any waiting: as many more as were acknowledged, while none wait.

    What moves is sent at once; it queues behind the parts under way.
    """

    def __init__(self) -> None:
        self._allowed = FEWEST

    @property
    def allowed(self) -> int:
        """How many parts may be under way."""
        return self._allowed

    def begin(self) -> None:
        """Something else was sent: the next still finds another link."""
        self._allowed = FEWEST

    def acked(self, parts: int, queue_s: float, round_trip_s: float) -> None:
        """Note that `parts` arrived, the newest of which waited for others for `queue_s`.

        More than what a round trip has room for would only queue.
        """
        most = min(FEWEST + int(round_trip_s / _PART_S), MOST)
        self._allowed = FEWEST if queue_s > _TOLERATED_WAIT_S else min(self._allowed + parts, most)

    @staticmethod
    def part_size(link_rate: float | None) -> int:
        """Return the bytes of a part on a link that carries so many bit/s (None: unknown)."""
        if link_rate is None:
            return LARGEST_PART
        return min(max(int(link_rate * _PART_S / 8), SMALLEST_PART), LARGEST_PART)

    @staticmethod
    def refines(link_rate: float | None, pixels: int) -> bool:
        """Return whether a still of so many pixels takes so long that video of it should come first."""
        return link_rate is not None and pixels * _BITS_PER_PIXEL > link_rate * _SOON_S
