"""Which level becomes a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from napari_cuda.server.render.volume_level import (
    HARDWARE,
    LARGEST_READ_BYTES,
    SOFTWARE,
    Box,
    CuttingPlane,
    Pyramid,
    VolumeBudget,
    VolumePart,
    allowed_level,
    choose_volume_part,
    planes_between,
    seen_box,
    whole,
)

HUGE = [(1024 >> level, 10240 >> level, 10240 >> level) for level in range(7)]


def choose_volume_level(shapes: Sequence[Sequence[int]], itemsize: int, budget: VolumeBudget) -> int:
    """Return the level of which all is shown if all is seen."""
    part = choose_volume_part(Pyramid(shapes, [(1, 1, 1)] * len(shapes), itemsize), budget, None, None)
    assert part == whole(part.level, shapes[part.level])
    return part.level


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


CUBE = Pyramid([(512 >> level,) * 3 for level in range(4)], [(1, 1, 1)] * 4, 2)
SMALL = VolumeBudget(160**3, 2 * 160**3)


def box(middle: float, side: float) -> Box:
    return np.array([[middle - side / 2] * 3, [middle + side / 2] * 3])


def test_the_finest_level_of_which_what_is_seen_fits() -> None:
    assert choose_volume_part(CUBE, SMALL, None, None) == whole(2, (128, 128, 128))
    near = choose_volume_part(CUBE, SMALL, box(200, 90), None)
    assert near.level == 0
    assert near.holds(box(200, 90 * 1.2), CUBE.factors(0)), "with a margin"
    assert all(first % 16 == 0 and end % 16 == 0 for first, end in near.window)
    assert choose_volume_part(CUBE, SMALL, box(200, 200), None).level == 1
    assert choose_volume_part(CUBE, SMALL, box(200, 400), None) == whole(2, (128, 128, 128))


def test_a_part_ends_where_the_volume_does() -> None:
    part = choose_volume_part(CUBE, SMALL, box(10, 100), None)
    assert part.window == ((0, 80),) * 3
    assert choose_volume_part(CUBE, SMALL, box(500, 100), None).window == ((432, 512),) * 3


def test_a_hand_that_moves_to_and_fro_asks_for_nothing() -> None:
    now = choose_volume_part(CUBE, SMALL, box(200, 90), None)
    seen = [choose_volume_part(CUBE, SMALL, box(200 + step, 90), now) for step in (3, -3, 8, -8)]
    assert seen == [now] * 4
    far = choose_volume_part(CUBE, SMALL, box(260, 90), now)
    assert far.level == 0
    assert far != now


def test_a_finer_level_comes_with_room_to_spare_and_goes_only_when_it_must() -> None:
    levels, now = [], None
    for side in [*range(200, 80, -2), *range(80, 200, 2)]:
        now = choose_volume_part(CUBE, SMALL, box(256, side), now)
        assert now.holds(box(256, side), CUBE.factors(now.level))
        levels.append(now.level)
    turns = [number for number in range(1, len(levels)) if levels[number] != levels[number - 1]]
    assert (levels[0], min(levels), levels[-1]) == (1, 0, 1)
    assert len(turns) == 2, "once finer, once coarser"
    finer, coarser = ([*range(200, 80, -2), *range(80, 200, 2)][turn] for turn in turns)
    assert coarser > finer + 10, "between the two it stays what it is"


def test_chunks_that_reach_far_beyond_a_part_are_not_read_for_it() -> None:
    flat = Pyramid(CUBE.shapes, [(1, 512, 512)] * 4, 2)
    part = choose_volume_part(CUBE, SMALL, box(200, 90), None)
    depth = part.shape[0]
    assert flat.read_bytes(part) == 2 * depth * 512 * 512
    assert CUBE.read_bytes(part) == 2 * depth**3
    narrow = VolumeBudget(SMALL.voxels, SMALL.size_bytes, read_bytes=2 * (depth - 1) * 512 * 512)
    assert choose_volume_part(flat, narrow, box(200, 90), None).level == 1


def test_another_pyramid_than_before_is_looked_at_anew() -> None:
    assert choose_volume_part(CUBE, SMALL, box(200, 90), VolumePart(7, ((0, 8),) * 3)).level == 0


def test_what_is_seen_is_the_box_around_all_between_the_rays() -> None:
    corners = [(20.0, 30.0), (20.0, 70.0), (60.0, 70.0), (60.0, 30.0)]
    straight = np.array([[(depth, y, x) for y, x in corners] for depth in (-500.0, 500.0)])
    found = seen_box(planes_between(straight), (100, 80, 50))
    assert found is not None
    assert found == pytest.approx(np.array([[0, 20, 30], [100, 60, 50]]))
    # An eye at (-100, 40, 50): what is farther away is seen more of.
    cone = np.array([[(depth, 40 + (100 + depth) * dy, 50 + (100 + depth) * dx) for dy, dx in
                      ((-0.1, -0.1), (-0.1, 0.1), (0.1, 0.1), (0.1, -0.1))] for depth in (-50.0, 300.0)])  # fmt: skip
    found = seen_box(planes_between(cone), (100, 200, 200))
    assert found is not None
    assert found == pytest.approx(np.array([[0, 20, 30], [100, 60, 70]]))
    assert seen_box(planes_between(straight), (100, 10, 50)) is None


def test_what_is_seen_askew_is_in_the_box(rng: np.random.Generator) -> None:
    for _ in range(20):
        turn, _r = np.linalg.qr(rng.normal(size=(3, 3)))
        middle = rng.uniform(20, 80, 3)
        sides = [(-15, -10), (-15, 10), (15, 10), (15, -10)]
        rays = np.array([[middle + turn @ (a, b, depth) for a, b in sides] for depth in (-400.0, 400.0)])
        found = seen_box(planes_between(rays), (100, 100, 100))
        assert found is not None
        points = rng.uniform(0, 100, (2000, 3))
        there = (points - middle) @ turn
        seen = points[(abs(there[:, 0]) < 15) & (abs(there[:, 1]) < 10)]
        assert np.all(seen >= found[0] - 1e-6)
        assert np.all(seen <= found[1] + 1e-6)
        assert np.all(found[0] >= -1e-3)
        assert np.all(found[1] <= 100 + 1e-3)


def test_a_plane_is_the_same_in_voxels_of_a_part() -> None:
    factors, first = np.array([2.0, 4.0, 4.0]), np.array([10.0, 40.0, 0.0])
    plane = CuttingPlane(np.array([50.0, 60.0, 70.0]), np.array([0.6, 0.8, 0.0]), 20.0)
    there = plane.within(factors, first)
    along = np.cross(plane.normal, (0.1, 0.2, 0.9))
    for point in (plane.position, plane.position + 7 * along, plane.position + 10 * plane.normal):
        distance = (point - plane.position) @ plane.normal
        voxel = (point - first - (factors - 1) / 2) / factors
        assert (voxel - there.position) @ there.normal * plane.thickness == pytest.approx(distance * there.thickness)
    assert np.linalg.norm(there.normal) == pytest.approx(1)
    thin = CuttingPlane(plane.position, plane.normal, 1.0).within(factors, first)
    assert thin.thickness == 1.0


def test_a_plane_through_what_is_too_large_is_shown_of_a_finer_level() -> None:
    shape = CUBE.shapes[0]
    aside = np.array([[0, 1.0, 0, -100], [0, -1, 0, 400], [0, 0, 1, -100], [0, 0, -1, 400]])
    slab = CuttingPlane(np.full(3, 200.0), np.array([2.0, 0, 0]), 1.0).slab(10.0)
    seen = seen_box(np.concatenate([aside, slab]), shape)
    assert seen is not None
    assert seen[:, 0].tolist() == pytest.approx([190, 210])
    assert choose_volume_part(CUBE, SOFTWARE, seen, None).level == 0
    all_of_it = seen_box(aside, shape)
    assert choose_volume_part(CUBE, SOFTWARE, all_of_it, None).level > 0
