"""Scenes with much of one thing: a million points, ten thousand shapes, five hundred layers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np


def add_million_points(viewer: Any) -> None:
    """Add 10⁶ points of their own sizes and colours in two dimensions."""
    rng = np.random.default_rng(21)
    places = rng.uniform(0, 4000, (1_000_000, 2))
    viewer.add_points(places, name="points", size=rng.uniform(2, 8, len(places)), face_color="orange", border_width=0)


def add_many_shapes(viewer: Any) -> None:
    """Add 10⁴ triangles."""
    rng = np.random.default_rng(22)
    corners = rng.uniform(0, 2000, (10_000, 1, 2)) + rng.uniform(-10, 10, (10_000, 3, 2))
    viewer.add_shapes(list(corners), shape_type="polygon", name="shapes", edge_width=0)


def add_many_layers(viewer: Any, count: int) -> None:
    """Add small images side by side."""
    rng = np.random.default_rng(23)
    for number in range(count):
        row, column = divmod(number, 25)
        picture = rng.integers(0, 256, (24, 32), np.uint8)
        viewer.add_image(picture, name=f"image {number}", translate=(26 * row, 34 * column))


SCENES = {
    "million points": add_million_points,
    "ten thousand shapes": add_many_shapes,
    "500 layers": partial(add_many_layers, count=500),
    "100 layers": partial(add_many_layers, count=100),
}
