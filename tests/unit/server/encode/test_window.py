"""AckWindow on links of virtual time: as many as the way holds, no queue, nothing forgotten."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.server.encode.window import LARGEST, SMALLEST, AckWindow

FRAME_S = 1 / 60


def test_is_empty_and_has_all_its_room_at_first() -> None:
    window = AckWindow()
    assert (window.size, window.in_flight, window.room, window.empty) == (SMALLEST, 0, SMALLEST, True)


def test_each_packet_takes_room_and_each_ack_gives_it_back() -> None:
    window = AckWindow()
    window.sent(0, 0.0)
    assert (window.room, window.empty) == (1, False)
    window.sent(1, 0.0)
    assert (window.room, window.empty) == (0, False)
    assert window.acked(0, 0.001)
    assert (window.room, window.empty) == (1, False)
    assert window.acked(1, 0.001)
    assert (window.room, window.empty) == (2, True)


def test_an_ack_acknowledges_all_before_it() -> None:
    window = AckWindow()
    for seq in range(4):
        window.sent(seq, 0.0)
    assert window.acked(2, 0.001)
    assert window.in_flight == 1


def test_acks_of_what_is_not_in_flight_are_refused_and_change_nothing() -> None:
    window = AckWindow()
    window.sent(0, 0.0)
    window.sent(1, 0.0)
    assert not window.acked(7, 0.1)
    assert window.acked(1, 0.1)
    assert not window.acked(0, 0.1)
    assert not window.acked(1, 0.1)
    assert window.empty


def test_a_reset_forgets_what_is_on_the_way() -> None:
    window = AckWindow()
    window.sent(0, 0.0)
    window.sent(1, 0.0)
    window.reset()
    assert window.empty
    assert not window.acked(0, 0.1)


class Line:
    """A sender that fills its window, a link that serves one packet after another, and a viewer."""

    def __init__(self, *, rtt_s: float, service_s: float = 0.0, draw_s: float = FRAME_S) -> None:
        self.window = AckWindow()
        self.rtt_s = rtt_s
        self.service_s = service_s
        self.draw_s = draw_s
        self.now_s = 0.0
        self.acked = 0
        self.longest_s = 0.0
        self.sizes: list[int] = []
        self._acks: deque[tuple[float, int, float]] = deque()
        self._last_ack_s = 0.0
        self._free_s = 0.0
        self._drawn_s = 0.0
        self._seq = 0

    def run(self, seconds: float) -> Line:
        """Send for a while; what was noted before is forgotten."""
        until_s, self.acked, self.longest_s, self.sizes = self.now_s + seconds, 0, 0.0, []
        while self.now_s < until_s:
            next_ack_s = self._acks[0][0] if self._acks else float("inf")
            if self.window.room and self._drawn_s <= next_ack_s:
                self.now_s = max(self.now_s, self._drawn_s)
                self._drawn_s = self.now_s + self.draw_s
                self._free_s = max(self._free_s, self.now_s) + self.service_s
                self._last_ack_s = max(self._last_ack_s, self._free_s + self.rtt_s)  # in order, as TCP has it
                self._acks.append((self._last_ack_s, self._seq, self.now_s))
                self.window.sent(self._seq, self.now_s)
                self._seq += 1
                continue
            self.now_s, seq, sent_s = self._acks.popleft()
            assert self.window.acked(seq, self.now_s)
            self.acked += 1
            self.longest_s = max(self.longest_s, self.now_s - sent_s)
            self.sizes.append(self.window.size)
        return self


@pytest.mark.parametrize("rtt_s", [0.0, 0.001, 0.008])
def test_on_a_short_way_there_are_two(rtt_s: float) -> None:
    assert set(Line(rtt_s=rtt_s).run(30).sizes) == {SMALLEST}


@pytest.mark.parametrize("rtt_s", [0.02, 0.04, 0.06, 0.1])
def test_a_long_way_is_filled(rtt_s: float) -> None:
    line = Line(rtt_s=rtt_s)
    line.run(1)  # to learn the way
    assert line.run(60).acked >= 0.97 * 60 * 60


def test_a_very_long_way_is_not_filled_without_bound() -> None:
    line = Line(rtt_s=1.0).run(60)
    assert max(line.sizes) == LARGEST


def test_a_slow_renderer_needs_no_more() -> None:
    line = Line(rtt_s=0.04, draw_s=0.06)
    line.run(1)
    assert set(line.run(30).sizes) == {SMALLEST}


@pytest.mark.parametrize("service_s", [0.03, 0.08])
def test_on_an_overloaded_link_little_waits_and_it_stays_so(service_s: float) -> None:
    line = Line(rtt_s=0.04, service_s=service_s)
    line.run(1)
    line.run(120)
    assert line.acked >= 0.97 * 120 / service_s
    # The one that is served, two that wait, and one more until it is noticed.
    assert line.longest_s <= 0.04 + 4 * service_s + 1e-9


def test_a_way_that_becomes_longer_is_noticed() -> None:
    line = Line(rtt_s=0.02)
    line.run(5)
    line.rtt_s = 0.09
    line.run(12)
    assert line.run(30).acked >= 0.95 * 60 * 30


def test_a_window_that_became_too_large_shrinks() -> None:
    line = Line(rtt_s=0.09)
    assert line.run(5).sizes[-1] > 4
    line.rtt_s, line.service_s = 0.001, 0.03
    line.run(5)
    assert line.run(20).longest_s <= 0.001 + 4 * 0.03 + 1e-9


@given(st.lists(st.tuples(st.integers(-1, 30), st.floats(0, 0.5)), max_size=40))
def test_whatever_comes_room_is_kept_and_the_size_in_bounds(acks: list[tuple[int, float]]) -> None:
    window, now_s, seq = AckWindow(), 0.0, 0
    for ack, wait_s in acks:
        now_s += wait_s
        while window.room:
            window.sent(seq, now_s)
            seq += 1
        assert window.in_flight <= max(window.size, LARGEST)
        window.acked(ack, now_s)
        assert SMALLEST <= window.size <= LARGEST
        assert window.room >= 0
