"""RateController on links of virtual time: all that the link carries, no queue, and nothing mistaken for the link."""

from __future__ import annotations

import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cuda.netsim.link import Bottleneck, Flow, Jitter, Link, Stall
from napari_cuda.server.encode.rate import LEAST_BIT_RATE, Arrival, RateController
from napari_cuda.server.encode.window import LARGEST, SMALLEST, AckWindow

CANVAS = (1280, 720)
CLOCK_OFFSET_S = 1234.5
"""The viewer's clock shows something else."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture's way."""

    sent_s: float
    received_s: float
    size_bytes: int

    @property
    def delay_s(self) -> float:
        return self.received_s - self.sent_s


class Way:
    """A sender that follows its controller, a link, and a viewer that acknowledges what it has shown."""

    def __init__(
        self,
        link: Link,
        *,
        ceiling: int = 20_000_000,
        frame_rate: float = 60,
        demand: float = math.inf,
        show_s: Callable[[random.Random], float] = lambda _random: 0.004,
        seed: int = 0,
    ) -> None:
        self.rate = RateController(frame_rate=60, ceiling=ceiling)
        self.window = AckWindow()
        self.bottleneck = Bottleneck(link, seed=seed, now_s=0.0)
        self.frame_rate, self.demand = frame_rate, demand
        self.now_s = 0.0
        self.pictures: list[Picture] = []
        self._down = Flow(self.bottleneck)
        self._up = Flow(Bottleneck(Link(delay_s=link.delay_s), seed=seed, now_s=0.0))
        self._random = random.Random(seed)
        self._show_s = show_s
        self._shown_s = self._slot_s = 0.0
        self._acks: deque[tuple[float, int, Arrival]] = deque()

    def run(self, seconds: float) -> Way:
        """Let time pass, from one event to the next."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            next_ack_s = self._acks[0][0] if self._acks else math.inf
            next_send_s = max(self._slot_s, self.now_s) if self.window.room else math.inf
            self.now_s = min(next_ack_s, next_send_s, until_s)
            if self.now_s == next_ack_s:
                self._take_ack()
            elif self.now_s == next_send_s:
                self._send()
        self._slot_s = max(self._slot_s, self.now_s)
        return self

    def rest(self, seconds: float) -> Way:
        """Send nothing for a while."""
        demand, self._slot_s = self.demand, self.now_s + seconds
        self.run(seconds)
        self.demand = demand
        return self

    def since(self, seconds: float) -> list[Picture]:
        """Return the pictures sent in the last seconds."""
        return [picture for picture in self.pictures if picture.sent_s >= self.now_s - seconds]

    def used_bit_s(self, seconds: float) -> float:
        """Return the rate at which bytes arrived in the last seconds."""
        arrived = [p.size_bytes for p in self.pictures if self.now_s - seconds <= p.received_s < self.now_s]
        return 8 * sum(arrived) / seconds

    def delays_s(self, seconds: float) -> tuple[float, float]:
        """Return the median and the 95th percentile of the delays of what was sent in the last seconds."""
        p50_s, p95_s = np.percentile([picture.delay_s for picture in self.since(seconds)], [50, 95])
        return float(p50_s), float(p95_s)

    def _take_ack(self) -> None:
        _, seq, arrival = self._acks.popleft()
        if acknowledged := self.window.acked(seq):
            self.rate.acked(acknowledged, arrival, self.now_s)
            self.window.size = self.rate.window

    def _send(self) -> None:
        late = self.now_s - self._slot_s > 1 / self.frame_rate
        self._slot_s = (self.now_s if late else self._slot_s) + 1 / self.frame_rate
        budget = min(self.rate.frame_bytes(CANVAS), self.demand)
        size_bytes = max(200, int(budget * self._random.uniform(0.7, 1.25)))
        seq = len(self.pictures)
        self.window.sent(seq, size_bytes, self.now_s)
        self.rate.sent(size_bytes, self.now_s, room=self.window.room)
        received_s = self._down.send(size_bytes, self.now_s)
        self._shown_s = max(received_s, self._shown_s) + self._show_s(self._random)
        self.pictures.append(Picture(self.now_s, received_s, size_bytes))
        arrival = Arrival(received_s + CLOCK_OFFSET_S, self._shown_s - received_s)
        self._acks.append((self._up.send(60, self._shown_s), seq, arrival))


def test_a_link_that_is_offered_twice_what_it_carries() -> None:
    """20 Mb/s, 40 ms: the bar is RTT + 20 and RTT + 45 ms from drawing to showing, and 90 % used."""
    way = Way(Link(delay_s=0.02, rate_bit_s=20e6), ceiling=40_000_000).run(8)
    p50_s, p95_s = way.delays_s(5)
    assert p50_s <= 0.060 - 0.010, "10 ms are for drawing, encoding and decoding"
    assert p95_s <= 0.085 - 0.015
    assert way.used_bit_s(5) >= 0.9 * 20e6


def test_the_rate_is_not_raised_far_above_what_the_link_carries_while_the_window_holds_pictures_back() -> None:
    """No queue tells of it then: pictures would only be larger, and older."""
    way = Way(Link(delay_s=0.02, rate_bit_s=20e6), ceiling=40_000_000).run(8)
    rates = [way.run(0.1).rate.bit_rate for _ in range(80)]
    assert np.percentile(rates, 95) <= 1.15 * 20e6
    assert way.used_bit_s(8) >= 0.95 * 20e6


@pytest.mark.parametrize("frame_rate", [30, 35, 45])
def test_the_same_with_fewer_and_larger_pictures(frame_rate: float) -> None:
    way = Way(Link(delay_s=0.02, rate_bit_s=20e6), ceiling=40_000_000, frame_rate=frame_rate).run(8)
    p50_s, p95_s = way.delays_s(5)
    assert p50_s <= 0.020 + 1.5 / frame_rate
    assert p95_s <= 0.020 + 3 / frame_rate
    assert way.used_bit_s(5) >= 0.85 * 20e6


@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.02, 0.05])
def test_a_step_down_and_back_up(delay_s: float) -> None:
    way = Way(Link(delay_s=delay_s, rate_bit_s=50e6)).run(5)
    assert way.rate.bit_rate == 20_000_000
    best = np.mean([picture.size_bytes for picture in way.since(2)])

    way.bottleneck.become(Link(delay_s=delay_s, rate_bit_s=2e6))
    stepped_s = way.now_s
    way.run(8)
    after = [picture for picture in way.pictures if picture.received_s > stepped_s + 1 and picture.sent_s > stepped_s]
    if delay_s <= 0.02:
        assert max(picture.delay_s - delay_s for picture in after) <= 2 * delay_s + 0.100 + 0.06
    settled = way.since(5)
    assert max(picture.delay_s - delay_s for picture in settled) <= 2 * delay_s + 0.100 + 0.06
    assert way.used_bit_s(5) >= 0.6 * 2e6

    way.bottleneck.become(Link(delay_s=delay_s, rate_bit_s=50e6))
    way.run(3)
    assert way.rate.bit_rate == 20_000_000
    assert np.mean([picture.size_bytes for picture in way.since(0.3)]) == pytest.approx(best, rel=0.1)


@pytest.mark.parametrize(
    ("delay_s", "rate_bit_s", "window"),
    [(0.0, None, SMALLEST), (0.02, None, 3), (0.05, None, 7), (0.15, None, 19), (0.3, None, LARGEST)],
)
def test_the_window_is_what_the_way_holds(delay_s: float, rate_bit_s: float | None, window: int) -> None:
    """(RTT + S/R) / max(1/fps, S/R), rounded up; the viewer takes 4 ms to show a picture."""
    way = Way(Link(delay_s=delay_s, rate_bit_s=rate_bit_s)).run(4)
    assert way.window.size == window
    expected = 60 if window < LARGEST else LARGEST / (2 * delay_s + 0.004)
    assert len(way.since(2)) / 2 == pytest.approx(expected, rel=0.1)


def test_a_viewer_that_takes_long_to_show_is_not_mistaken_for_the_link() -> None:
    slow = Way(Link(delay_s=0.0002), show_s=lambda source: source.uniform(0.03, 0.05)).run(5)
    assert slow.rate.bit_rate == 20_000_000
    assert slow.window.size == SMALLEST, "more would only wait there"
    hiccups = Way(Link(delay_s=0.0002), show_s=lambda source: source.choice([0.003, 0.003, 0.003, 0.06])).run(5)
    assert hiccups.rate.bit_rate == 20_000_000


def test_gaps_and_easy_pictures_do_not_lower_the_rate() -> None:
    way = Way(Link(delay_s=0.02, rate_bit_s=30e6), demand=4_000).run(5)
    for _ in range(3):
        way.rest(2).run(0.5)
    assert way.rate.bit_rate == 20_000_000


def test_nor_do_they_raise_it() -> None:
    way = Way(Link(delay_s=0.02, rate_bit_s=2e6)).run(4)
    found = way.rate.bit_rate
    way.demand = 1_000
    way.run(5)
    assert way.rate.bit_rate <= 1.5 * found


def test_pictures_that_leave_a_third_of_it_do_not_either() -> None:
    """They show that the link carries what they are, and no more: the next that fills its budget would wait there."""
    way = Way(Link(delay_s=0.02, rate_bit_s=20e6), ceiling=40_000_000).run(5)
    found = way.rate.bit_rate
    way.demand = 0.6 * found / 60 / 8
    way.run(4)
    assert way.rate.bit_rate <= 1.05 * found


def test_a_stall_is_over_when_it_is_over() -> None:
    way = Way(Link(delay_s=0.02, rate_bit_s=20e6, stall=Stall(3.0, 0.3)), ceiling=40_000_000, seed=3).run(20)
    assert way.used_bit_s(17) >= 0.75 * 20e6
    assert way.delays_s(17)[0] <= 0.05


def test_jitter_does_not_stop_it() -> None:
    way = Way(Link(delay_s=0.02, rate_bit_s=20e6, jitter=Jitter(amount_s=0.005)), ceiling=40_000_000).run(8)
    assert way.used_bit_s(5) >= 0.75 * 20e6
    assert way.delays_s(5)[1] <= 0.085


def test_a_viewer_that_says_nothing_of_its_clock_is_followed_by_the_acks_alone() -> None:
    way = Way(Link(delay_s=0.02, rate_bit_s=5e6))
    told = way.rate.acked
    way.rate.acked = lambda sent, _arrival, now_s: told(sent, Arrival(now_s, 0.0), now_s)  # type: ignore[method-assign]
    way.run(6)
    assert way.used_bit_s(3) >= 0.75 * 5e6
    assert way.delays_s(3)[1] <= 0.12


@given(
    rate_bit_s=st.floats(2e6, 100e6),
    delay_s=st.floats(0, 0.15),
    jitter_s=st.floats(0, 0.004),
    stalls=st.booleans(),
    frame_rate=st.sampled_from([20, 40, 60]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_on_any_link_it_uses_what_there_is_and_queues_little(
    rate_bit_s: float, delay_s: float, jitter_s: float, stalls: bool, frame_rate: float, seed: int
) -> None:
    stall = Stall(2.0, 0.2) if stalls else None
    link = Link(delay_s=delay_s, rate_bit_s=rate_bit_s, jitter=Jitter(amount_s=jitter_s), stall=stall)
    way = Way(link, frame_rate=frame_rate, seed=seed).run(8)
    wanted = 20e6 * frame_rate / 60
    assert way.used_bit_s(4) >= 0.5 * min(rate_bit_s, wanted) * (0.8 if stalls else 1.0)
    p50_s, p95_s = way.delays_s(4)
    serial_s = 8 * 41_667 / rate_bit_s
    assert p50_s <= delay_s + min(serial_s, 0.08) + 0.08
    assert stalls or p95_s <= delay_s + min(serial_s, 0.08) + 0.16
    assert LEAST_BIT_RATE <= way.rate.bit_rate <= 20_000_000
    assert all(a.sent_s <= b.sent_s for a, b in itertools.pairwise(way.pictures))


def test_the_budget_of_a_picture_is_its_share_or_enough_to_look_at() -> None:
    rate = RateController(frame_rate=60, ceiling=20_000_000)
    assert rate.frame_bytes(CANVAS) == 41_666
    rate.bit_rate = 6e6
    assert rate.frame_bytes(CANVAS) == 12_500
    rate.bit_rate = 2e6
    assert rate.frame_bytes(CANVAS) == 11_520, "0.1 bits for each pixel: fewer pictures instead of worse ones"
    rate.bit_rate = 1e6
    assert rate.frame_bytes(CANVAS) == 7_500, "but none that takes longer than 60 ms"
    assert rate.scale(CANVAS) == 1
    rate.bit_rate = 250_000
    assert rate.scale(CANVAS) < 1, "what is left is better spent on fewer pixels"
    assert rate.scale((640, 360)) == 1
