"""A scene with every kind of value under the cursor, and what stock napari says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

CANVAS_PX = (400, 300)
"""(width, height) of the canvas, on which the level of a pyramid depends."""
CENTER = (3.0, 45.0, 60.0)


def add_values(viewer: Any) -> None:
    """Add uint16, float (with NaN), RGB, labels with features, two pyramids, points and shapes."""
    rng = np.random.default_rng(11)
    volume = rng.integers(0, 2**16, (6, 90, 120), np.uint16)
    viewer.add_image(volume, name="uint16")
    floats = rng.normal(0, 1e3, (6, 90, 120)).astype(np.float32)
    floats[:, 40:50, 40:60] = np.nan
    viewer.add_image(floats, name="float", scale=(2, 0.5, 0.5), translate=(1, 3, -4))
    viewer.add_image(rng.integers(0, 256, (90, 120, 3), np.uint8), name="rgb", rgb=True)
    labels = rng.integers(0, 5, (6, 90, 120)) * (volume > 30000)
    features = {"index": [1, 2, 3], "area": [10.5, 20.25, 30.0], "kind": ["a", "b", "c"]}
    viewer.add_labels(labels, name="labels", features=features)
    plane = rng.integers(0, 2**16, (1440, 1920), np.uint16)
    viewer.add_image([plane[::step, ::step] for step in (1, 2, 4, 8)], name="pyramid", scale=(1 / 16, 1 / 16))
    viewer.add_labels([plane[::step, ::step] // 9000 for step in (1, 4)], name="labels pyramid", scale=(1 / 16, 1 / 16))
    spots = rng.uniform((0, 0, 0), (6, 90, 120), (400, 3))
    viewer.add_points(spots, name="points", size=6, features={"number": np.arange(400), "word": ["spot"] * 400})
    corners = rng.uniform((5, 5), (80, 110), (30, 1, 2)) + rng.uniform(-12, 12, (30, 4, 2))
    viewer.add_shapes(list(corners), shape_type="polygon", name="shapes")
    viewer.add_surface(
        (rng.uniform((0, 0, 0), (6, 90, 120), (60, 3)), rng.integers(0, 60, (80, 3)), np.arange(60.0)), name="surface"
    )


def visible(zoom: float) -> npt.NDArray[np.float64]:
    """Return what the canvas shows of a plane at a zoom, [(top, left), (bottom, right)], centred on the scene."""
    return np.array(CENTER[1:]) + np.array([[-0.5], [0.5]]) * CANVAS_PX[::-1] / zoom


def places(count: int, ndisplay: int, zoom: float) -> list[tuple[tuple[float, ...], npt.NDArray[np.float64] | None]]:
    """Return positions on the canvas, some of them beside the data, and the way a cursor looks there (None in 2D)."""
    rng = np.random.default_rng(12)
    top_left, bottom_right = visible(zoom)
    positions = rng.uniform((-1, *top_left), (7, *bottom_right), (count, 3))
    if ndisplay == 2:
        # A cursor in two dimensions is in the slice that is shown.
        positions[:, 0] = CENTER[0]
        return [(tuple(position.tolist()), None) for position in positions]
    directions = rng.normal(0, 1, (count, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return [(tuple(position.tolist()), way) for position, way in zip(positions, directions, strict=True)]


def put_cursor(viewer: Any, position: tuple[float, ...], direction: npt.NDArray[np.float64] | None) -> None:
    """Move the cursor there, as napari's canvas does."""
    viewer.cursor._view_direction = direction
    viewer.cursor.position = position


def draw_stock(viewer: Any) -> None:
    """Tell stock napari's layers what its canvas tells them at each draw of a view in two dimensions."""
    zoom = viewer.scene.camera.zoom
    for layer in viewer.layers:
        layer._update_draw(
            scale_factor=1 / zoom, corner_pixels_displayed=visible(zoom), shape_threshold=np.array(CANVAS_PX[::-1])
        )


SCENES = {"values": add_values}
