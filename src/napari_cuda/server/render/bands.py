"""Bands: a dear picture drawn a few rows at a time, so that input is served in between. Pure."""

from __future__ import annotations

import math

TARGET_S = 0.04
"""One band: what is done meanwhile waits for so long. What a band costs besides its rows is a tenth of it."""

_FIRST, _LEAST = 1 / 16, 1 / 32
"""Of the height. What rows cost is not known at first; ever smaller ones would cost more than they are worth."""


class Bands:
    """Which rows of a picture to draw next. Owner: render thread."""

    def __init__(self, height_px: int, target_s: float = TARGET_S, *, whole: bool = False) -> None:
        """Begin with few of `height_px` rows; or draw the `whole`, where it takes no longer than what moves does."""
        self._height_px = height_px
        self._target_s = target_s
        self._rows = height_px if whole else max(1, math.ceil(_FIRST * height_px))
        self._drawn = 0

    @property
    def done(self) -> bool:
        """True once all rows are drawn."""
        return self._drawn >= self._height_px

    def next(self) -> tuple[int, int]:
        """Return the rows to draw now: the first, and the one after the last."""
        return self._drawn, min(self._drawn + self._rows, self._height_px)

    def drawn(self, seconds: float) -> None:
        """Take in how long these rows took: the next band is larger or smaller, by a factor of two at most."""
        first, end = self.next()
        self._drawn = end
        fitting = (end - first) * self._target_s / max(seconds, 1e-6)
        self._rows = math.ceil(max(min(max(fitting, self._rows / 2), self._rows * 2), _LEAST * self._height_px))
