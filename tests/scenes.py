"""Scenes for tests and benchmarks: functions that add layers to any napari viewer model.

The data is the same in every process, so that pictures of two processes can be compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import dask_cluster
import data_scenes
import likeness_scenes
import scale_scenes
import value_scenes
from layers_of_each_kind import layer_of
from napari_cuda.bench.scenes import add_volume, mri_volume


def smooth_image(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return (height, width) uint8: waves and a little noise, full range."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = np.sin(x / 23.0) * np.cos(y / 31.0) + np.sin((x + 2 * y) / 57.0)
    noise = np.random.default_rng(seed).normal(0.0, 0.1, waves.shape)
    return np.clip((waves + noise + 2.0) * 63.75, 0, 255).astype(np.uint8)


def add_flat_scene(viewer: Any) -> None:
    """Add an image, labels and points: 512 x 768 pixels, in two dimensions."""
    viewer.add_image(smooth_image(512, 768), name="image", colormap="viridis")
    y, x = np.mgrid[:512, :768]
    labels = ((y // 64) * 12 + x // 64) * (((y % 64) > 12) & ((x % 64) > 12))
    viewer.add_labels(labels.astype(np.int32), name="labels", opacity=0.4)
    points = np.random.default_rng(1).uniform((0, 0), (512, 768), (60, 2))
    viewer.add_points(points, name="points", size=14, face_color="orange", border_color="black")


def wide_image() -> npt.NDArray[np.uint8]:
    """Return (900, 4000) uint8, nowhere darker than 60."""
    return smooth_image(900, 4000) // 2 + 60


def add_wide_image(viewer: Any) -> None:
    """Add an image that reaches far beyond any canvas to its left and right, in its own grey values."""
    viewer.add_image(wide_image(), name="wide", contrast_limits=(0, 255))


def add_magnified_noise(viewer: Any) -> None:
    """Add noise of 16 bits between limits and in colours in which a pixel shows how its value is rounded."""
    noise = np.random.default_rng(7).integers(0, 65536, (720, 1280), np.uint16)
    viewer.add_image(noise, name="noise", contrast_limits=(1234, 61234), colormap="viridis")
    viewer.scene.camera.zoom = 1.7


def add_mri_volume(viewer: Any) -> None:
    """Add the MRI head as a maximum intensity projection, seen at an angle in three dimensions."""
    viewer.add_image(mri_volume(), name="T1", rendering="mip", colormap="gray")
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    viewer.scene.camera.angles = (20.0, 40.0, 70.0)


def add_noisy_volume(viewer: Any) -> None:
    """Add the benchmark's noisy volume of 128 x 128 x 128 voxels, bright, seen at an angle in three dimensions."""
    add_volume(viewer)
    viewer.layers[-1].contrast_limits = (0, 2400)
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    viewer.scene.camera.angles = (20.0, 40.0, 70.0)


def add_color_patches(viewer: Any) -> None:
    """Add 24 flat RGB patches, 4 rows of 6, of 64 x 64 pixels each: what a codec does to colour."""
    levels = np.array([0, 64, 128, 192, 255])
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0)]
    colors += [(int(v), int(v), int(v)) for v in levels] + [(16, 16, 16)]
    colors += [(int(v), int(255 - v), 128) for v in (32, 80, 120, 160, 200, 240)]
    colors += [(235, 16, 64), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170)]
    grid = np.array(colors, np.uint8).reshape(4, 6, 3)
    viewer.add_image(grid.repeat(64, axis=0).repeat(64, axis=1), name="patches", rgb=True)


def add_blending_scene(viewer: Any) -> None:
    """Add layers whose blending reads the framebuffer's alpha: opaque, minimum, then additive."""
    viewer.add_image(smooth_image(256, 384, 2), name="base")
    shifted = {"translate": (32, 32)}
    viewer.add_image(
        smooth_image(192, 256, 3), name="opaque", blending="opaque", opacity=0.5, colormap="red", **shifted
    )
    viewer.add_image(smooth_image(128, 300, 4), name="minimum", blending="minimum", opacity=0.6, translate=(100, 40))
    viewer.add_image(
        smooth_image(200, 200, 5), name="additive", blending="additive", colormap="green", translate=(20, 90)
    )


def add_image_and_labels(viewer: Any) -> None:
    """Add an image and labels of (10, 64, 80)."""
    volume = np.random.default_rng(6).integers(0, 256, (10, 64, 80), np.uint8)
    viewer.add_image(volume, name="volume")
    viewer.add_labels((volume[:, ::-1] // 32).astype(np.int32), name="cells")


def add_properties_scene(viewer: Any) -> None:
    """Add one layer of each kind of three dimensions: what every row of the property table can be set on."""
    for kind in ("image", "labels", "points", "shapes", "surface", "tracks", "vectors"):
        viewer.add_layer(layer_of(kind))


def add_lazy_planes(viewer: Any) -> None:
    """Add planes that are computed when they are seen, and say by whom."""
    viewer.add_image(dask_cluster.lazy_planes(), name="lazy", contrast_limits=(0, 255))
    viewer.dims.set_current_step(0, 0)


def add_every_kind(viewer: Any) -> None:
    """Add one layer of each of napari's seven types, in three dimensions; the points have four."""
    rng = np.random.default_rng(7)
    viewer.add_image(rng.integers(0, 256, (8, 48, 64), np.uint8), name="an image")
    viewer.add_labels(rng.integers(0, 5, (8, 48, 64)), name="some labels")
    spots = [[t, z, *rng.uniform((5, 5), (43, 59))] for t in range(2) for z in range(8) for _ in range(4)]
    viewer.add_points(np.array(spots), name="some points", size=5)
    corners = np.array([[10.0, 10.0], [10.0, 40.0], [30.0, 40.0]])
    viewer.add_shapes([corners], shape_type="polygon", name="some shapes", face_color="magenta")
    vertices = np.array([[5.0, 5], [5, 50], [40, 50], [40, 5]])
    viewer.add_surface((vertices, np.array([[0, 1, 2], [0, 2, 3]]), np.linspace(0, 1, 4)), name="a surface")
    steps = [[track, t, 4 + t * 4, 6 + t * 5 + track * 9] for track in range(2) for t in range(8)]
    viewer.add_tracks(np.array(steps, float), name="some tracks")
    starts = [[z, *rng.uniform((5, 5), (43, 59))] for z in range(8) for _ in range(4)]
    arrows = np.stack([np.array(starts), rng.uniform(-4, 4, (32, 3)) * (0, 1, 1)], axis=1)
    viewer.add_vectors(arrows, name="some vectors", edge_width=0.5)


def add_many_layers(viewer: Any) -> None:
    """Add an image and sixteen small ones beside it, to be removed one after the other."""
    viewer.add_image(smooth_image(128, 160), name="image")
    for number in range(16):
        viewer.add_image(smooth_image(12, 8, number), name=f"small {number}", translate=(132, 10 * number))


def add_tools_scene(viewer: Any) -> None:
    """Add labels to draw on, of (4, 48, 64), points and shapes; there are none of these yet."""
    z, y, x = np.mgrid[:4, :48, :64]
    labels = np.where((y % 16 > 3) & (x % 16 > 3), (y // 16) * 4 + x // 16 + 1, 0)
    viewer.add_labels(np.where(z < 3, labels, 0).astype(np.int32), name="cells")
    viewer.add_points(np.empty((0, 2)), name="spots", size=3)  # napari pastes points in 2D only
    viewer.add_shapes(None, ndim=3, name="outlines", face_color="magenta")
    viewer.add_points([[z, 10, 10] for z in range(4)], name="column", size=4)


def large_volume() -> npt.NDArray[np.uint8]:
    """Return (256, 256, 256) uint8: z, and half of it in every second square of 4 x 4 voxels."""
    z, y, x = np.ogrid[:256, :256, :256]
    return (z // (1 + (y // 4 + x // 4) % 2)).astype(np.uint8)


def large_blocks() -> npt.NDArray[np.uint16]:
    """Return (256, 256, 256) uint16: cubes of 32 voxels, each of a label, and four voxels of nothing around each."""
    axes = np.ogrid[:256, :256, :256]
    z, y, x = (axis // 32 for axis in axes)
    inside = np.logical_and.reduce(np.broadcast_arrays(*(np.abs(axis % 32 - 15.5) < 14 for axis in axes)))
    return np.where(inside, 64 * z + 8 * y + x + 1, 0).astype(np.uint16)


def add_large_volumes(viewer: Any) -> None:
    """Add an image and labels of three levels; the finest is too much to be drawn as a volume, all of it."""
    image, blocks = large_volume(), large_blocks()
    strides = [slice(None, None, 2**level) for level in range(3)]
    viewer.add_image([image[s, s, s] for s in strides], name="image", contrast_limits=(0, 255), multiscale=True)
    viewer.add_labels([blocks[s, s, s] for s in strides], name="blocks", multiscale=True, visible=False)
    viewer.dims.ndisplay = 3


def add_layers_to_work_on(viewer: Any) -> None:
    """Add small layers that every entry of the layer menu has something to do on."""
    rng = np.random.default_rng(8)
    viewer.add_image(rng.integers(20, 90, (4, 16, 20), np.uint8), name="stack")
    for name in ("red", "green", "blue"):
        viewer.add_image(rng.integers(20, 90, (16, 20), np.uint8), name=name, colormap=name)
    viewer.add_image(rng.integers(0, 255, (16, 20, 3), np.uint8), name="colors", rgb=True)
    viewer.add_labels(rng.integers(0, 5, (16, 20)), name="cells")
    pixels = rng.integers(0, 255, (64, 64), np.uint8)
    viewer.add_image([pixels, pixels[::2, ::2]], name="pyramid", contrast_limits=(0, 255))
    viewer.add_shapes([np.array([[2.0, 2], [2, 9], [9, 9]])], shape_type="polygon", name="outline")


SCENES = (
    data_scenes.SCENES
    | likeness_scenes.SCENES
    | scale_scenes.SCENES
    | value_scenes.SCENES
    | {
        "tools": add_tools_scene,
        "flat": add_flat_scene,
        "many": add_many_layers,
        "mri": add_mri_volume,
        "mip3d": add_noisy_volume,
        "noise": add_magnified_noise,
        "wide": add_wide_image,
        "patches": add_color_patches,
        "blending": add_blending_scene,
        "image and labels": add_image_and_labels,
        "every kind": add_every_kind,
        "lazy": add_lazy_planes,
        "large volumes": add_large_volumes,
        "to work on": add_layers_to_work_on,
        "properties": add_properties_scene,
    }
)
"""Every scene by name."""
