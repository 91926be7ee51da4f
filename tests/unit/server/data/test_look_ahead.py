"""Which chunks come next."""

from __future__ import annotations

from napari_cuda.server.data.look_ahead import Grid, LookAhead

LEVEL = object()


def view(z: int, y: int, x: int) -> Grid:
    """2 × 3 chunks of one plane, of 10 × 20 × 20."""
    return ((z, z + 1, 10), (y, y + 2, 20), (x, x + 3, 20))


def test_at_first_it_looks_all_around_within_the_plane() -> None:
    around = LookAhead().look(LEVEL, view(5, 4, 7), 100)
    assert {z for z, _, _ in around} == {5}
    assert {(y, x) for _, y, x in around} == {
        (y, x) for y in range(3, 7) for x in range(6, 11) if not (y in (4, 5) and x in (7, 8, 9))
    }


def test_a_pan_asks_for_the_columns_that_come_next_nearest_first() -> None:
    look = LookAhead()
    look.look(LEVEL, view(5, 4, 7), 100)
    assert look.look(LEVEL, view(5, 4, 8), 6) == [(5, y, x) for x in (11, 12, 13) for y in (4, 5)], (
        "two rows of three columns"
    )


def test_turning_round_looks_the_other_way_at_once() -> None:
    look = LookAhead()
    for x in (7, 8, 7):
        found = look.look(LEVEL, view(5, 4, x), 4)
    assert found == [(5, 4, 6), (5, 5, 6), (5, 4, 5), (5, 5, 5)]


def test_a_slider_asks_for_the_next_planes_of_what_is_seen() -> None:
    look = LookAhead()
    look.look(LEVEL, view(5, 4, 7), 100)
    found = look.look(LEVEL, view(6, 4, 7), 100)
    assert found == [(z, y, x) for z in (7, 8, 9) for y in (4, 5) for x in (7, 8, 9)]


def test_a_diagonal_pan_asks_for_both_sides() -> None:
    look = LookAhead()
    look.look(LEVEL, view(5, 4, 7), 100)
    found = look.look(LEVEL, view(5, 5, 8), 4)
    assert set(found) == {(5, 6, 11), (5, 7, 9), (5, 7, 10), (5, 7, 11)}


def test_nothing_beyond_the_edge() -> None:
    look = LookAhead()
    look.look(LEVEL, view(5, 4, 16), 100)
    assert look.look(LEVEL, view(5, 4, 17), 100) == []
    look.look(LEVEL, view(1, 4, 7), 100)
    assert look.look(LEVEL, view(0, 4, 7), 100) == []


def test_another_level_forgets_the_direction() -> None:
    look = LookAhead()
    look.look(LEVEL, view(5, 4, 7), 100)
    look.look(LEVEL, view(5, 4, 8), 100)
    assert look.look(object(), view(5, 4, 9), 100) == LookAhead().look(LEVEL, view(5, 4, 9), 100)


def test_the_direction_stays_while_nothing_moves() -> None:
    look = LookAhead()
    look.look(LEVEL, view(5, 4, 7), 100)
    moved = look.look(LEVEL, view(5, 4, 8), 6)
    assert look.look(LEVEL, view(5, 4, 8), 6) == moved


def test_never_more_than_asked_for() -> None:
    look = LookAhead()
    look.look(LEVEL, view(5, 4, 7), 0)
    assert look.look(LEVEL, view(5, 4, 8), 5) == [(5, y, x) for x in (11, 12) for y in (4, 5)] + [(5, 4, 13)]
    assert look.look(LEVEL, view(5, 4, 9), 0) == []
