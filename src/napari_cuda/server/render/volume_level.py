"""Which level of a pyramid is drawn as a volume, which part of it, and which may be read at all. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Planes = npt.NDArray[np.float64]
"""Half spaces (n, 4): a point p is in one if row[:3] · p + row[3] >= 0."""

Box = npt.NDArray[np.float64]
"""(2, 3): the least and the greatest corner, in voxels of the finest level."""


@dataclass(frozen=True, slots=True)
class VolumeBudget:
    """What a volume may have: voxels that are drawn in time, bytes that fit, voxels along a side of a texture.

    `read_bytes`: of the chunks that must be read for a part of one; these reach beyond it.
    """

    voxels: int
    size_bytes: int
    side: int = 2048
    read_bytes: int = 2**27

    def holds(self, shape: Sequence[int], itemsize: int) -> bool:
        """Return whether a volume keeps it."""
        voxels = math.prod(shape)
        return voxels <= self.voxels and voxels * itemsize <= self.size_bytes and max(shape, default=0) <= self.side


SOFTWARE = VolumeBudget(2**23, 2**26)
"""Ray-casting on a CPU costs by the steps of each ray: about 200 voxels a side still turn smoothly when reduced."""

HARDWARE = VolumeBudget(2**28, 2**29)
"""About 640 voxels a side: half a second over PCIe at the worst, and room for a few channels on a small GPU."""

LARGEST_READ_BYTES = 2**31
"""A user may fix any level; one of which more than this would be read at once takes the server's memory."""


def allowed_level(wanted: int, shapes: Sequence[Sequence[int]], itemsize: int) -> int:
    """Return the level that a user fixed, or the next coarser one of which the displayed axes can be read."""
    fits = (level for level in range(wanted, len(shapes)) if math.prod(shapes[level]) * itemsize <= LARGEST_READ_BYTES)
    return next(fits, len(shapes) - 1)


MARGIN = 0.125
"""Of what is seen, on each side of it, comes with a part: so far a hand may move before another part is needed."""

EASE = 2.0
"""So many margins must fit before a finer level takes the place of a part that will do: no hand moves to and fro."""

BLOCK = 16
"""Parts begin and end at multiples of so many voxels."""


@dataclass(frozen=True, slots=True)
class VolumePart:
    """What is drawn as a volume: voxels (first, end) of a level along each axis."""

    level: int
    window: tuple[tuple[int, int], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return tuple(end - first for first, end in self.window)

    def holds(self, seen: Box, factors: npt.NDArray[np.float64]) -> bool:
        """Return whether all that is seen is in it."""
        first, end = np.array(self.window).T
        return bool(np.all(seen[0] >= first * factors) and np.all(seen[1] <= end * factors))


def whole(level: int, shape: Sequence[int]) -> VolumePart:
    """Return all of a level."""
    return VolumePart(level, tuple((0, side) for side in shape))


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A volume of several levels, finest first, displayed axes only: voxels and chunks along each axis."""

    shapes: Sequence[Sequence[int]]
    chunks: Sequence[Sequence[int]]
    itemsize: int

    def factors(self, level: int) -> npt.NDArray[np.float64]:
        """Return how many voxels of the finest level one of a level is."""
        factors: npt.NDArray[np.float64] = np.array(self.shapes[0], float) / np.array(self.shapes[level], float)
        return factors

    def read_bytes(self, part: VolumePart) -> int:
        """Return how much is in the chunks of a part."""
        sides = [
            min(shape, -(-end // chunk) * chunk) - first // chunk * chunk
            for (first, end), shape, chunk in zip(
                part.window, self.shapes[part.level], self.chunks[part.level], strict=True
            )
        ]
        return self.itemsize * math.prod(sides)


def choose_volume_part(pyramid: Pyramid, budget: VolumeBudget, seen: Box | None, now: VolumePart | None) -> VolumePart:
    """Return the finest level of which what is seen keeps the budget, and so much of it; all of the coarsest, else.

    `seen` None: everything is. `now`: what is shown; it stays while it will do.
    """
    best = _part(pyramid, budget, seen, MARGIN)
    if now is None or now == best or seen is None or now.level >= len(pyramid.shapes):
        return best
    if not now.holds(np.clip(seen, 0, np.array(pyramid.shapes[0], float)), pyramid.factors(now.level)):
        return best
    if best.level >= now.level:
        return now
    return best if _part(pyramid, budget, seen, EASE * MARGIN).level < now.level else now


def _part(pyramid: Pyramid, budget: VolumeBudget, seen: Box | None, margin: float) -> VolumePart:
    for level, shape in enumerate(pyramid.shapes):
        if budget.holds(shape, pyramid.itemsize):
            return whole(level, shape)
        if seen is None:
            continue
        box = seen / pyramid.factors(level)
        around = np.ceil(margin * (box[1] - box[0])) + 1
        corners = BLOCK * np.array([np.floor((box[0] - around) / BLOCK), np.ceil((box[1] + around) / BLOCK)])
        corners = np.clip(corners, 0, shape).astype(int)
        part = VolumePart(level, tuple(zip(corners[0].tolist(), corners[1].tolist(), strict=True)))
        fits = budget.holds(part.shape, pyramid.itemsize) and pyramid.read_bytes(part) <= budget.read_bytes
        if min(part.shape) > 0 and fits:
            return part
    return whole(len(pyramid.shapes) - 1, pyramid.shapes[-1])


@dataclass(frozen=True, slots=True)
class CuttingPlane:
    """What is shown of a volume depicted as a plane, in its voxels: those within half of `thickness`."""

    position: npt.NDArray[np.float64]
    normal: npt.NDArray[np.float64]
    thickness: float

    def within(self, factors: npt.NDArray[np.float64], first: npt.NDArray[np.float64]) -> CuttingPlane:
        """Return the same plane in voxels of a part: each is `factors` of the finest level; it begins at its `first`.

        Positions are those of voxels' middles. No thinner than a voxel: that is the least that can be shown.
        """
        position = (self.position - first - (factors - 1) / 2) / factors
        normal = self.normal * factors
        length = float(np.linalg.norm(normal))
        thickness = self.thickness * float(np.linalg.norm(self.normal)) / length
        return CuttingPlane(position, normal / length, max(1.0, thickness))

    def slab(self, reach: float) -> Planes:
        """Return the half spaces of all that is not farther than `reach` from the plane."""
        normal = self.normal / np.linalg.norm(self.normal)
        there = float(normal @ self.position)
        return np.array([[*normal, reach - there], [*-normal, reach + there]])


def planes_between(rays: npt.NDArray[np.float64]) -> Planes:
    """Return the half spaces between four rays, those of a picture's corners in turn: (2 ends, 4, 3)."""
    planes = []
    middle = rays.reshape(-1, 3).mean(axis=0)
    for here, there in itertools.pairwise((0, 1, 2, 3, 0)):
        normal = np.cross(rays[0, there] - rays[0, here], rays[1, here] - rays[0, here])
        normal /= np.linalg.norm(normal)
        normal = normal if normal @ (middle - rays[0, here]) >= 0 else -normal
        planes.append([*normal, -normal @ rays[0, here]])
    return np.array(planes)


def seen_box(planes: Planes, shape: Sequence[int]) -> Box | None:
    """Return the box around what is in all half spaces of a volume of `shape`; None if nothing is.

    Of a convex body all corners are where three of its planes meet: these are all tried.
    """
    sides = np.concatenate(
        [np.column_stack([np.eye(3), np.zeros(3)]), np.column_stack([-np.eye(3), np.array(shape, float)])]
    )
    every = np.concatenate([sides, planes / np.linalg.norm(planes[:, :3], axis=1, keepdims=True)])
    threes = every[np.array(list(itertools.combinations(range(len(every)), 3)))]
    threes = threes[np.abs(np.linalg.det(threes[:, :, :3])) > 1e-9]
    corners = np.linalg.solve(threes[:, :, :3], -threes[:, :, 3:])[..., 0]
    inside = np.all(corners @ every[:, :3].T + every[:, 3] >= -1e-6 * max(shape), axis=1)
    if not inside.any():
        return None
    return np.array([corners[inside].min(axis=0), corners[inside].max(axis=0)])
