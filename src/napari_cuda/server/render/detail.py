"""DetailController: how much detail a moving volume can afford on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Detail:
    """How a frame is drawn. `scale` of the canvas in each direction; `volume_step` in voxels
    along the ray (None: the layer's own); `nearest` samples volumes without interpolation."""

    scale: float = 1.0
    volume_step: float | None = None
    nearest: bool = False

    def sampled(self, volume_step: float | None) -> Detail:
        """Return this with the user's own step along the ray, where that is not finer than here."""
        return self if volume_step is None else replace(self, volume_step=max(volume_step, self.volume_step or 0.0))


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

FAST_AT_REST = Detail(volume_step=2.0, nearest=True)
"""What a resting volume gets when the user asks for speed: every pixel, but not every voxel."""

START = 3


class DetailController:
    """Choose the rung of the ladder that holds the target frame time. Pure.

    Owner: render thread. At rest, and without a volume, always full. While a volume moves (if it
    `reduces` at all: the machine may not need it), step down as soon as a frame is too slow, and up
    only when the next rung would fit with room to spare, so that it never flickers between two.
    """

    def __init__(self, target_s: float = 1 / 20, *, reduces: bool = True) -> None:
        self._target_s = target_s
        self._reduces = reduces
        self.quality: Literal["auto", "full", "fast"] = "auto"
        """The user's: `full` never reduces, `fast` always, at rest too."""
        self.volume_step: float | None = None
        """The user's distance between samples along the ray in voxels; None: the layer's own."""
        # Cheap at first: one frame of a large volume in full may take seconds to find that out.
        self._rung = START
        self._fast_frames = 0

    def choose(self, *, moving: bool, volume: bool) -> Detail:
        """Return how to draw the next frame."""
        if not volume:
            return FULL
        if moving and self._adapts:
            return self._reduced()
        return (FAST_AT_REST if self.quality == "fast" else FULL).sampled(self.volume_step)

    @property
    def _adapts(self) -> bool:
        return self.quality == "fast" or (self.quality == "auto" and self._reduces)

    def _reduced(self) -> Detail:
        rung = max(START, self._rung) if self.quality == "fast" else self._rung
        return LADDER[rung].sampled(self.volume_step)

    def observe(self, detail: Detail, draw_s: float) -> None:
        """Take in how long a frame of a moving volume took to draw."""
        if not self._adapts or detail != self._reduced():
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
