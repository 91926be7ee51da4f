from __future__ import annotations

import pytest

from napari_cuda.client.playout.policy import PlayoutPolicy
from napari_cuda.client.playout.presenter import PlayoutMode

LATEST, FIXED = PlayoutMode.LATEST, PlayoutMode.FIXED


def test_nothing_going_on_shows_the_latest() -> None:
    assert PlayoutPolicy().mode(0.0) is LATEST


def test_playback_is_even_until_it_is_over() -> None:
    policy = PlayoutPolicy()
    for step in range(5):
        policy.playing(10.0 + 0.4 * step)
        assert policy.mode(10.0 + 0.4 * step) is FIXED
    assert policy.mode(12.5) is FIXED
    assert policy.mode(12.7) is LATEST


@pytest.mark.parametrize(("pause_s", "expected"), [(0.0, LATEST), (0.49, LATEST), (0.51, FIXED)])
def test_input_wins_at_once_and_for_a_while(pause_s: float, expected: PlayoutMode) -> None:
    policy = PlayoutPolicy()
    policy.playing(9.99)
    assert policy.mode(9.99) is FIXED
    policy.interacting(10.0)
    policy.playing(10.0 + pause_s)
    assert policy.mode(10.0 + pause_s) is expected


def test_a_drag_that_pauses_between_moves_does_not_switch_to_and_fro() -> None:
    policy = PlayoutPolicy()
    modes = []
    for tick in range(200):
        now_s = tick / 30
        policy.playing(now_s)
        if tick % 12 == 0:  # every 0.4 s
            policy.interacting(now_s)
        modes.append(policy.mode(now_s))
    assert set(modes) == {LATEST}


def test_input_without_playback_stays_with_the_latest() -> None:
    policy = PlayoutPolicy()
    policy.interacting(1.0)
    assert policy.mode(1.0) is policy.mode(5.0) is LATEST
