"""DetailController: how much detail a moving volume can afford on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detail:
    """How a frame is drawn. `scale` of the canvas in each direction; `volume_step` in voxels
    along the ray (None: the layer's own); `nearest` samples volumes without interpolation."""

    scale: float = 1.0
    volume_step: float | None = None
    nearest: bool = False


FULL = Detail()

LADDER = (
    FULL,
    Detail(scale=0.75, volume_step=1.5),
    Detail(scale=0.5, volume_step=1.5),
    Detail(scale=0.5, volume_step=2.0, nearest=True),
    Detail(scale=1 / 3, volume_step=2.0, nearest=True),
    Detail(scale=0.25, volume_step=3.0, nearest=True),
)
"""From full to cheapest; each step costs roughly half of the one before on software GL."""

START = 3


class DetailController:
    """Choose the rung of the ladder that holds the target frame time. Pure.

    Owner: render thread. At rest, and without a volume, always full. While a volume moves,
    step down as soon as a frame is too slow, and up only when the next rung would fit with
    room to spare, so that it never flickers between two.
    """

    def __init__(self, target_s: float = 1 / 20) -> None:
        self._target_s = target_s
        # Cheap at first: one frame of a large volume in full may take seconds to find that out.
        self._rung = START
        self._fast_frames = 0

    def choose(self, *, moving: bool, volume: bool) -> Detail:
        """Return how to draw the next frame."""
        return LADDER[self._rung] if moving and volume else FULL

    def observe(self, detail: Detail, draw_s: float) -> None:
        """Take in how long a frame of a moving volume took to draw."""
        if detail is not LADDER[self._rung]:
            return
        if draw_s > self._target_s and self._rung < len(LADDER) - 1:
            # Very slow frames jump: each rung is about a factor of two.
            steps = 1 + int(draw_s > 2.5 * self._target_s) + int(draw_s > 6 * self._target_s)
            self._rung = min(len(LADDER) - 1, self._rung + steps)
            self._fast_frames = 0
        elif draw_s < 0.35 * self._target_s and self._rung > 0:
            self._fast_frames += 1
            if self._fast_frames >= 8:
                self._rung -= 1
                self._fast_frames = 0
        else:
            self._fast_frames = 0
