"""What a widget looks like, as pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QRegion
from qtpy.QtWidgets import QWidget

from napari_cuda.server.render.surface_picture import Words

NO_CANVAS = "Not shown here: this widget draws with OpenGL, which a server has for the canvas of the viewer only."


def grab(window: QWidget, area: QRect, ratio: float, canvases: Iterable[QWidget]) -> Words:
    """Return what an area of a window looks like, in so many pixels to one of Qt's.

    In the place of `canvases` that are in it, which have no picture, is a line that says so.
    """
    image = QImage(math.ceil(area.width() * ratio), math.ceil(area.height() * ratio), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(window.palette().window().color())
    window.render(image, QPoint(), QRegion(area))
    for canvas in canvases:
        if window.isAncestorOf(canvas) and canvas.isVisibleTo(window):
            _cover(image, QRect(canvas.mapTo(window, QPoint()) - area.topLeft(), canvas.size()), canvas.font())
    return _words(image)


def _cover(image: QImage, place: QRect, font: QFont) -> None:
    painter = QPainter(image)
    painter.fillRect(place, QColor("black"))
    painter.setPen(QColor("white"))
    painter.setFont(font)
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, NO_CANVAS)
    painter.end()


def _words(image: QImage) -> Words:
    """Return the pixels of a picture of four bytes each."""
    bits: Any = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())  # of one binding: it does not know itself
    words: Words = np.frombuffer(bits, np.uint32).reshape(image.height(), image.bytesPerLine() // 4)
    return words[:, : image.width()].copy()
