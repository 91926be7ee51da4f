"""Effort: more where there is time, less where there is none, and never to and fro."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.server.encode.effort import THOROUGH_PRESET, Effort

QUICK_S, FAIR_S, SLOW_S = 0.002, 0.010, 0.017


def watch(
    effort: Effort, encode_s: float, seconds: float, from_s: float = 0.0, *, in_full_color: bool = False
) -> float:
    """Encode for a while at 60 pictures a second; return when that was."""
    for number in range(round(60 * seconds)):
        effort.observe(encode_s, from_s + number / 60, in_full_color=in_full_color)
    return from_s + seconds


def test_with_time_and_cores_to_spare_it_is_thorough() -> None:
    effort = Effort(frame_rate=60, cores=8)
    now_s = watch(effort, QUICK_S, 2.9)
    assert effort.preset == "ultrafast"
    watch(effort, QUICK_S, 1, now_s)
    assert effort.preset == THOROUGH_PRESET


def test_on_two_cores_the_time_belongs_to_the_others() -> None:
    effort = Effort(frame_rate=60, cores=2)
    watch(effort, QUICK_S, 20)
    assert effort.preset == "ultrafast"
    assert effort.threads((3840, 2160)) == 1


def test_what_takes_too_long_is_given_up_and_not_soon_tried_again() -> None:
    effort = Effort(frame_rate=60, cores=8)
    now_s = watch(effort, QUICK_S, 4)
    now_s = watch(effort, SLOW_S, 2, now_s)
    assert effort.preset == "ultrafast"
    now_s = watch(effort, QUICK_S, 20, now_s)
    assert effort.preset == "ultrafast"
    watch(effort, QUICK_S, 20, now_s)
    assert effort.preset == THOROUGH_PRESET


def test_full_colour_goes_when_the_quickest_preset_is_too_slow_with_it() -> None:
    effort = Effort(frame_rate=60, cores=2)
    now_s = watch(effort, SLOW_S, 0.5, in_full_color=True)
    assert effort.full_color, "half a second may be an accident"
    now_s = watch(effort, SLOW_S, 1, now_s, in_full_color=True)
    assert not effort.full_color
    now_s = watch(effort, SLOW_S, 5, now_s)
    now_s = watch(effort, QUICK_S, 40, now_s)
    assert effort.full_color


def test_a_time_that_is_neither_little_nor_much_changes_nothing() -> None:
    effort = Effort(frame_rate=60, cores=8)
    watch(effort, FAIR_S, 60, in_full_color=True)
    assert (effort.preset, effort.full_color) == ("ultrafast", True)


@given(st.lists(st.sampled_from([QUICK_S, FAIR_S, SLOW_S]), max_size=40))
def test_it_changes_rarely_whatever_happens(times_s: list[float]) -> None:
    """Each change costs a keyframe: two at most in half a minute (down a step, and another)."""
    effort, now_s = Effort(frame_rate=20, cores=8), 0.0
    changes: list[float] = []
    for encode_s in times_s:
        for _ in range(20):
            before = effort.preset, effort.full_color
            effort.observe(3 * encode_s, now_s, in_full_color=effort.full_color)
            now_s += 0.05
            if (effort.preset, effort.full_color) != before:
                changes.append(now_s)
    assert all(changes[index + 3] - changes[index] > 25 for index in range(len(changes) - 3))


def test_large_pictures_are_cut_up_where_there_are_cores() -> None:
    effort = Effort(frame_rate=60, cores=8)
    assert [effort.threads(size) for size in ((1280, 720), (1920, 1080), (3840, 2160), (7680, 4320))] == [1, 1, 4, 4]
