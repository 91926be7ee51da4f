from __future__ import annotations

import pytest

from napari_cuda.client.control.backoff import FIRST_S, LONGEST_S, Backoff


def test_pauses_double_up_to_a_bound_while_connections_fail() -> None:
    backoff = Backoff(lambda: 0.0)
    pauses = [backoff.pause_s(0.0) for _ in range(9)]
    assert pauses[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert pauses[-2:] == [LONGEST_S, LONGEST_S]


def test_chance_shortens_a_pause_by_up_to_a_half_and_not_those_that_follow() -> None:
    backoff = Backoff(iter([0.0, 0.5, 0.999999, 0.0]).__next__)
    assert [backoff.pause_s(0.0) / FIRST_S for _ in range(4)] == pytest.approx([1, 1.5, 2, 8], rel=1e-5)


def test_a_connection_that_was_worth_its_pause_lets_them_start_anew() -> None:
    backoff = Backoff(lambda: 0.0)
    pauses = [backoff.pause_s(0.0) for _ in range(4)]
    assert backoff.pause_s(pauses[-1] + 0.01) == FIRST_S


def test_connections_that_live_a_little_are_tried_sooner_and_sooner() -> None:
    backoff = Backoff(lambda: 0.0)
    pauses = [backoff.pause_s(0.0) for _ in range(5)]
    assert [backoff.pause_s(2 * FIRST_S) for _ in range(3)] == [pauses[3], pauses[2], pauses[1]]
    assert backoff.pause_s(FIRST_S / 100) == pauses[2], "but not those that die at once"


def test_the_first_loss_after_a_long_time_is_tried_again_soon() -> None:
    assert Backoff(lambda: 0.0).pause_s(3600.0) == FIRST_S
