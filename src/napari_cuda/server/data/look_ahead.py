"""LookAhead: which chunks a user who goes on moving will see next. Pure."""

from __future__ import annotations

from itertools import product

Grid = tuple[tuple[int, int, int], ...]
"""What is seen, in chunks: (first, last + 1, how many there are) of each axis."""


class LookAhead:
    """Looks the way that the windows of one layer move. Owner: slicer thread.

    The direction of an axis stays until it turns or the level changes. Before anything moved, it looks all around
    in the axes that show more than one chunk.
    """

    def __init__(self) -> None:
        self._place: object = None
        self._seen: Grid = ()
        self._direction: tuple[int, ...] = ()

    def look(self, place: object, seen: Grid, most: int) -> list[tuple[int, ...]]:
        """Return at most `most` chunks that are not seen, nearest first. `place`: the level of the pyramid."""
        if place is not self._place or len(seen) != len(self._seen):
            self._direction = (0,) * len(seen)
        elif seen != self._seen:
            # Of an axis that moved this time, the new direction; all others stopped.
            moves = zip(seen, self._seen, strict=True)
            self._direction = tuple(_sign(now[0] + now[1], then[0] + then[1]) for now, then in moves)
        self._place, self._seen = place, seen
        found: list[tuple[int, ...]] = []
        for distance in range(1, 1 + max((end for _, _, end in seen), default=0)):
            if len(found) >= most or not (ring := self._ring(distance)):
                break
            found += ring
        return found[:most]

    def _ring(self, distance: int) -> list[tuple[int, ...]]:
        """Return what comes into view after the `distance`th chunk of the way; nothing at the end of it."""
        if not any(self._direction):
            return self._around() if distance == 1 else []
        moved = tuple(
            range(max(0, first + sign * distance), min(end, last + sign * distance))
            for (first, last, end), sign in zip(self._seen, self._direction, strict=True)
        )
        before = tuple(
            range(max(0, first + sign * (distance - 1)), min(end, last + sign * (distance - 1)))
            for (first, last, end), sign in zip(self._seen, self._direction, strict=True)
        )
        return [index for index in product(*moved) if any(n not in side for n, side in zip(index, before, strict=True))]

    def _around(self) -> list[tuple[int, ...]]:
        wider = [
            range(max(0, first - 1), min(end, last + 1)) if last - first > 1 else range(first, last)
            for first, last, end in self._seen
        ]
        return [
            index
            for index in product(*wider)
            if any(not first <= n < last for n, (first, last, _) in zip(index, self._seen, strict=True))
        ]


def _sign(now: int, then: int) -> int:
    return (now > then) - (now < then)
