"""The rendered frame, and the pool its picture buffers come from."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from napari_cuda.protocol.packet import CameraPose, enlarged


class PixelBuffer:
    """One picture, (H, W, 4) uint8 RGBA, top row first; returns to its pool when dropped."""

    __slots__ = ("__weakref__", "rgba")

    def __init__(self, rgba: npt.NDArray[np.uint8]) -> None:
        self.rgba = rgba


class BufferPool:
    """Reusable picture buffers. Owner: render thread acquires; any thread drops.

    A buffer comes back when the last reference to its PixelBuffer goes, so no holder can
    release it too early. At most `keep` idle buffers are kept: one being drawn, one newest,
    one for each of a few encoders.
    """

    def __init__(self, keep: int = 4) -> None:
        self._idle: deque[npt.NDArray[np.uint8]] = deque(maxlen=keep)

    def acquire(self, width: int, height: int) -> PixelBuffer:
        """Return a buffer of (height, width, 4) uint8 with arbitrary content."""
        rgba = None
        while self._idle:
            candidate = self._idle.popleft()
            if candidate.shape[:2] == (height, width):
                rgba = candidate
                break
        if rgba is None:
            rgba = np.empty((height, width, 4), np.uint8)
        buffer = PixelBuffer(rgba)
        weakref.finalize(buffer, self._idle.append, rgba).atexit = False
        return buffer


@dataclass(frozen=True, slots=True)
class Overlaid:
    """The picture of a frame with the overlays that windows draw themselves."""

    buffer: PixelBuffer
    picture_hash: int


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """One drawn picture of the scene. Immutable; shared by all encoder threads.

    `buffer.rgba` may be smaller than `canvas_size` (reduced detail while a volume moves);
    it is then scaled up on encoding. `input_ids` maps viewer id to the newest intent of that
    viewer which the picture includes. `sharp_color`: it has edges between colours, which 4:2:0 blurs.
    `at_rest` asks for the exact still picture. `overlaid` is None if there are no overlays to add, or
    nobody wants them. The picture shows `margin` pixels more than the canvas on each side. If not `exact` it is
    drawn anew before it rests, for a pixel in a hundred thousand may be off by one from stock napari's.
    """

    buffer: PixelBuffer
    canvas_size: tuple[int, int]
    revision: int
    camera: CameraPose
    capture_time_us: int
    picture_hash: int
    full_detail: bool = True
    exact: bool = True
    sharp_color: bool = False
    at_rest: bool = False
    input_ids: Mapping[str, int] = field(default_factory=dict)
    overlaid: Overlaid | None = None
    margin: int = 0

    @property
    def picture_size(self) -> tuple[int, int]:
        """(width, height) of the picture in full detail: the canvas and its margin."""
        return enlarged(self.canvas_size, self.margin)

    def with_overlays(self) -> RenderedFrame:
        """Return the frame for a viewer who draws no overlays."""
        if self.overlaid is None:
            return self
        return replace(self, buffer=self.overlaid.buffer, picture_hash=self.overlaid.picture_hash, overlaid=None)
