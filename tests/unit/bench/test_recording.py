"""Inputs and pictures become latencies and ages."""

from __future__ import annotations

import pytest

from napari_cuda.bench.recording import InputLog, Shown, latencies_s, percentiles_ms, shown_ages_s


@pytest.fixture
def inputs() -> InputLog:
    """Inputs at 1.0, 1.1 and 1.2 s; the last one took two changes."""
    log = InputLog()
    for number, at_s in ((5, 1.0), (6, 1.1), (8, 1.2)):
        log.note(number, at_s)
    return log


def test_a_picture_answers_the_newest_input_that_its_number_covers(inputs: InputLog) -> None:
    assert [inputs.index(number) for number in (4, 5, 6, 7, 8, 99)] == [None, 0, 1, 1, 2, 2]
    assert inputs.time_s(7) == 1.1
    assert inputs.time_s(4) is None, "a picture of before the drive answers none of its inputs"


def test_latency_counts_the_first_picture_of_each_answer(inputs: InputLog) -> None:
    pictures = [Shown(0.99, 4), Shown(1.05, 5), Shown(1.07, 5), Shown(1.25, 8)]
    assert latencies_s(inputs, pictures) == pytest.approx([0.05, 0.05])


def test_the_age_of_what_is_on_screen_grows_until_the_next_picture(inputs: InputLog) -> None:
    ages_s = shown_ages_s(inputs, [Shown(1.05, 5), Shown(1.15, 6)], until_s=1.25)
    assert len(ages_s) == pytest.approx(200, abs=2)
    assert (min(ages_s), max(ages_s)) == pytest.approx((0.05, 0.15), abs=0.002)


def test_what_is_shown_after_the_end_has_no_age(inputs: InputLog) -> None:
    assert shown_ages_s(inputs, [Shown(1.3, 8)], until_s=1.25) == []
    assert shown_ages_s(inputs, [], until_s=1.25) == []


def test_percentiles_are_in_milliseconds_and_none_of_nothing() -> None:
    found = percentiles_ms([0.010, 0.020, 0.030])
    assert found is not None
    assert (found.p50, found.p95) == pytest.approx((20, 29))
    assert percentiles_ms([]) is None
