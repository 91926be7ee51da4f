"""Which chunk is read next (ChunkQueue), how many at a time (ReadLimit), and which are kept (ByteLru). Pure."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

AHEAD_SHARE = 0.5
"""Of the reads at a time, for what nobody waits for yet: who then asks for something finds readers."""

WAITED = 2.0
FORGET = 0.01
"""What a read takes alone is believed to grow by so much each time, until one is faster: stores change."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ByteLru(Generic[Key, Value]):
    """What was used last, up to a number of bytes. Owner: whoever locks it."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.bytes = 0
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Value | None:
        """Return what is kept of a key, which is now the newest; None if nothing."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: Key, value: Value, size_bytes: int) -> None:
        """Keep a value; the oldest go until all fit. One that is larger than the budget is not kept."""
        if key in self._kept:
            self.bytes -= self._kept.pop(key)[1]
        if size_bytes > self.budget_bytes:
            return
        self._kept[key] = (value, size_bytes)
        self.bytes += size_bytes
        while self.bytes > self.budget_bytes:
            _, (_, freed_bytes) = self._kept.popitem(last=False)
            self.bytes -= freed_bytes


class ReadLimit:
    """How many reads at a time: many of a store that is far away, few where more only get into each other's way.

    Owner: whoever locks it. Reads that take twice what one takes alone wait for each other, not for the store.
    """

    def __init__(self, fewest: int, most: int) -> None:
        self._fewest, self._most = fewest, most
        self.limit = fewest
        self._alone_s = float("inf")

    def expected_s(self, reads: int) -> float:
        """Return what so many reads take together, if nothing else is read."""
        return self._alone_s * math.ceil(reads / self.limit) if math.isfinite(self._alone_s) else 0.0

    def took(self, seconds: float) -> None:
        """Note how long a read took."""
        self._alone_s = min(self._alone_s * (1 + FORGET), seconds)
        step = 1 if seconds < WAITED * self._alone_s else -1
        self.limit = min(self._most, max(self._fewest, self.limit + step))


class ChunkQueue(Generic[Key]):
    """What its owners (layers) want to show, and what they will want next. Owner: whoever locks it.

    What an owner wants replaces what it wanted before: what nobody waits for any more is not read. What is wanted
    next is read only while nothing is that is wanted now. Bound: one picture of each layer, and what lies ahead of it.
    """

    def __init__(self) -> None:
        self._now: dict[Hashable, deque[Key]] = {}
        self._ahead: dict[Hashable, deque[Key]] = {}
        self._in_flight: dict[Key, bool] = {}
        """Key → whether it is wanted now."""
        self._turn: deque[Hashable] = deque()
        """The owners, whose turn is next first: no layer waits for all of another one."""

    def show(self, owner: Hashable, keys: Iterable[Key]) -> None:
        """Want these now, first first, instead of what the owner wanted before."""
        wanted = deque(keys)
        for key in wanted:
            if key in self._in_flight:
                self._in_flight[key] = True
        self._now[owner] = wanted
        if owner not in self._turn:
            self._turn.append(owner)

    def ahead(self, owner: Hashable, keys: Iterable[Key]) -> None:
        """Want these next, when there is nothing better to do."""
        self._ahead[owner] = deque(keys)
        if owner not in self._turn:
            self._turn.append(owner)

    def forget(self, owner: Hashable) -> None:
        """An owner is gone."""
        self._now.pop(owner, None)
        self._ahead.pop(owner, None)
        if owner in self._turn:
            self._turn.remove(owner)

    def pending(self, keys: Iterable[Key]) -> int:
        """Return how many of these are still on their way."""
        coming = set(self._in_flight).union(*self._now.values())
        return sum(key in coming for key in keys)

    def next(self, limit: int) -> Key | None:
        """Return what to read now, which is then in flight; None if there is nothing to do, or `limit` are."""
        if len(self._in_flight) >= limit:
            return None
        key = self._take(self._now)
        if key is not None:
            self._in_flight[key] = True
            return key
        if any(self._in_flight.values()) or len(self._in_flight) >= limit * AHEAD_SHARE:
            return None
        key = self._take(self._ahead)
        if key is not None:
            self._in_flight[key] = False
        return key

    def done(self, key: Key) -> None:
        """What `next` returned was read, or could not be."""
        del self._in_flight[key]

    def _take(self, wanted: dict[Hashable, deque[Key]]) -> Key | None:
        for _ in range(len(self._turn)):
            owner = self._turn[0]
            self._turn.rotate(-1)
            keys = wanted.get(owner)
            while keys:
                key = keys.popleft()
                if key not in self._in_flight:
                    return key
        return None
