from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.utils.events import EventedList

from napari_cuda.protocol.ordering import moves


def after(order: list[int], wanted: list[int]) -> tuple[list[int], int]:
    """Return what napari's list makes of the moves, and how many they were."""
    entries = EventedList(order)
    steps = moves(order, wanted)
    for source, before in steps:
        assert entries.move(source, before), "a move that moves nothing"
    return list(entries), len(steps)


@pytest.mark.parametrize("wanted", [list(order) for order in permutations(range(5))])
def test_every_order_of_five_is_reached(wanted: list[int]) -> None:
    assert after([0, 1, 2, 3, 4], wanted)[0] == wanted


@given(st.permutations(range(12)), st.permutations(range(12)))
def test_any_order_is_reached_from_any(order: list[int], wanted: list[int]) -> None:
    found, count = after(order, wanted)
    assert found == wanted
    assert count < len(order)


@pytest.mark.parametrize(("source", "place"), [(0, 250), (0, 499), (499, 0), (250, 10)])
def test_one_that_was_dragged_is_one_move(source: int, place: int) -> None:
    order = list(range(500))
    wanted = [entry for entry in order if entry != source]
    wanted.insert(place, source)
    assert after(order, wanted) == (wanted, 1)


def test_nothing_to_do_is_no_move() -> None:
    assert moves("abc", "abc") == []
    assert moves("", "") == []


def test_what_the_list_lacks_or_the_order_does_not_name_is_no_error() -> None:
    assert after([1, 2, 3], [9, 3, 1]) == ([3, 1, 2], 1)
