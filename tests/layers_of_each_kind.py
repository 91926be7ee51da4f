"""A small layer of each of napari's seven kinds, of three dimensions, on which every row of the table can be set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Points, Shapes, Surface, Tracks, Vectors

_SPOTS = np.array([[2.0, 10.0, 10.0], [2.0, 30.0, 40.0], [5.0, 20.0, 20.0]])
_SQUARE = np.array([[2.0, 0.0, 0.0], [2.0, 0.0, 9.0], [2.0, 9.0, 9.0], [2.0, 9.0, 0.0]])
_STEPS = np.array([[track, t, 4 + 4 * t, 6 + 5 * t + 9 * track] for track in range(2) for t in range(3)], float)


def _features(count: int) -> dict[str, list[float]]:
    return {"weight": [float(number) for number in range(count)]}


def _image() -> Image:
    return Image(np.arange(8 * 48 * 64, dtype=np.uint8).reshape(8, 48, 64), name="image")


def _labels() -> Labels:
    pixels = np.arange(8 * 48 * 64, dtype=np.int32).reshape(8, 48, 64) // 4000
    return Labels(pixels, name="labels", features=_features(6))


def _shapes() -> Shapes:
    squares = [_SQUARE + np.array([0, 12 * number, 3]) for number in range(3)]
    return Shapes(squares, shape_type="polygon", name="shapes", face_color="magenta", features=_features(3))


def _surface() -> Surface:
    mesh = (_SPOTS, np.array([[0, 1, 2]]), np.linspace(0.0, 300.0, 3))
    return Surface(mesh, name="surface", features=_features(3))


_MAKERS: dict[str, Callable[[], Any]] = {
    "image": _image,
    "labels": _labels,
    "points": lambda: Points(_SPOTS, name="points", size=7, face_color="orange", features=_features(3)),
    "shapes": _shapes,
    "surface": _surface,
    "tracks": lambda: Tracks(_STEPS, name="tracks", features=_features(6)),
    "vectors": lambda: Vectors(np.stack([_SPOTS, _SPOTS / 10], axis=1), name="vectors", features=_features(3)),
}


def layer_of(kind: str) -> Any:
    """Return a new layer of a kind."""
    return _MAKERS[kind]()
