"""Where a picture goes on the canvas when the camera here has moved on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_cuda.client.control.camera import CameraDifference

SMALLEST_CANVAS_PX = 16
"""What the property table allows."""

Size = tuple[int, int]
Rect = tuple[float, float, float, float]
"""Left, top, width, height in pixels, from the top left corner of the canvas."""


@dataclass(frozen=True, slots=True)
class OwnCanvas:
    """The canvas of a window: (width, height) in logical pixels, and pixels of its picture for one of those."""

    size: Size
    pixel_ratio: float = 1.0

    def drawable(self) -> OwnCanvas:
        """Return the canvas to be drawn for this one, which a splitter may have closed."""
        width, height = (max(SMALLEST_CANVAS_PX, side) for side in self.size)
        return OwnCanvas((width, height), self.pixel_ratio)


@dataclass(frozen=True, slots=True)
class Placement:
    """Draw the picture so that what it shows of the canvas fills `canvas_px`, but nothing outside `clip_px`."""

    canvas_px: Rect
    clip_px: Rect | None = None


def placements(
    picture: Size, viewport: Size, moved: CameraDifference, *, fitted: bool, cells: Sequence[Rect] = ()
) -> tuple[Placement, ...]:
    """Return where to draw a picture of a canvas of (width, height) `picture` in a `viewport`.

    The middle stays in the middle and a pixel a pixel, as for napari when its canvas has another size. A
    picture of somebody else's canvas is `fitted` instead: shown whole. Then it is moved as the camera has.
    `cells`, if not empty, are the views of napari's grid: the picture moves in each of them by itself.
    """
    base = letterbox(picture, viewport) if fitted else centred(picture, viewport)
    if moved == CameraDifference():
        return (Placement(base),)
    scale = base[2] / picture[0]
    pan = (moved.pan_px[0] * scale, moved.pan_px[1] * scale)
    if not cells:
        return (Placement(_moved(base, _middle((0, 0, *viewport)), pan, moved.zoom)),)
    found = []
    for cell in cells:
        middle = _middle(cell)
        visible = _common(cell, _moved(cell, middle, pan, moved.zoom))
        if visible is not None:
            found.append(Placement(_moved(base, middle, pan, moved.zoom), visible))
    return tuple(found)


def letterbox(picture: Size, viewport: Size) -> Rect:
    """Return where the whole picture goes in the viewport: centred, aspect kept, whole pixels."""
    width, height = picture
    scale = min(viewport[0] / width, viewport[1] / height)
    return centred((max(1, round(width * scale)), max(1, round(height * scale))), viewport)


def centred(picture: Size, viewport: Size) -> Rect:
    """Return where a picture of that many pixels goes in the viewport: whole pixels."""
    return (viewport[0] - picture[0]) // 2, (viewport[1] - picture[1]) // 2, *picture


def with_margin(canvas_px: Rect, canvas: Size, margin: int) -> Rect:
    """Return where a picture goes that shows `margin` pixels more on each side than its canvas of that size."""
    left, top, width, height = canvas_px
    x, y = margin * width / canvas[0], margin * height / canvas[1]
    return left - x, top - y, width + 2 * x, height + 2 * y


def covers(outer: Rect, viewport: Size) -> bool:
    """Return whether a rectangle hides all of the viewport."""
    left, top, width, height = outer
    return left <= 0 and top <= 0 and left + width >= viewport[0] and top + height >= viewport[1]


def _middle(rect: Rect) -> tuple[float, float]:
    return rect[0] + rect[2] / 2, rect[1] + rect[3] / 2


def _moved(rect: Rect, middle: tuple[float, float], pan: tuple[float, float], zoom: float) -> Rect:
    left, top = (m + p + zoom * (at - m) for at, m, p in zip(rect[:2], middle, pan, strict=True))
    return left, top, rect[2] * zoom, rect[3] * zoom


def _common(one: Rect, other: Rect) -> Rect | None:
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right = min(one[0] + one[2], other[0] + other[2])
    bottom = min(one[1] + one[3], other[1] + other[3])
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None
