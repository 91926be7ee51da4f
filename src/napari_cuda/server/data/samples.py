"""Samples of our own: scenes made of what napari ships, nothing downloaded."""

from __future__ import annotations

from collections.abc import Callable

from napari.components import ViewerModel

_LEVELS = 3


def add_tour(viewer: ViewerModel) -> None:
    """Add napari's 3D balls, with the density as a multiscale image: volume, labels and points."""
    density, labels, points = viewer.open_sample("napari", "balls_3d")
    levels = [density.data[:, :: 2**level, :: 2**level] for level in range(_LEVELS)]
    options = {"name": density.name, "colormap": "magma", "contrast_limits": density.contrast_limits}
    viewer.layers.remove(density)
    multiscale = viewer.add_image(levels, multiscale=True, **options)
    viewer.layers.move(viewer.layers.index(multiscale), 0)
    viewer.layers.selection.active = multiscale
    labels.opacity = 0.5
    points.size = 6


SAMPLES: dict[str, Callable[[ViewerModel], None]] = {"tour": add_tour}
