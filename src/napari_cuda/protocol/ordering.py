"""From one order of a list to another in as few moves as possible.

Every move of a layer has napari look at all layers again: a layer that the user drags past 250 others
must be one move, not 250.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def moves(order: Sequence[T], wanted: Sequence[T]) -> list[tuple[int, int]]:
    """Return (source, before) of each move, to be done in turn, that bring `order` into the order `wanted`.

    As in napari's `move`, `before` is the index, while the source is still there, that the source goes in front
    of. What is not in `wanted` stays about where it is; what `order` lacks is left out.
    """
    place = {entry: index for index, entry in enumerate(order)}
    wanted = [entry for entry in wanted if entry in place]
    staying = _longest_rising([place[entry] for entry in wanted])
    now = list(order)
    steps = []
    before = 0
    for index, entry in enumerate(wanted):
        at = now.index(entry)
        if index not in staying:
            steps.append((at, before))
            now.pop(at)
            at = before - (at < before)
            now.insert(at, entry)
        before = at + 1
    return steps


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """Return the indices of a longest rising subsequence."""
    lowest: list[int] = []  # the lowest end of the rising sequences of each length,
    ends: list[int] = []  # and the index where that is
    previous: list[int] = []
    for index, number in enumerate(numbers):
        length = bisect_left(lowest, number)
        previous.append(ends[length - 1] if length else -1)
        lowest[length : length + 1] = [number]
        ends[length : length + 1] = [index]
    found = set()
    index = ends[-1] if ends else -1
    while index >= 0:
        found.add(index)
        index = previous[index]
    return found
