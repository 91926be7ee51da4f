"""Cadence: rate limited, and nothing is ever lost."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.client.control.cadence import Cadence


def test_the_first_is_due_at_once_and_the_next_after_the_interval() -> None:
    cadence = Cadence(0.5)
    assert cadence.due_s is None
    assert cadence.note(10.0) == 10.0
    assert cadence.take(10.0)
    assert cadence.due_s is None
    assert cadence.note(10.1) == 10.5
    assert cadence.note(10.4) == 10.5
    assert not cadence.take(10.4)
    assert cadence.take(10.5)
    assert not cadence.take(20.0)


def test_what_could_not_wait_counts() -> None:
    cadence = Cadence(0.5)
    cadence.note(10.0)
    cadence.taken(10.0)
    assert cadence.due_s is None
    assert cadence.note(10.2) == 10.5


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=60))
def test_no_two_within_the_interval_and_the_last_always_goes_out(gaps_s: list[float]) -> None:
    cadence, now_s, sent = Cadence(0.1), 0.0, []
    for gap_s in gaps_s:
        due_s = cadence.due_s
        if due_s is not None and due_s <= now_s + gap_s:
            assert cadence.take(due_s)
            sent.append(due_s)
        now_s += gap_s
        noted_s = cadence.note(now_s)
        assert now_s <= noted_s <= now_s + 0.1
    last_s = cadence.due_s
    assert last_s is not None
    assert cadence.take(last_s)
    sent.append(last_s)
    assert all(later - earlier >= 0.1 - 1e-12 for earlier, later in pairwise(sent))
