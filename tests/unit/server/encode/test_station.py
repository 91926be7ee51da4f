"""Station: its pace and what waits before it, known from when things went in and came out."""

from __future__ import annotations

import pytest

from napari_cuda.server.encode.station import BELIEVED_S, Shortest, Station


def passed(station: Station, amount: float, entered_s: float, left_s: float) -> None:
    station.passed(amount, entered_s, left_s, newest_entered_s=entered_s, newest_amount=amount)


def test_the_shortest_counts_until_it_is_old() -> None:
    shortest = Shortest()
    assert shortest.seconds == 0
    shortest.note(0.2, 1, 0.0)
    shortest.note(0.1, 2, 1.0)
    shortest.note(0.3, 3, 2.0)
    assert (shortest.seconds, shortest.amount) == (0.1, 2)
    shortest.note(0.4, 4, 1.0 + BELIEVED_S + 0.1)
    assert (shortest.seconds, shortest.amount) == (0.3, 3)


@pytest.mark.parametrize("offset_s", [0.0, -5000.0, 1e6], ids=["one clock", "behind", "ahead"])
def test_a_queue_tells_the_rate_and_how_long_it_is(offset_s: float) -> None:
    station = Station()
    passed(station, 0, 0.0, 0.1 + offset_s)  # the way takes 0.1 s
    for number in range(6):  # all at once; each is served for 10 ms
        passed(station, 100, 1.0, 1.1 + 0.01 * (number + 1) + offset_s)
    assert station.rate_per_s == pytest.approx(10_000, rel=1e-3)
    assert station.wait_s == pytest.approx(0.05, abs=1e-6)


def test_gaps_and_small_amounts_say_nothing_of_the_rate() -> None:
    station = Station()
    for number in range(100):
        passed(station, 1, number / 60, number / 60 + 0.02)
    assert station.rate_per_s is None
    assert station.wait_s == 0


def test_one_stall_is_no_slow_station() -> None:
    station = Station()
    passed(station, 0, 0.0, 0.0)
    ends_s = [0.30, 0.31, 0.32, 0.33]  # nothing passed for 0.29 s
    for end_s in ends_s:
        passed(station, 100, 0.001, end_s)
    assert station.rate_per_s == pytest.approx(10_000, rel=0.01)


def test_what_was_long_ago_says_nothing() -> None:
    station = Station()
    passed(station, 0, 0.0, 0.0)
    for end_s in (0.01, 0.02, 0.03, 0.04):
        passed(station, 100, 0.001, end_s)
    assert station.rate_per_s is not None
    for number in range(100):
        passed(station, 1, 1 + number / 60, 1 + number / 60)
    assert station.rate_per_s is None


def test_parts_that_came_out_together_count_together() -> None:
    station = Station()
    passed(station, 0, 0.0, 0.0)
    for number in range(1, 5):
        end_s = 0.02 * number
        station.passed(200, 0.0005, end_s, newest_entered_s=0.001, newest_amount=100)
    assert station.rate_per_s == pytest.approx(10_000, rel=0.01)
