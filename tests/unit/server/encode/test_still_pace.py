from __future__ import annotations

import pytest

from napari_cuda.server.encode.still_pace import FEWEST, LARGEST_PART, MOST, SMALLEST_PART, StillPace


def test_a_free_link_carries_ever_more_parts_up_to_a_bound() -> None:
    pace, allowed = StillPace(), []
    for _ in range(5):
        pace.acked(pace.allowed, queue_s=0.001, round_trip_s=0.3)  # all that were under way arrive
        allowed.append(pace.allowed)
    assert allowed == [4, 8, MOST, MOST, MOST]


@pytest.mark.parametrize(("round_trip_s", "allowed"), [(0.0, FEWEST), (0.001, FEWEST), (0.04, FEWEST + 5), (9.0, MOST)])
def test_no_more_are_under_way_than_a_round_trip_has_room_for(round_trip_s: float, allowed: int) -> None:
    pace = StillPace()
    for _ in range(50):
        pace.acked(1, queue_s=0.0, round_trip_s=round_trip_s)
    assert pace.allowed == allowed


def test_parts_that_wait_for_each_other_are_too_many() -> None:
    pace = StillPace()
    pace.acked(6, queue_s=0.0, round_trip_s=0.3)
    pace.acked(1, queue_s=0.02, round_trip_s=0.3)
    assert pace.allowed == FEWEST


def test_each_still_begins_with_few() -> None:
    pace = StillPace()
    pace.acked(6, queue_s=0.0, round_trip_s=0.3)
    pace.begin()
    assert pace.allowed == FEWEST


@pytest.mark.parametrize(
    ("link_rate", "size"), [(None, LARGEST_PART), (1e9, LARGEST_PART), (20e6, 20_000), (2e6, SMALLEST_PART)]
)
def test_a_part_occupies_a_slow_link_for_8_ms(link_rate: float | None, size: int) -> None:
    assert StillPace.part_size(link_rate) == size


@pytest.mark.parametrize(("link_rate", "refines"), [(None, False), (1e9, False), (100e6, False), (20e6, True)])
def test_video_comes_first_where_a_still_takes_long(link_rate: float | None, refines: bool) -> None:
    assert StillPace.refines(link_rate, 1280 * 720) is refines
