"""JpegEncoder: pictures for a browser that decodes no video (docs/adr/0008-the-browser-page.md)."""

from __future__ import annotations

import io
import time

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.h264 import AccessUnit
from napari_cuda.server.frames import RenderedFrame

JPEG_BIT_RATE = 100_000_000
"""Ceiling of such a stream, in bit/s: a JPEG takes four to seven times the bytes of the same picture as video."""

_FINEST, _COARSEST = 20.0, 1000.0
"""Percent by which libjpeg scales its tables: its qualities 90 and 5. What is finer is left to the exact picture."""
_FIRST = 50.0
_POWER = 1.6
"""A picture of half the bytes takes tables so much coarser: 2 ** 1.6, measured between the qualities 50 and 90."""
_SPARE = 0.7
"""A picture of less than this part of its budget leaves room for a finer one."""
_TOO_MUCH = 1.5
"""A picture of so many times its budget is made again, coarser, before it is sent."""


class JpegEncoder:
    """Encodes one viewer's pictures. Owner: the viewer's encoder thread.

    Every picture is a keyframe. One of less detail is sent as small as it was drawn: who shows it enlarges it.
    libjpeg holds the GIL meanwhile, 2 to 4 ms at 720p.
    """

    epoch = 1
    """There is one context, and nothing in it."""
    refines = False
    """The same picture again would be no better."""

    def __init__(self) -> None:
        self._coarseness = _FIRST
        self._sharp = False

    @property
    def coding(self) -> str:
        """How pictures are coded now, in words. Any thread."""
        return f"JPEG quality {self._quality} {'4:4:4' if self._sharp else '4:2:0'}"

    def encode(
        self, frame: RenderedFrame, *, keyframe: bool, budget: int, scale: float = 1.0
    ) -> tuple[AccessUnit, tuple[int, int]]:
        """Return the JPEG of a frame, of about `budget` bytes at most, and its size (w, h). Raises StreamError."""
        began_s = time.perf_counter()
        self._sharp = frame.sharp_color
        image = _image_of(frame.buffer.rgba)
        if scale < 1.0:
            image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        converted_s = time.perf_counter()
        data = self._coded(image)
        if len(data) > _TOO_MUCH * budget and self._coarseness < _COARSEST:
            self._steer(len(data), budget)
            data = self._coded(image)
        self._steer(len(data), budget)
        unit = AccessUnit(data, True, converted_s - began_s, time.perf_counter() - converted_s)
        return unit, image.size

    def close(self) -> None:
        """Nothing is kept open."""

    @property
    def _quality(self) -> int:
        """libjpeg's quality for tables of that coarseness."""
        coarseness = self._coarseness
        return round(100 - coarseness / 2) if coarseness < 100 else round(5000 / coarseness)

    def _steer(self, size_bytes: int, budget: int) -> None:
        share = size_bytes / max(1, budget)
        if share > 1.0 or share < _SPARE:
            coarser = self._coarseness * share**_POWER
            self._coarseness = min(max(coarser, _FINEST), _COARSEST)

    def _coded(self, image: Image.Image) -> bytes:
        target = io.BytesIO()
        try:
            image.save(target, "JPEG", quality=self._quality, subsampling=0 if self._sharp else 2)
        except (OSError, ValueError) as error:
            raise StreamError(f"cannot encode a picture of {image.width}x{image.height} as JPEG: {error}") from error
        return target.getvalue()


def _image_of(rgba: npt.NDArray[np.uint8]) -> Image.Image:
    """Return the picture as libjpeg takes it, without a copy if its rows lie end to end; alpha is ignored."""
    height, width = rgba.shape[:2]
    return Image.frombuffer("RGBX", (width, height), np.ascontiguousarray(rgba), "raw", "RGBX", 0, 1)
