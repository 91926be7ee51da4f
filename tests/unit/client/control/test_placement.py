"""Where a picture goes while the camera here is ahead of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.client.control.camera import CameraDifference
from napari_cuda.client.control.placement import Placement, covers, letterbox, placements, with_margin

SIZE = (800, 600)
STILL = CameraDifference()


@pytest.mark.parametrize(
    ("picture", "viewport", "expected"),
    [
        ((800, 600), (800, 600), (0, 0, 800, 600)),
        ((400, 300), (800, 600), (0, 0, 800, 600)),
        ((100, 100), (801, 600), (100, 0, 600, 600)),
        ((100, 50), (200, 300), (0, 100, 200, 100)),
        ((10000, 1), (100, 100), (0, 49, 100, 1)),
    ],
)
def test_letterbox_keeps_the_aspect_in_whole_pixels(
    picture: tuple[int, int], viewport: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    assert letterbox(picture, viewport) == expected


def test_at_rest_the_picture_is_the_canvas_grid_or_not() -> None:
    for cells in ((), [(0, 0, 400, 600), (400, 0, 400, 600)]):
        assert placements(SIZE, SIZE, STILL, fitted=False, cells=cells) == (Placement((0, 0, 800, 600)),)


def test_a_canvas_that_was_resized_keeps_its_middle_and_its_pixels() -> None:
    (place,) = placements(SIZE, (1000, 500), STILL, fitted=False)
    assert place.canvas_px == (100, -50, 800, 600)


def test_the_picture_of_another_windows_canvas_is_shown_whole_and_moves_on_its_scale() -> None:
    moved = CameraDifference((30.0, -20.0), 1.0)
    (place,) = placements((400, 300), (800, 700), moved, fitted=True)
    assert place.canvas_px == (60, 50 - 40, 800, 600)


@given(st.floats(-200, 200), st.floats(-200, 200), st.floats(0.2, 5), st.floats(0, 800), st.floats(0, 600))
def test_every_point_goes_where_the_difference_says(right: float, down: float, zoom: float, x: float, y: float) -> None:
    (place,) = placements(SIZE, SIZE, CameraDifference((right, down), zoom), fitted=False)
    left, top, width, height = place.canvas_px
    assert left + x / 800 * width == pytest.approx(400 + right + zoom * (x - 400), abs=1e-6)
    assert top + y / 600 * height == pytest.approx(300 + down + zoom * (y - 300), abs=1e-6)


def test_in_a_grid_each_view_moves_by_itself_and_shows_nothing_of_its_neighbours() -> None:
    cells = [(0.0, 0.0, 390.0, 600.0), (410.0, 0.0, 390.0, 600.0)]
    one, other = placements(SIZE, SIZE, CameraDifference((50.0, 0.0), 1.0), fitted=False, cells=cells)
    assert one == Placement((50, 0, 800, 600), (50, 0, 340, 600))
    assert other == Placement((50, 0, 800, 600), (460, 0, 340, 600))
    # Zoomed, about the middle of each.
    one, other = placements(SIZE, SIZE, CameraDifference((0.0, 0.0), 2.0), fitted=False, cells=cells)
    assert one == Placement((-195, -300, 1600, 1200), cells[0])
    assert other == Placement((-605, -300, 1600, 1200), cells[1])


def test_what_left_its_view_is_not_drawn() -> None:
    cells = [(0.0, 0.0, 400.0, 600.0), (400.0, 0.0, 400.0, 600.0)]
    assert placements(SIZE, SIZE, CameraDifference((500.0, 0.0), 1.0), fitted=False, cells=cells) == ()


def test_a_margin_lies_around_the_canvas_at_its_scale() -> None:
    assert with_margin((10, 20, 1600, 1200), SIZE, 64) == (10 - 128, 20 - 128, 1600 + 256, 1200 + 256)


@pytest.mark.parametrize(
    ("rect", "covered"), [((0, 0, 800, 600), True), ((-5, -5, 806, 606), True), ((1, 0, 800, 600), False)]
)
def test_covers(rect: tuple[int, int, int, int], covered: bool) -> None:
    assert covers(rect, SIZE) is covered
