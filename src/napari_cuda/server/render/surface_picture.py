"""SurfacePicture: what a surface looks like, what changed of it, and that as bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from napari_cuda.protocol import surface_messages as s

TILE = 32
"""Pixels. Smaller ones find a tighter fit and more rectangles, each of which costs some hundred bytes."""

MOST_RECTANGLES = 12
"""More cost more than what lies between them."""

_LEVEL = 2  # of isal: as fast as 1 and smaller

Words = npt.NDArray[np.uint32]
"""(height, width) pixels, each 0xffRRGGBB."""
Rectangle = tuple[int, int, int, int]
"""x, y, width, height"""


def changed(before: Words, after: Words) -> list[Rectangle]:
    """Return rectangles outside of which two pictures of the same size are the same; [] if they are."""
    differs = before != after
    if not differs.any():
        return []
    height, width = differs.shape
    down = np.logical_or.reduceat(differs, np.arange(0, height, TILE), axis=0)
    tiles = np.logical_or.reduceat(down, np.arange(0, width, TILE), axis=1)
    found: list[Rectangle] = []
    for row in np.flatnonzero(tiles.any(axis=1)):
        columns = np.flatnonzero(tiles[row])
        # One span per run of tiles in a row; a run that goes on below makes its rectangle taller.
        for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
            x, y = int(run[0]) * TILE, int(row) * TILE
            wide = min(len(run) * TILE, width - x)
            tall = min(TILE, height - y)
            above = next((r for r in found if r[0] == x and r[2] == wide and r[1] + r[3] == y), None)
            if above is not None:
                found.remove(above)
                y, tall = above[1], above[3] + tall
            found.append((x, y, wide, tall))
    return few(found)


def few(rectangles: Sequence[Rectangle]) -> list[Rectangle]:
    """Return not too many rectangles that cover these."""
    distinct = list(dict.fromkeys(rectangles))
    kept = [one for one in distinct if not any(other != one and _covers(other, one) for other in distinct)]
    return kept if len(kept) <= MOST_RECTANGLES else [_around(kept)]


def _covers(outer: Rectangle, inner: Rectangle) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and outer[0] + outer[2] >= inner[0] + inner[2]
        and outer[1] + outer[3] >= inner[1] + inner[3]
    )


def _around(rectangles: Sequence[Rectangle]) -> Rectangle:
    left, top = min(r[0] for r in rectangles), min(r[1] for r in rectangles)
    right, bottom = max(r[0] + r[2] for r in rectangles), max(r[1] + r[3] for r in rectangles)
    return left, top, right - left, bottom - top


class SurfacePicture:
    """The newest picture of one surface. Owner: render thread."""

    def __init__(self) -> None:
        self.revision = 0
        self.pixel_ratio = 1.0
        self._words: Words = np.zeros((0, 0), np.uint32)
        self._blocks: dict[Rectangle, s.SurfaceBlock] = {}
        """Of this revision: several viewers may need the same. Bound: what is asked for between two changes."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self._words.shape
        return width, height

    @property
    def whole(self) -> Rectangle:
        """All of it."""
        return 0, 0, *self.size

    def show(self, words: Words, pixel_ratio: float) -> list[Rectangle]:
        """Take another picture, which is kept; return what of it is new."""
        same_size = words.shape == self._words.shape and pixel_ratio == self.pixel_ratio
        news = changed(self._words, words) if same_size else [(0, 0, words.shape[1], words.shape[0])]
        if news:
            self._words, self.pixel_ratio = words, pixel_ratio
            self.revision += 1
            self._blocks.clear()
        return news

    def update(self, surface: str, rectangles: Sequence[Rectangle]) -> s.SurfaceUpdate:
        """Return what a viewer needs that lacks these rectangles."""
        blocks = [self._block(rectangle) for rectangle in rectangles]
        return s.SurfaceUpdate(surface, self.revision, self.size, self.pixel_ratio, blocks)

    def _block(self, rectangle: Rectangle) -> s.SurfaceBlock:
        if rectangle not in self._blocks:
            x, y, width, height = rectangle
            rows = np.ascontiguousarray(self._words[y : y + height, x : x + width])
            self._blocks[rectangle] = s.SurfaceBlock(*rectangle, isal_zlib.compress(rows.tobytes(), _LEVEL))
        return self._blocks[rectangle]
