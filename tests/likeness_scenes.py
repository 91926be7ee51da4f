"""Ten scenes in which the window is compared with stock napari's: `docs/likeness.md` shows them side by side.

Functions that add layers to any napari viewer model; the data is the same in every process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SIZE_PX = 384
"""Small data: a window is compared, not speed."""


def _cells(seed: int, count: int = 40, radius: float = 16.0) -> npt.NDArray[np.float32]:
    """Return soft spots, (SIZE_PX, SIZE_PX) float32 from 0 to 1; no noise, which no small file can hold."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX].astype(np.float32)
    picture = np.full(y.shape, 0.04, np.float32)
    for _ in range(count):
        at_y, at_x, width = rng.uniform((0, 0, radius / 2), (SIZE_PX, SIZE_PX, radius))
        picture += rng.uniform(0.3, 1.0) * np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / (2 * width**2))
    return np.clip(picture, 0, 1).astype(np.float32)


def _labels(seed: int) -> npt.NDArray[np.int32]:
    """Return round labels 1, 2, … that do not touch the border, (SIZE_PX, SIZE_PX) int32."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    labels = np.zeros(y.shape, np.int32)
    for number in range(1, 31):
        at_y, at_x, radius = rng.uniform((30, 30, 8), (SIZE_PX - 30, SIZE_PX - 30, 26))
        labels[(y - at_y) ** 2 + (x - at_x) ** 2 < radius**2] = number
    return labels


def _ball(side: int = 48) -> npt.NDArray[np.float32]:
    """Return a hollow ball with a bright knot, (side, side, side) float32 from 0 to 1."""
    z, y, x = (np.mgrid[:side, :side, :side].astype(np.float32) - side / 2) / (side / 2)
    shell = np.exp(-(((z**2 + y**2 + x**2) ** 0.5 - 0.7) ** 2) / 0.01)
    knot = np.exp(-((z - 0.2) ** 2 + (y + 0.3) ** 2 + (x - 0.3) ** 2) / 0.02)
    return np.clip(0.6 * shell + knot, 0, 1).astype(np.float32)


def add_image_with_scale_bar(viewer: Any) -> None:
    """An image with a unit, and the scale bar."""
    viewer.add_image(_cells(1), name="nuclei", colormap="viridis", scale=(0.25, 0.25), units=("um", "um"))
    viewer.canvas.overlays.scale_bar.visible = True


def add_channels(viewer: Any) -> None:
    """Three channels that add up."""
    for seed, color in enumerate(("magenta", "green", "blue"), 1):
        viewer.add_image(_cells(seed), name=f"channel {seed}", colormap=color, blending="additive")
    viewer.layers[1].contrast_limits = (0.1, 0.8)


def add_labels(viewer: Any) -> None:
    """Labels over an image."""
    viewer.add_image(_cells(4), name="membrane")
    viewer.add_labels(_labels(4), name="cells", opacity=0.5)


def add_points_with_text(viewer: Any) -> None:
    """Points with names."""
    viewer.add_image(_cells(5), name="spots", colormap="gray")
    at = np.random.default_rng(5).uniform(40, SIZE_PX - 40, (16, 2))
    names = [f"p{number}" for number in range(len(at))]
    text = {"string": "{name}", "size": 10, "color": "white", "translation": (-12, 0)}
    viewer.add_points(at, name="picks", size=10, face_color="orange", features={"name": names}, text=text)


def add_shapes(viewer: Any) -> None:
    """Every kind of shape."""
    viewer.add_image(_cells(6), name="tissue", colormap="gray_r")
    shapes = viewer.add_shapes(name="regions", ndim=2)
    options = {"edge_width": 3, "edge_color": "royalblue", "face_color": "#ff7f0e80"}
    shapes.add([[30, 30], [30, 120], [100, 120], [100, 30]], shape_type="rectangle", **options)
    shapes.add([[40, 180], [40, 300], [110, 300], [110, 180]], shape_type="ellipse", **options)
    shapes.add([[170, 40], [260, 60], [240, 150], [190, 120]], shape_type="polygon", **options)
    shapes.add([[180, 200], [300, 340]], shape_type="line", **options)
    shapes.add([[300, 40], [330, 90], [280, 130], [350, 180]], shape_type="path", **options)


def add_volume(viewer: Any) -> None:
    """A volume as a maximum intensity projection, seen at an angle."""
    viewer.add_image(_ball(), name="ball", colormap="magma", rendering="mip")
    _turn(viewer)


def add_labels_and_surface(viewer: Any) -> None:
    """Labels in three dimensions, and a surface."""
    viewer.add_labels((_ball() > 0.5).astype(np.int32) * 3, name="segments")
    y, x = np.mgrid[:24, :24]
    vertices = np.stack([24 + 6 * np.sin(x / 4) * np.cos(y / 4), 2.0 * y, 2.0 * x], axis=-1).reshape(-1, 3)
    corner = (y[:-1, :-1] * 24 + x[:-1, :-1]).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 24], -1), np.stack([corner + 1, corner + 25, corner + 24], -1)]
    )
    viewer.add_surface((vertices, faces, vertices[:, 0]), name="sheet", colormap="turbo")
    _turn(viewer)


def add_tracks_and_vectors(viewer: Any) -> None:
    """Tracks and vectors at a time point."""
    rng = np.random.default_rng(8)
    frames = np.arange(20)
    walks = [
        np.column_stack(
            [np.full(20, number), frames, *(rng.uniform(80, 300) + rng.normal(0, 8, 20).cumsum() for _ in "yx")]
        )
        for number in range(10)
    ]
    viewer.add_tracks(np.concatenate(walks), name="walks", tail_width=3)
    y, x = (grid.ravel() for grid in np.mgrid[40:360:32, 40:360:32])
    flow = np.stack([np.column_stack([y, x]), np.column_stack([np.sin(x / 50), np.cos(y / 50)]) * 20], axis=1)
    viewer.add_vectors(flow, name="flow", edge_width=2, edge_color="cyan")
    viewer.dims.set_current_step(0, 15)


def add_grid(viewer: Any) -> None:
    """Four images side by side."""
    for seed, color in enumerate(("gray", "red", "green", "cyan"), 11):
        viewer.add_image(_cells(seed), name=color, colormap=color)
    viewer.canvas.grid.enabled = True


def add_pyramid(viewer: Any) -> None:
    """An image of three levels."""
    full = np.kron(_cells(12), np.ones((4, 4), np.float32))
    viewer.add_image([full, full[::2, ::2], full[::4, ::4]], name="slide", multiscale=True, contrast_limits=(0, 1))


def _turn(viewer: Any) -> None:
    viewer.dims.ndisplay = 3
    viewer.scene.camera.angles = (15.0, 35.0, 60.0)


SCENES = {
    "image and scale bar": add_image_with_scale_bar,
    "three channels": add_channels,
    "labels over image": add_labels,
    "points with text": add_points_with_text,
    "every shape": add_shapes,
    "maximum projection": add_volume,
    "labels and surface": add_labels_and_surface,
    "tracks and vectors": add_tracks_and_vectors,
    "grid": add_grid,
    "pyramid": add_pyramid,
}
"""Every scene by name."""
