"""How much is drawn around the canvas."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server.render.margin import FAR_S, KEPT_S, LARGEST_PX, STEP_PX, CanvasMargin, margin_for

FAR = 0.3
START = CameraPose(zoom=2.0)


def panned(px: float) -> CameraPose:
    return replace(START, center=(0.0, 0.0, px / START.zoom))


@pytest.mark.parametrize("round_trip_s", [FAR_S, 0.1, 0.2, 0.3])
def test_a_margin_holds_what_the_camera_uncovers_in_a_round_trip(round_trip_s: float) -> None:
    margin = margin_for(500.0, round_trip_s)
    assert 500.0 * round_trip_s < margin <= LARGEST_PX
    assert margin % STEP_PX == 0


def test_who_is_near_pays_nothing_and_nobody_pays_without_end() -> None:
    assert margin_for(5000.0, 0.0) == margin_for(5000.0, 0.99 * FAR_S) == 0
    assert margin_for(1e5, 10.0) == LARGEST_PX


def test_all_pictures_of_a_moving_camera_have_the_same_margin() -> None:
    margin = CanvasMargin()
    margin.drawing(START, FAR, 0.0)
    drawn = [margin.drawing(panned(8.0 * n), FAR, n / 60) for n in range(1, 60)]
    assert set(drawn) == {margin_for(500.0, FAR)}


def test_a_fast_hand_gets_more_and_keeps_it_until_it_pauses() -> None:
    margin = CanvasMargin()
    for n in range(10):
        fast = margin.drawing(panned(25.0 * n), FAR, n / 60)
    assert fast == margin.drawing(panned(230.0), FAR, 10 / 60) > margin_for(500.0, FAR)
    later_s = 1.0 + 2 * KEPT_S
    assert margin.drawing(panned(250.0), FAR, later_s) == margin_for(500.0, FAR)


def test_a_jump_is_no_speed() -> None:
    margin = CanvasMargin()
    margin.drawing(START, FAR, 0.0)
    assert margin.drawing(panned(5000.0), FAR, 0.1) == margin_for(500.0, FAR)


def test_pictures_of_other_changes_have_none() -> None:
    margin = CanvasMargin()
    assert [margin.drawing(START, FAR, n / 60) for n in range(5)] == [0] * 5


def test_one_picture_before_rest_has_it() -> None:
    margin = CanvasMargin()
    margin.drawing(START, FAR, 0.0)
    assert margin.ask_before_rest(0, 7, FAR)
    assert margin.drawing(START, FAR, 0.2) == 192
    assert not margin.ask_before_rest(192, 7, FAR)
    # The exact one needed another look, for data that came: its margin was drawn.
    assert margin.drawing(START, FAR, 0.5) == 0
    assert not margin.ask_before_rest(0, 7, FAR)
    assert margin.ask_before_rest(0, 8, FAR)


def test_a_camera_at_rest_has_stopped() -> None:
    margin = CanvasMargin()
    margin.drawing(START, FAR, 0.0)
    assert margin.drawing(panned(8.0), FAR, 0.1) == 192
    assert not margin.ask_before_rest(192, 3, FAR)
    assert margin.drawing(panned(8.0), FAR, 0.3) == 0


def test_nobody_far_away_waits_for_nothing_before_rest() -> None:
    assert not CanvasMargin().ask_before_rest(0, 7, 0.0)
