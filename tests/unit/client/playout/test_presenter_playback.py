"""Playback on a virtual clock: what reaches the screen, when, through paths of all kinds.

The path's delay is about 60 ms throughout; "latency" counts from there, as jitter goes both ways.
"""

from __future__ import annotations

import random

import pytest

from decoded import Decoder
from napari_cuda.client.playout.policy import PlayoutPolicy
from napari_cuda.client.playout.presenter import FixedLatencyPresenter, PlayoutMode
from napari_cuda.client.playout.warmup import WarmupPolicy
from playback import Playback, normal_jitter, play, stream

FRAME_RATE = 30.0
FRAME_S = 1 / FRAME_RATE
PATH_S = 0.06
LATENCY_S = 0.1


def presenter(latency_s: float = LATENCY_S, mode: PlayoutMode = PlayoutMode.FIXED) -> FixedLatencyPresenter:
    made = FixedLatencyPresenter(latency_s=latency_s, frame_rate=FRAME_RATE)
    made.set_mode(mode)
    return made


def highest_latency_s(playback: Playback) -> float:
    return max(each.latency_s for each in playback.shown) - PATH_S


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("wakes", ["on time", "up to 2 ms late"])
def test_a_minute_through_15_ms_of_normal_jitter_is_even(seed: int, wakes: str) -> None:
    chance, decoder = random.Random(seed), Decoder()
    late_s = (lambda: 0.0) if wakes == "on time" else (lambda: chance.uniform(0.0, 0.002))
    arrivals = stream(60, FRAME_RATE, normal_jitter(PATH_S, 0.015, seed))
    shown = play(presenter(), arrivals, decoder=decoder, wake_late_s=late_s)
    assert shown.in_order
    assert len(shown.shown) >= 0.99 * shown.sent
    assert shown.interval_deviation_s <= 0.004
    # The first packet is all that is known of the path at first; two seconds later it must be learned.
    assert highest_latency_s(shown.after(2.0)) <= LATENCY_S + FRAME_S
    assert shown.most_waiting <= presenter().capacity
    assert decoder.all_given_back()


def test_without_a_latency_the_jitter_is_on_the_screen() -> None:
    """What the fixed latency is for: the same minute in `latest`."""
    arrivals = stream(60, FRAME_RATE, normal_jitter(PATH_S, 0.015, 0))
    assert play(presenter(mode=PlayoutMode.LATEST), arrivals).interval_deviation_s > 0.015


@pytest.mark.parametrize("seed", range(3))
def test_outliers_longer_than_the_latency_cost_what_cannot_be_saved(seed: int) -> None:
    """1 % of the packets hold all that follow up for 200 ms: those in between are overtaken, the rest is even."""
    chance = random.Random(100 + seed)
    jitter = normal_jitter(PATH_S, 0.015, seed)
    arrivals = stream(60, FRAME_RATE, lambda at_s: jitter(at_s) + (0.2 if chance.random() < 0.01 else 0.0))
    short, long = play(presenter(), arrivals), play(presenter(0.25), arrivals)
    assert short.in_order
    assert len(short.shown) >= 0.95 * short.sent
    assert max(short.intervals_s) <= 0.2 + FRAME_S
    assert long.in_order
    assert len(long.shown) >= 0.99 * long.sent
    assert long.interval_deviation_s <= 0.004


def test_a_late_first_picture_is_made_up_for_without_a_jump() -> None:
    arrivals = stream(5, FRAME_RATE, lambda at_s: PATH_S + (0.3 if at_s == 0 else 0.0))
    shown = play(presenter(), arrivals)
    assert shown.in_order
    began_s = shown.shown[0].at_s
    assert highest_latency_s(shown.after(began_s + 2.0)) <= LATENCY_S + 0.005
    # Nine packets arrived at once with the first: they are behind it already.
    assert len(shown.shown) >= shown.sent - 9
    assert all(0.75 * FRAME_S - 1e-6 <= interval_s <= 1.34 * FRAME_S for interval_s in shown.after(0.5).intervals_s)


@pytest.mark.parametrize(("before_s", "after_s"), [(PATH_S, PATH_S + 0.05), (PATH_S + 0.05, PATH_S)])
def test_a_change_of_path_is_followed_without_a_jump(before_s: float, after_s: float) -> None:
    arrivals = stream(8, FRAME_RATE, lambda at_s: before_s if at_s < 4 else after_s)
    shown = play(presenter(), arrivals)
    assert shown.in_order
    assert len(shown.shown) == shown.sent
    assert all(0.75 * FRAME_S - 1e-6 <= interval_s <= 1.34 * FRAME_S for interval_s in shown.intervals_s)
    assert all(
        each.latency_s == pytest.approx(after_s + LATENCY_S, abs=0.005)
        for each in shown.after(4 + after_s + LATENCY_S + 2.0).shown
    )


@pytest.mark.parametrize("latency_s", [0.0, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("frame_rate", [10.0, 30.0, 60.0])
def test_what_waits_follows_latency_times_frame_rate(latency_s: float, frame_rate: float) -> None:
    made = FixedLatencyPresenter(latency_s=latency_s, frame_rate=frame_rate)
    made.set_mode(PlayoutMode.FIXED)
    shown = play(made, stream(5, frame_rate, lambda _at_s: PATH_S))
    assert len(shown.shown) == shown.sent
    assert latency_s * frame_rate <= shown.most_waiting <= latency_s * frame_rate + 1


def test_grabbing_the_picture_during_playback_is_felt_at_once_and_playback_resumes_evenly() -> None:
    """Dims play for nine seconds; from 3 s to 5 s the user drags the camera."""
    made, policy = presenter(mode=PlayoutMode.LATEST), PlayoutPolicy()

    def at(now_s: float) -> None:
        policy.playing(now_s)
        if 3 <= now_s < 5:
            policy.interacting(now_s)
        made.set_mode(policy.mode(now_s))

    shown = play(made, stream(9, FRAME_RATE, normal_jitter(PATH_S, 0.015, 5)), at=at)
    assert shown.in_order
    dragged = [each for each in shown.shown if 3 + 1.5 * FRAME_S <= each.at_s < 5]
    assert all(each.latency_s <= PATH_S + 0.05 for each in dragged)
    assert shown.after(6.0).interval_deviation_s <= 0.004
    assert max(shown.intervals_s) <= LATENCY_S + 2 * FRAME_S, "to and fro between the modes nothing freezes"


def test_the_warm_up_ends_without_a_jump() -> None:
    """No base latency, 60 frames/s, and a decoder whose first ten pictures take longer and longer to come out."""
    base_s, frame_rate = 0.0, 60.0
    made, warmup = FixedLatencyPresenter(latency_s=base_s, frame_rate=frame_rate), WarmupPolicy(base_s, frame_rate)
    made.set_mode(PlayoutMode.FIXED)
    warmup.gate_lifted(PATH_S)
    slow = stream(3, frame_rate, lambda at_s: PATH_S + 0.012 * (0 < at_s < 0.16) * (at_s * 60 % 2 > 0.5))
    boosted = play(made, slow, at=lambda now_s: made.set_latency(warmup.latency_s(now_s)))
    plain = FixedLatencyPresenter(latency_s=base_s, frame_rate=frame_rate)
    plain.set_mode(PlayoutMode.FIXED)
    assert boosted.interval_deviation_s < 0.2 * play(plain, slow).interval_deviation_s
    assert boosted.shown[0].latency_s == pytest.approx(PATH_S + 1 / 60 + 0.002, abs=1e-4)
    assert boosted.shown[-1].latency_s == pytest.approx(PATH_S, abs=1e-4)
