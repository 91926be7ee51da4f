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


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to draw what moves. `cost` is relative to full detail, as measured on software GL."""

    detail: Detail
    cost: float


LADDER = (
    Rung(FULL, 1.0),
    Rung(Detail(1.0, 1.5), 0.64),
    Rung(Detail(0.75, 1.5), 0.37),
    Rung(Detail(0.6, 1.5), 0.24),
    Rung(Detail(0.5, 1.5), 0.17),
    Rung(Detail(0.5, 2.0), 0.135),
    Rung(Detail(0.4, 2.0), 0.1),
    Rung(Detail(1 / 3, 2.0), 0.075),
    Rung(Detail(1 / 3, 3.0), 0.058),
    Rung(Detail(0.25, 3.0), 0.04),
    Rung(Detail(1 / 3, 3.0, nearest=True), 0.026),
    Rung(Detail(0.25, 3.0, nearest=True), 0.018),
)
"""From full to cheapest: of all scales, steps and interpolations those that nothing cheaper looks better than.
Fewer pixels cost less in looks than sampling without interpolation does, at the same time per frame (ADR 0006)."""

FAST_AT_REST = Detail(volume_step=2.0, nearest=True)
"""What a resting volume gets when the user asks for speed: every pixel, but not every voxel."""

START = 7
"""Holds the target for the volumes that people have, on a laptop without GPU."""

HEADROOM = 0.7
"""A finer rung must be expected to fit in this part of the target: drawing is not all there is to do."""

FEW, MANY = 8, 512
"""So many frames in a row must have time to spare before a finer rung is tried; twice as many each time that fails."""

RECENT = 60
"""Frames after which a finer rung has proven itself."""


class DetailController:
    """Choose the rung of the ladder that holds the target frame time. Pure.

    Owner: render thread. At rest, and without a volume, always full. While a volume moves (if it
    `reduces` at all: the machine may not need it), step down as soon as frames are too slow, and up
    only when a finer rung would fit with room to spare, so that it never flickers between two.
    """

    def __init__(self, target_s: float = 0.045, *, reduces: bool = True) -> None:
        self._target_s = target_s
        self._reduces = reduces
        self.quality: Literal["auto", "full", "fast"] = "auto"
        """The user's: `full` never reduces, `fast` always, at rest too."""
        self.volume_step: float | None = None
        """The user's distance between samples along the ray in voxels; None: the layer's own."""
        # Cheap at first: one frame of a large volume in full may take seconds to find that out.
        self._rung = START
        self._slow_frames = 0
        self._fast_frames = 0
        self._needed = FEW
        self._since_finer = RECENT

    def choose(self, *, moving: bool, volume: bool) -> Detail:
        """Return how to draw the next frame."""
        if not volume:
            return FULL
        if moving and self._adapts:
            return self._reduced()
        return self.at_rest

    @property
    def at_rest(self) -> Detail:
        """How a volume is drawn that rests."""
        return (FAST_AT_REST if self.quality == "fast" else FULL).sampled(self.volume_step)

    @property
    def _adapts(self) -> bool:
        return self.quality == "fast" or (self.quality == "auto" and self._reduces)

    @property
    def _finest(self) -> int:
        return START if self.quality == "fast" else 0

    def _reduced(self) -> Detail:
        return LADDER[max(self._finest, self._rung)].detail.sampled(self.volume_step)

    def observe(self, detail: Detail, draw_s: float) -> None:
        """Take in how long a frame of a moving volume took to draw."""
        if not self._adapts or detail != self._reduced():
            return
        self._rung = max(self._finest, self._rung)
        self._since_finer += 1
        if draw_s > self._target_s:
            self._fast_frames = 0
            self._slow_frames += 1
            # One slow frame is the machine's business, unless it is very slow.
            if self._slow_frames > 1 or draw_s > 2 * self._target_s:
                self._coarser(draw_s)
            return
        self._slow_frames = 0
        finer = self._fitting(draw_s, HEADROOM * self._target_s)
        self._fast_frames = self._fast_frames + 1 if finer < self._rung else 0
        if self._fast_frames >= self._needed:
            self._rung, self._fast_frames, self._since_finer = finer, 0, 0

    def _coarser(self, draw_s: float) -> None:
        self._needed = min(2 * self._needed, MANY) if self._since_finer < RECENT else FEW
        self._rung = min(max(self._fitting(draw_s, self._target_s), self._rung + 1), len(LADDER) - 1)
        self._slow_frames = 0

    def _fitting(self, draw_s: float, target_s: float) -> int:
        """Return the finest rung that should take `target_s` at most, if the present one takes `draw_s`."""
        per_cost_s = draw_s / LADDER[self._rung].cost
        fits = (number for number, rung in enumerate(LADDER) if per_cost_s * rung.cost <= target_s)
        return max(self._finest, next(fits, len(LADDER) - 1))
