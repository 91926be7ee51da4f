"""Layers of each kind whose elements differ in all that they can differ in."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels, Points, Shapes, Surface, Tracks, Vectors

PLACES = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
COLORS = np.array([[1, 0, 0, 1], [0, 1, 0, 0.5], [0, 0, 1, 1]], np.float32)
STEPS = np.array([[0.0, 0, 1, 1], [0, 1, 2, 2], [1, 2, 3, 3], [2, 2, 4, 4]])
MESH = (PLACES, np.array([[0, 1, 2]]))
FEATURES = {"weight": [0.5, 1.0, 2.0], "kind": ["cell", "debris", "cell"], "good": [True, False, True]}
DAYS = pd.to_datetime(["2026-01-01", "2026-07-01", None])
EVERY_COLUMN = pd.DataFrame(
    {
        "half": np.array([0.5, 1.0, 2.0], np.float16),
        "large": np.array([2**63, 1, 0], np.uint64),
        "phase": [1j, 2.0, 3 - 1j],
        "mixed": pd.Series(["a", 1, None], dtype=object),
        "mixed numbers": pd.Series([True, 2.5, 10**30], dtype=object),
        "missing": pd.Series([np.nan, pd.NA, pd.NaT], dtype=object),
        "moments": pd.Series([dt.date(2026, 1, 2), dt.time(3, 4), pd.Timestamp("2026", tz="UTC")], dtype=object),
        "kind": ["", "é\0", None],
        "words": pd.array(["q", None, "r"], dtype="string"),
        "count": pd.array([1, None, 3], dtype="Int64"),
        "share": pd.array([1.5, None, 3], dtype="Float32"),
        "good": pd.array([True, None, False], dtype="boolean"),
        "class": pd.Categorical(["cell", "debris", None], categories=["debris", "cell", "dust"]),
        "grade": pd.Categorical([1, 2, 1], categories=[2, 1], ordered=True),
        "day": pd.Categorical(DAYS),
        "when": DAYS,
        "when there": DAYS.tz_localize("Europe/Berlin"),
        "when at all": DAYS.tz_localize("UTC"),
        "how long": DAYS - DAYS[0],
    }
)
"""A column of every kind that a layer made here can have there."""

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
    "surface": (
        lambda **options: Surface(MESH, **options),
        {
            "vertex_colors": COLORS,
            "texcoords": np.array([[0, 0], [0, 1.0], [1, 1]]),
            "texture": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
            "features": FEATURES,
        },
    ),
    "labels": (lambda **options: Labels(np.zeros((4, 4), int), **options), {"features": {"area": [0, 4, 2]}}),
}
"""By kind: what makes one, and the options in which its elements differ."""
