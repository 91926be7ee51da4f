from __future__ import annotations

import pytest

from napari_cuda.server.render.pacing import PATIENCE_S, REDRAW_S, REST_AFTER_S, FramePacing, Next

DRAW, REST, WAIT = Next.DRAW, Next.REST, Next.WAIT


def decide(
    pacing: FramePacing, now_s: float, *, damaged: bool = False, wanted: bool = True
) -> tuple[Next, float | None]:
    action, wait_s = pacing.decide(now_s, damaged=damaged, wanted=wanted)
    return action, None if wait_s is None else round(wait_s, 6)


def test_idle_means_waiting_without_a_deadline() -> None:
    pacing = FramePacing(60)
    assert pacing.resting
    assert decide(pacing, 0.0) == (WAIT, None)
    assert decide(pacing, 1e6) == (WAIT, None)


def test_the_first_damage_is_drawn_at_once_and_after_a_pause_too() -> None:
    pacing = FramePacing(50)
    pacing.changed(0.0)
    assert decide(pacing, 0.0, damaged=True) == (DRAW, None)
    pacing.drawn(0.0)
    pacing.changed(100.0)
    assert decide(pacing, 100.0, damaged=True) == (DRAW, None)


def test_one_frame_may_come_early_and_then_none_faster_than_the_frame_rate() -> None:
    pacing = FramePacing(50)
    pacing.drawn(10.0)
    pacing.changed(10.005)
    assert decide(pacing, 10.005, damaged=True) == (DRAW, None)
    pacing.drawn(10.005)
    pacing.changed(10.01)
    assert decide(pacing, 10.01, damaged=True) == (WAIT, 0.01)
    assert decide(pacing, 10.0201, damaged=True) == (DRAW, None)


@pytest.mark.parametrize("late_s", [0.004, 0.012, 0.03])
def test_events_at_the_frame_rate_are_drawn_as_they_come_also_after_a_draw_that_was_late(late_s: float) -> None:
    """Their distance to the draws would be that of the latest ever, else."""
    pacing, waits, now_s = FramePacing(50), [], 0.0
    for event in range(50):
        came_s = event / 50 + 0.001 * (event % 3)  # a hand is not quite even
        if came_s < now_s:
            continue  # it is in the picture of the event before
        now_s = came_s + (late_s if event == 10 else 0.0)
        pacing.changed(now_s)
        wait_s = decide(pacing, now_s, damaged=True)[1]
        waits.append(wait_s or 0.0)
        pacing.drawn(now_s + waits[-1])
    assert max(waits) == pytest.approx(0.0, abs=1e-6)


def test_nothing_is_drawn_that_no_viewer_has_room_for() -> None:
    pacing = FramePacing(60)
    pacing.changed(0.0)
    assert decide(pacing, 0.0, damaged=True, wanted=False) == (WAIT, None)
    assert decide(pacing, 9.0, damaged=True, wanted=False) == (WAIT, None)
    assert decide(pacing, 9.0, damaged=True, wanted=True) == (DRAW, None)


def test_at_rest_50_ms_after_the_last_change_and_once() -> None:
    pacing = FramePacing(60)
    pacing.changed(1.0)
    pacing.drawn(1.0)
    assert not pacing.resting
    assert REST_AFTER_S == 0.050
    assert decide(pacing, 1.0) == (WAIT, 0.050)
    assert decide(pacing, 1.049) == (WAIT, 0.001)
    assert decide(pacing, 1.0501) == (REST, None)
    assert decide(pacing, 1.0601) == (REST, None)  # as often as it takes: a band at a time
    pacing.rested()
    assert pacing.resting
    assert decide(pacing, 1.2) == (WAIT, None)


def test_the_resting_picture_is_made_even_if_no_window_has_room() -> None:
    pacing = FramePacing(60)
    pacing.changed(1.0)
    assert decide(pacing, 2.0, wanted=False) == (REST, None)


def test_each_change_puts_the_rest_off() -> None:
    pacing = FramePacing(60)
    for now_s in (1.0, 1.04, 1.08, 1.12):
        pacing.changed(now_s)
        assert decide(pacing, now_s + 0.04)[0] is WAIT
    assert decide(pacing, 1.18)[0] is REST


def test_damage_comes_before_rest() -> None:
    pacing = FramePacing(60)
    pacing.changed(1.0)
    assert decide(pacing, 5.0, damaged=True) == (DRAW, None)


@pytest.mark.parametrize("frame_rate", [1.0, 24.0, 60.0, 240.0])
def test_a_loop_that_follows_it_draws_at_the_frame_rate_and_then_stops(frame_rate: float) -> None:
    pacing, now_s, draws, turns = FramePacing(frame_rate), 0.0, 0, 0
    while True:
        damaged = now_s < 4.0  # something moves for four seconds
        if damaged:
            pacing.changed(now_s)
        action, wait_s = pacing.decide(now_s, damaged=damaged, wanted=True)
        turns += 1
        if action is DRAW:
            pacing.drawn(now_s)
            draws += 1
        elif action is REST:
            pacing.rested()
        elif wait_s is None:
            break
        else:
            assert wait_s > 0
            now_s += wait_s + 1e-9
    assert abs(draws - 4 * frame_rate) <= 1
    assert turns <= 2 * draws + 6  # no turn without a reason
    assert pacing.resting


@pytest.mark.parametrize(("loading", "damaged"), [(True, False), (False, True), (True, True)])
def test_no_more_intents_are_taken_before_the_last_are_shown_or_patience_ends(loading: bool, damaged: bool) -> None:
    pacing = FramePacing(60)
    pacing.asked(10.0)
    assert pacing.hold_s(10.0, loading=loading, damaged=damaged, wanted=True) == pytest.approx(PATIENCE_S)
    assert pacing.hold_s(10.0 + PATIENCE_S, loading=loading, damaged=damaged, wanted=True) == 0


def test_intents_are_taken_when_what_was_asked_is_shown() -> None:
    pacing = FramePacing(60)
    assert pacing.hold_s(5.0, loading=True, damaged=True, wanted=True) == 0  # nothing was asked yet
    pacing.asked(10.0)
    assert pacing.hold_s(10.0, loading=False, damaged=False, wanted=True) == 0


def test_a_draw_that_had_to_wait_shows_the_newest() -> None:
    pacing = FramePacing(60)

    def hold_s(now_s: float, *, loading: bool = False, wanted: bool = True) -> float:
        return pacing.hold_s(now_s, loading=loading, damaged=True, wanted=wanted)

    pacing.asked(10.0)
    assert decide(pacing, 10.0, damaged=True, wanted=False) == (WAIT, None)
    assert hold_s(10.01, wanted=False) == pytest.approx(PATIENCE_S - 0.01)
    assert hold_s(10.02, loading=True) > 0
    assert hold_s(10.02) == 0
    # Once: what is asked then is drawn, whatever else comes in while its slice is on its way.
    pacing.asked(10.02)
    assert hold_s(10.025) == pytest.approx(PATIENCE_S - 0.005)
    assert decide(pacing, 10.025, damaged=True) == (DRAW, None)


def test_a_redraw_that_a_draw_asked_for_lets_intents_come_first() -> None:
    pacing = FramePacing(1000)
    pacing.asked(10.0)
    pacing.drawn(10.0)
    pacing.redraw_asked(10.01)
    assert pacing.hold_s(10.015, loading=False, damaged=True, wanted=True) == 0
    assert decide(pacing, 10.015, damaged=True) == (WAIT, round(REDRAW_S - 0.005, 6))
    assert decide(pacing, 10.01 + REDRAW_S, damaged=True) == (DRAW, None)


@pytest.mark.parametrize("news", ["intents", "a slice"])
def test_what_is_new_does_not_wait_as_a_redraw_does(news: str) -> None:
    pacing = FramePacing(1000)
    pacing.drawn(10.0)
    pacing.redraw_asked(10.01)
    if news == "intents":
        pacing.asked(10.011)
    else:
        pacing.arrived()
    assert decide(pacing, 10.011, damaged=True) == (DRAW, None)
