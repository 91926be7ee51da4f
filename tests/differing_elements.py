"""Layers of each kind whose elements differ in all that they can differ in."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels, Points, Shapes, Surface, Tracks, Vectors

PLACES = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
COLORS = np.array([[1, 0, 0, 1], [0, 1, 0, 0.5], [0, 0, 1, 1]], np.float32)
STEPS = np.array([[0.0, 0, 1, 1], [0, 1, 2, 2], [1, 2, 3, 3], [2, 2, 4, 4]])
MESH = (PLACES, np.array([[0, 1, 2]]))
FEATURES = {"weight": [0.5, 1.0, 2.0], "kind": ["cell", "debris", "cell"], "good": [True, False, True]}

POINTS: dict[str, Any] = {
    "size": [1.0, 5.0, 9.0],
    "symbol": ["disc", "star", "disc"],
    "border_width": [0.1, 0.2, 0.3],
    "shown": [True, False, True],
    "face_color": COLORS,
    "border_color": COLORS[::-1],
    "features": FEATURES,
    "text": {"string": ["one", "two", "three"], "color": COLORS},
}
SHAPES: dict[str, Any] = {
    "edge_width": [1.0, 2.0, 3.0],
    "z_index": [2, 0, 1],
    "face_color": COLORS,
    "edge_color": COLORS[::-1],
    "features": FEATURES,
    "shape_type": ["rectangle", "ellipse", "polygon"],
}
CORNERS = [np.array([[0.0, 0], [0, 5], [4, 5], [4, 0]]) + 9 * number for number in range(3)]

LAYERS = {
    "points": (lambda **options: Points(PLACES, **options), POINTS),
    "shapes": (lambda **options: Shapes(CORNERS, **options), SHAPES),
    "vectors": (
        lambda **options: Vectors(np.stack([PLACES, PLACES + 1], axis=1), **options),
        {"edge_color": COLORS, "features": FEATURES},
    ),
    "tracks": (
        lambda **options: Tracks(STEPS, **options),
        {"features": {"speed": [1.0, 2.0, 3.0, 4.0]}, "graph": {1: [0], 2: [0]}},
    ),
    "surface": (lambda **options: Surface(MESH, **options), {"vertex_colors": COLORS}),
    "labels": (lambda **options: Labels(np.zeros((4, 4), int), **options), {"features": {"area": [0, 4, 2]}}),
}
"""By kind: what makes one, and the options in which its elements differ."""
