"""Which level of a pyramid is drawn as a volume, and which may be read at all. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VolumeBudget:
    """What a volume may have: voxels that are drawn in time, bytes that fit, voxels along a side of a texture."""

    voxels: int
    size_bytes: int
    side: int = 2048

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


def choose_volume_level(shapes: Sequence[Sequence[int]], itemsize: int, budget: VolumeBudget) -> int:
    """Return the finest level that keeps the budget, else the coarsest. `shapes`: displayed axes only, finest first."""
    return next((level for level, shape in enumerate(shapes) if budget.holds(shape, itemsize)), len(shapes) - 1)


def allowed_level(wanted: int, shapes: Sequence[Sequence[int]], itemsize: int) -> int:
    """Return the level that a user fixed, or the next coarser one of which the displayed axes can be read."""
    fits = (level for level in range(wanted, len(shapes)) if math.prod(shapes[level]) * itemsize <= LARGEST_READ_BYTES)
    return next(fits, len(shapes) - 1)
