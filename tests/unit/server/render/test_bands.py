from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.server.render.bands import TARGET_S, Bands


def draw(height_px: int, second_per_row: float, fixed_s: float = 0.0) -> list[int]:
    """Draw a picture whose rows all cost the same; return the rows of each band."""
    bands, sizes = Bands(height_px), []
    while not bands.done:
        first, end = bands.next()
        assert first == sum(sizes)
        sizes.append(end - first)
        bands.drawn(fixed_s + second_per_row * (end - first))
    assert sum(sizes) == height_px
    return sizes


def test_a_cheap_picture_takes_a_handful_of_bands() -> None:
    assert draw(720, 0.1e-3) == [45, 90, 180, 360, 45]


def test_of_a_dear_picture_each_band_takes_the_target() -> None:
    seconds = [2e-3 * rows for rows in draw(720, 2e-3)]
    assert all(0.5 * TARGET_S < took <= 1.2 * TARGET_S for took in seconds[2:-1])


def test_bands_that_cost_much_whatever_their_rows_do_not_become_ever_more() -> None:
    assert len(draw(720, 0.0, fixed_s=1.0)) <= 32


@pytest.mark.parametrize("height_px", [1, 2, 31, 33])
def test_small_pictures_are_drawn_too(height_px: int) -> None:
    draw(height_px, 10.0)


@given(st.integers(1, 5000), st.lists(st.floats(0, 10), min_size=1))
def test_every_row_is_drawn_once_whatever_it_costs(height_px: int, costs: list[float]) -> None:
    bands, at, count = Bands(height_px), 0, 0
    while not bands.done:
        first, end = bands.next()
        assert first == at < end
        at, count = end, count + 1
        bands.drawn(costs[count % len(costs)])
    assert at == height_px
    assert count <= 32


def test_the_whole_is_one_band() -> None:
    bands = Bands(720, whole=True)
    assert bands.next() == (0, 720)
    bands.drawn(10.0)
    assert bands.done
