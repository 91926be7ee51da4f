"""Regions of arrays: what NumPy's basic indexing means, as numbers that travel, and in pieces of bounded size. Pure."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

MOST_BYTES = 8 << 20
"""Of one answer, or one request that writes: what a lost connection loses, and how long the server's picture waits."""

_AXIS = re.compile(r"(\d{1,18}):(\d{1,18}):(\d{1,18})")


class Axis(NamedTuple):
    """`length` places along one axis from `start`, each `step` after the one before; `step` is positive."""

    start: int
    length: int
    step: int = 1

    def __str__(self) -> str:
        return f"{self.start}:{self.length}:{self.step}"

    @property
    def last(self) -> int:
        """The last place; before `start` if there is none."""
        return self.start + (self.length - 1) * self.step

    def slice(self) -> slice:
        """Return it as NumPy takes it."""
        return slice(self.start, self.last + 1 if self.length else self.start, self.step)

    def part(self, begin: int, end: int) -> Axis:
        """Return the places number `begin` to `end`."""
        return Axis(self.start + begin * self.step, end - begin, self.step)


Region = tuple[Axis, ...]
"""One entry for each axis of the array."""

Spans = tuple[tuple[int, int], ...]
"""(begin, end) along each axis of what a region selects."""


class Indexed(NamedTuple):
    """What an index means: the region, and how what it selects becomes what NumPy returns.

    First `turned` (a slice per axis) is applied, then it is given `shape`; with `scalar` that is its one element.
    """

    region: Region
    turned: tuple[slice, ...]
    shape: tuple[int, ...]
    scalar: bool


def parse_index(key: Any, shape: Sequence[int]) -> Indexed:
    """Return what `array[key]` means for an array of a shape: whole numbers, slices, `...` and None.

    Raises IndexError, in NumPy's words where it has some, for what is no such index or out of bounds.
    """
    given = key if isinstance(key, tuple) else (key,)
    keys = _full(given, len(shape))
    region, turned, out = [], [], []
    sides = iter(enumerate(shape))
    for part in keys:
        if part is None:
            out.append(1)
            continue
        number, side = next(sides)
        if isinstance(part, slice):
            start, stop, step = part.indices(side)
            count = len(range(start, stop, step))
            first = start if step > 0 else start + (count - 1) * step
            region.append(Axis(first if count else 0, count, abs(step)))
            turned.append(slice(None, None, 1 if step > 0 else -1))
            out.append(count)
            continue
        place = _whole(part)
        if not -side <= place < side:
            raise IndexError(f"index {place} is out of bounds for axis {number} with size {side}")
        region.append(Axis(place % side, 1))
        turned.append(slice(None))
    return Indexed(tuple(region), tuple(turned), tuple(out), not out and not any(part is Ellipsis for part in given))


def _full(keys: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """Return an index with one entry per axis, and its Nones."""
    ellipses = [position for position, part in enumerate(keys) if part is Ellipsis]
    named = len(keys) - len(ellipses) - sum(part is None for part in keys)
    if len(ellipses) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if named > ndim:
        raise IndexError(f"too many indices for array: array is {ndim}-dimensional, but {named} were indexed")
    at = ellipses[0] if ellipses else len(keys)
    return (*keys[:at], *[slice(None)] * (ndim - named), *keys[at + 1 :])


def _whole(part: Any) -> int:
    if isinstance(part, bool) or getattr(getattr(part, "dtype", None), "kind", "") == "b":
        raise IndexError(_ONLY_BASIC)
    try:
        return operator.index(part)
    except TypeError:
        raise IndexError(_ONLY_BASIC) from None


_ONLY_BASIC = (
    "only whole numbers, slices, `...` and None select what is read from the server: for other indices take a region "
    "first, as in layer.data[:][mask]"
)


def whole(shape: Sequence[int]) -> Region:
    """Return the region that is all of an array."""
    return tuple(Axis(0, side) for side in shape)


def counts(region: Region) -> tuple[int, ...]:
    """Return the shape of what a region selects."""
    return tuple(axis.length for axis in region)


def to_text(region: Region) -> str:
    """Return a region as it stands in an address; "" for an array without axes."""
    return ",".join(str(axis) for axis in region)


def from_text(text: str, shape: Sequence[int]) -> Region:
    """Return a region of an array of a shape again; IndexError if it is none."""
    parts = text.split(",") if text else []
    found = [_AXIS.fullmatch(part) for part in parts]
    if len(parts) != len(shape) or not all(found):
        raise IndexError(f"{text[:100]!r} is no region of an array of shape {tuple(shape)}")
    region = tuple(Axis(*(int(number) for number in match.groups())) for match in found if match)
    for number, (axis, side) in enumerate(zip(region, shape, strict=True)):
        if axis.step < 1 or (axis.length and axis.last >= side):
            raise IndexError(f"{axis} is out of bounds for axis {number} with size {side}: was the data replaced?")
    return region


def blocks(
    region: Region, itemsize: int, chunks: Sequence[int] = (), most_bytes: int = MOST_BYTES
) -> Iterator[tuple[Region, Spans]]:
    """Yield a region in blocks of at most `most_bytes`, each with where it lies in what the region selects.

    In C order, and along the borders of `chunks` where there are any: no chunk is read more often than it must be.
    """
    if 0 in counts(region):
        return
    sides = _block_sides(region, itemsize, chunks, most_bytes)
    cuts = [
        list(_cuts(axis, side, chunk))
        for axis, side, chunk in zip(region, sides, chunks or [1] * len(region), strict=True)
    ]
    for spans in product(*cuts):
        yield tuple(axis.part(*span) for axis, span in zip(region, spans, strict=True)), spans


def _block_sides(region: Region, itemsize: int, chunks: Sequence[int], most_bytes: int) -> list[int]:
    """Return how many places a block has along each axis: whole chunks, unless one is too large."""
    sides = list(counts(region))
    for smallest in (
        [max(1, chunk // axis.step) for axis, chunk in zip(region, chunks, strict=False)],
        [1] * len(sides),
    ):
        for number, least in enumerate(smallest):
            other = itemsize * math.prod(sides) // sides[number]
            if other * sides[number] > most_bytes:
                fit = max(1, most_bytes // other)
                sides[number] = min(sides[number], max(least, fit - fit % least))
    return sides


def _cuts(axis: Axis, side: int, chunk: int) -> Iterator[tuple[int, int]]:
    begin = 0
    while begin < axis.length:
        end = min(begin + side, axis.length)
        if axis.step == 1 and end < axis.length and side >= chunk:
            end -= (axis.start + end) % chunk  # at least one place is left, for a block is no smaller than a chunk
            end = end if end > begin else min(begin + side, axis.length)
        yield begin, end
        begin = end
