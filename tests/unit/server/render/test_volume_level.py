"""Which level becomes a volume."""

from __future__ import annotations

from napari_cuda.server.render.volume_level import (
    HARDWARE,
    LARGEST_READ_BYTES,
    SOFTWARE,
    VolumeBudget,
    allowed_level,
    choose_volume_level,
)

HUGE = [(1024 >> level, 10240 >> level, 10240 >> level) for level in range(7)]


def test_the_finest_that_fits_and_not_napari_s_coarsest() -> None:
    assert HUGE[choose_volume_level(HUGE, 2, SOFTWARE)] == (32, 320, 320)
    assert HUGE[choose_volume_level(HUGE, 2, HARDWARE)] == (128, 1280, 1280)


def test_each_limit_holds_alone() -> None:
    shapes = [(400, 400, 400), (200, 200, 200), (100, 100, 100), (50, 50, 50)]
    assert choose_volume_level(shapes, 1, VolumeBudget(10**6, 10**9)) == 2
    assert choose_volume_level(shapes, 8, VolumeBudget(10**9, 10**6)) == 3
    assert choose_volume_level(shapes, 1, VolumeBudget(10**9, 10**9, side=200)) == 1


def test_if_none_fits_the_coarsest() -> None:
    assert choose_volume_level([(4000, 4000, 4000), (3000, 3000, 3000)], 2, SOFTWARE) == 1


def test_a_level_that_a_user_fixed_is_kept_while_it_can_be_read() -> None:
    assert allowed_level(5, HUGE, 2) == 5
    assert allowed_level(2, HUGE, 2) == 3, "3 GB at once"
    planes = [shape[1:] for shape in HUGE]
    assert allowed_level(0, planes, 2) == 0, "a plane of 210 MB"
    assert 2 * 1024 * 10240 * 10240 > LARGEST_READ_BYTES
    assert allowed_level(0, [(10**6, 10**6)], 2) == 0, "there is no other"
