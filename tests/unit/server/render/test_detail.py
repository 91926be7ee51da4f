from __future__ import annotations

from itertools import pairwise
from typing import Literal

import pytest

from napari_cuda.server.render.detail import FAST_AT_REST, FEW, FULL, HEADROOM, LADDER, START, Detail, DetailController

TARGET_S = 0.05
DETAILS = [rung.detail for rung in LADDER]


def play(
    controller: DetailController, full_s: float, frames: int, *, power: float = 1.0, fixed_s: float = 0.0
) -> list[int]:
    """Draw a moving volume; return the rungs. Frames cost what the ladder says, to a power, and something besides."""
    rungs = []
    for _ in range(frames):
        detail = controller.choose(moving=True, volume=True)
        number = DETAILS.index(detail)
        rungs.append(number)
        controller.observe(detail, fixed_s + full_s * LADDER[number].cost ** power)
    return rungs


def test_the_ladder_goes_from_full_to_ever_cheaper() -> None:
    assert LADDER[0].detail is FULL
    assert FULL == Detail(1.0, None, False)
    assert all(1.2 < dearer.cost / cheaper.cost < 2 for dearer, cheaper in pairwise(LADDER))
    assert all(0 < detail.scale <= 1 for detail in DETAILS)


@pytest.mark.parametrize(("moving", "volume"), [(False, True), (True, False), (False, False)])
def test_full_at_rest_and_without_a_volume(moving: bool, volume: bool) -> None:
    controller = DetailController(TARGET_S)
    play(controller, 10.0, 20)
    assert controller.choose(moving=moving, volume=volume) is FULL


def test_begins_cheap() -> None:
    assert DetailController(TARGET_S).choose(moving=True, volume=True) is DETAILS[START]


def test_a_slow_machine_goes_down_at_once_and_stays() -> None:
    rungs = play(DetailController(TARGET_S), 100.0, 50)
    assert rungs[:2] == [START, len(LADDER) - 1]
    assert set(rungs[1:]) == {len(LADDER) - 1}


def test_a_fast_machine_goes_to_full_after_a_few_frames() -> None:
    assert play(DetailController(TARGET_S), 0.6 * TARGET_S, 20) == [START] * FEW + [0] * (20 - FEW)


@pytest.mark.parametrize("full_s", [0.2 * 1.25**step for step in range(-14, 24)])
def test_at_a_steady_cost_it_settles_without_flicker(full_s: float) -> None:
    controller = DetailController(TARGET_S)
    rungs = play(controller, full_s, 400)
    assert len(set(rungs[200:])) == 1, f"it changes between {set(rungs[200:])}"
    settled = LADDER[rungs[-1]]
    assert full_s * settled.cost <= TARGET_S or settled is LADDER[-1]
    if settled is not LADDER[0]:
        assert full_s * LADDER[rungs[-1] - 1].cost > HEADROOM * TARGET_S, "it could be finer"


@pytest.mark.parametrize("fixed_s", [0.0, 0.2 * TARGET_S, 0.6 * TARGET_S])
@pytest.mark.parametrize("power", [0.5, 0.8, 1.3])
@pytest.mark.parametrize("full_s", [0.2 * 1.5**step for step in range(-7, 12)])
def test_where_the_costs_are_others_it_does_not_flicker_either(full_s: float, power: float, fixed_s: float) -> None:
    rungs = play(DetailController(TARGET_S), full_s, 3000, power=power, fixed_s=fixed_s)
    assert sum(before != after for before, after in pairwise(rungs[1000:])) <= 8


def test_a_load_that_comes_and_goes_is_followed() -> None:
    controller = DetailController(TARGET_S)
    idle = play(controller, 0.4, 200)[-1]
    assert play(controller, 1.6, 200)[-1] > idle
    assert play(controller, 0.4, 200)[-1] == idle


def test_one_frame_without_time_to_spare_starts_the_count_anew() -> None:
    controller = DetailController(TARGET_S)
    rung = DETAILS[START]
    for last in (0.69, 0.1):
        for _ in range(FEW - 1):
            controller.observe(rung, 0.1 * TARGET_S)
        controller.observe(rung, last * TARGET_S)
        assert (controller.choose(moving=True, volume=True) is rung) == (last > 0.5)


@pytest.mark.parametrize(
    ("times_target", "frames", "steps"), [(0.9, 5, 0), (1.1, 1, 0), (1.1, 2, 1), (1.9, 2, 3), (3.0, 1, 4)]
)
def test_the_slower_frames_are_the_further_down(times_target: float, frames: int, steps: int) -> None:
    """One frame that is a little too slow says nothing yet."""
    controller = DetailController(TARGET_S)
    for _ in range(frames):
        controller.observe(DETAILS[START], times_target * TARGET_S)
    assert DETAILS.index(controller.choose(moving=True, volume=True)) == min(START + steps, len(LADDER) - 1)


def test_the_time_of_a_full_resting_picture_says_nothing_about_moving() -> None:
    controller = DetailController(TARGET_S)
    for _ in range(20):
        controller.observe(FULL, 5.0)
    assert controller.choose(moving=True, volume=True) is DETAILS[START]


def test_a_machine_that_needs_it_not_draws_in_full() -> None:
    controller = DetailController(TARGET_S, reduces=False)
    assert play(controller, 10.0, 20) == [0] * 20


def test_in_full_quality_a_slow_machine_draws_in_full_and_forgets_nothing() -> None:
    controller = DetailController(TARGET_S)
    last = play(controller, 10.0, 20)[-1]
    controller.quality = "full"
    assert play(controller, 10.0, 20) == [0] * 20
    controller.quality = "auto"
    assert controller.choose(moving=True, volume=True) is DETAILS[last]


def test_in_fast_quality_no_volume_is_drawn_in_full() -> None:
    controller = DetailController(TARGET_S, reduces=False)
    controller.quality = "fast"
    assert set(play(controller, 0.01 * TARGET_S, 60)) == {START}
    assert play(controller, 100.0, 20)[-1] == len(LADDER) - 1
    resting = controller.choose(moving=False, volume=True)
    assert resting == FAST_AT_REST
    assert resting.scale == 1.0, "a resting picture has every pixel"
    assert controller.choose(moving=True, volume=False) is FULL


@pytest.mark.parametrize("quality", ["auto", "full", "fast"])
def test_the_users_step_is_never_finer_than_what_is_affordable(quality: Literal["auto", "full", "fast"]) -> None:
    controller = DetailController(TARGET_S)
    controller.quality = quality
    plain = [controller.choose(moving=moving, volume=True) for moving in (True, False)]
    for step in (0.25, 1.75, 9.0):
        controller.volume_step = step
        for moving, detail in zip((True, False), plain, strict=True):
            chosen = controller.choose(moving=moving, volume=True)
            assert chosen.volume_step == max(step, detail.volume_step or 0.0)
            assert (chosen.scale, chosen.nearest) == (detail.scale, detail.nearest)
    assert controller.choose(moving=True, volume=False) is FULL


def test_with_a_step_of_the_users_it_still_adapts() -> None:
    controller = DetailController(TARGET_S)
    controller.volume_step = 0.5
    controller.observe(controller.choose(moving=True, volume=True), 10 * TARGET_S)
    assert controller.choose(moving=True, volume=True).scale == DETAILS[-1].scale
