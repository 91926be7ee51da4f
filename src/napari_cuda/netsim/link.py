"""The model of one direction of a network path: when do bytes arrive? Pure; `now_s` is passed in.

Bytes wait in the buffer of the bottleneck, pass it at its rate, and then travel: delay plus jitter. The bottleneck is
shared by all connections; jitter makes bytes late and, in their connection, what follows them, but never
changes their order, as TCP would not let it.
"""

from __future__ import annotations

import enum
import math
import random
from collections import deque
from dataclasses import dataclass

# Pareto of shape 3, its tail ended where 1 sample in 1000 is: without an end it would be a stall now and then.
_PARETO_SHAPE = 3.0
_PARETO_END = 10.0
_PARETO_MEAN = 1.5 - 0.5 / _PARETO_END**2
_PARETO_DEVIATION = math.sqrt(3 - 2 / _PARETO_END - _PARETO_MEAN**2)
LONGEST_PARETO = (_PARETO_END - _PARETO_MEAN) / _PARETO_DEVIATION
"""The latest that pareto jitter can be, in standard deviations: 11.3."""


class JitterKind(enum.Enum):
    """How the delay varies."""

    UNIFORM = "uniform"
    """Between -amount and +amount."""
    NORMAL = "normal"
    """With amount as standard deviation."""
    PARETO = "pareto"
    """With amount as standard deviation, a little early mostly and sometimes very late, as real paths."""


@dataclass(frozen=True, slots=True)
class Jitter:
    """How much the delay varies around its mean. No byte travels in less than no time."""

    kind: JitterKind = JitterKind.NORMAL
    amount_s: float = 0.0

    def draw_s(self, source: random.Random) -> float:
        """Return one deviation from the mean delay, in seconds."""
        if self.kind is JitterKind.UNIFORM:
            return source.uniform(-self.amount_s, self.amount_s)
        if self.kind is JitterKind.NORMAL:
            return source.gauss(0.0, self.amount_s)
        drawn = min(source.paretovariate(_PARETO_SHAPE), _PARETO_END)
        return (drawn - _PARETO_MEAN) / _PARETO_DEVIATION * self.amount_s


@dataclass(frozen=True, slots=True)
class Stall:
    """Now and then, at random times `every_s` apart on average, nothing passes for `length_s`."""

    every_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of a path. `rate_bit_s` None: as fast as the machine."""

    delay_s: float = 0.0
    jitter: Jitter = Jitter()
    rate_bit_s: float | None = None
    buffer_bytes: int = 262_144
    """What may wait at the bottleneck. A drop-tail queue of this size keeps TCP from sending more; so do we."""
    stall: Stall | None = None


class Bottleneck:
    """What one direction has carried. Owner: whoever made it; one for all connections."""

    def __init__(self, link: Link, *, seed: int, now_s: float) -> None:
        self._link = link
        # Apart, so that the delays of a seed do not depend on its stalls.
        self._delays = random.Random(f"{seed} delays")
        self._stalls = random.Random(f"{seed} stalls")
        self._stall = self._next_stall(now_s)
        self._free_s = now_s
        # Bound: `wait_s` lets nobody add while `buffer_bytes` wait.
        self._waiting: deque[tuple[float, int]] = deque()
        self._waiting_bytes = 0

    def become(self, link: Link) -> None:
        """Be another link for what is sent from now on; what waits goes as it was to."""
        self._link = link

    def wait_s(self, now_s: float) -> float:
        """Return for how long the buffer has no room; 0 if it has."""
        while self._waiting and self._waiting[0][0] <= now_s:
            self._waiting_bytes -= self._waiting.popleft()[1]
        return self._waiting[0][0] - now_s if self._waiting_bytes >= self._link.buffer_bytes else 0.0

    def carry(self, size_bytes: int, now_s: float) -> float:
        """Return when bytes sent now arrive, for a connection of their own."""
        work_s = size_bytes * 8 / self._link.rate_bit_s if self._link.rate_bit_s else 0.0
        self._free_s = self._past_stalls(max(now_s, self._free_s), work_s)
        self._waiting.append((self._free_s, size_bytes))
        self._waiting_bytes += size_bytes
        return self._free_s + max(0.0, self._link.delay_s + self._link.jitter.draw_s(self._delays))

    def _past_stalls(self, begin_s: float, work_s: float) -> float:
        """Return when work that begins no earlier than `begin_s` is done."""
        end_s = begin_s + work_s
        while self._stall is not None:
            from_s, until_s = self._stall
            if end_s < from_s:
                break
            if begin_s < until_s:
                end_s += until_s - max(begin_s, from_s)
                begin_s = until_s
            self._stall = self._next_stall(until_s)
        return end_s

    def _next_stall(self, after_s: float) -> tuple[float, float] | None:
        if self._link.stall is None:
            return None
        from_s = after_s + self._stalls.expovariate(1 / self._link.stall.every_s)
        return from_s, from_s + self._link.stall.length_s


class Flow:
    """The bytes of one connection in one direction: they arrive in the order they were sent."""

    def __init__(self, bottleneck: Bottleneck) -> None:
        self._bottleneck = bottleneck
        self._newest_s = float("-inf")

    def wait_s(self, now_s: float) -> float:
        """Return for how long nothing may be sent; 0 if now."""
        return self._bottleneck.wait_s(now_s)

    def send(self, size_bytes: int, now_s: float) -> float:
        """Return when bytes sent now arrive: never before what was sent earlier."""
        self._newest_s = max(self._newest_s, self._bottleneck.carry(size_bytes, now_s))
        return self._newest_s
