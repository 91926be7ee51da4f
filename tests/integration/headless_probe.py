"""What the headless canvas does, looked at from inside its process: `headless_probe.py NAME [ARG …]`.

Run by `test_headless_canvas.py` through `napari_cuda.settings.prepare_headless_process`: a
process renders headless or not from its first import on. Each probe prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from napari._vispy.layers.image import VispyImageLayer
from napari.components import ViewerModel
from napari.layers import Image
from napari.settings import get_settings
from napari.utils import Colormap
from qtpy.QtWidgets import QWidget
from scipy import ndimage

from napari_cuda.server.render import (
    napari_adapter,
    napari_model,
    napari_slices,
    napari_window,
    opaque_images,
    resting_uniforms,
)
from napari_cuda.server.render.detail import LADDER, Detail
from napari_cuda.server.render.egl import EglContext
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.server.render.napari_model import initialise_napari
from napari_cuda.server.render.resting_uniforms import with_constants
from napari_cuda.server.render.volume_level import VolumeBudget

sys.path.insert(0, str(Path(__file__).parents[1]))
from scenes import SCENES, add_flat_scene, add_mri_volume

SIZE = (1280, 720)
MAX_TURNS = 20_000


class Stage:
    """A viewer, its canvas, and a buffer that holds the last picture."""

    def __init__(self, gl: EglContext, size: tuple[int, int] = SIZE, viewer: ViewerModel | None = None) -> None:
        self.viewer = ViewerModel() if viewer is None else viewer
        self.woken = threading.Event()
        self.wakers: set[str] = set()
        self.canvas = HeadlessCanvas(self.viewer, size, gl, self.wake)
        self.draws = 0
        self.picture = np.empty(0, np.uint8)

    def wake(self) -> None:
        self.wakers.add(threading.current_thread().name)
        self.woken.set()

    def draw(self) -> np.ndarray:
        width, height = self.canvas.physical_size_px
        self.picture = np.zeros((height, width, 4), np.uint8)
        self.canvas.draw_into(self.picture)
        self.draws += 1
        return self.picture

    def settle(self) -> np.ndarray:
        """Draw as the render loop does, until the picture is final."""
        for _ in range(MAX_TURNS):
            self.canvas.pump()
            if self.canvas.needs_draw:
                self.draw()
            elif self.canvas.settled:
                return self.picture
            else:
                self.woken.wait(5.0)
                self.woken.clear()
        raise AssertionError("the picture never became final")

    def center(self) -> list[int]:
        height, width = self.picture.shape[:2]
        return [int(value) for value in self.picture[height // 2, width // 2]]


class GatedStack:
    """An array of 10 planes of which none can be read before `gate` opens."""

    shape, ndim, dtype = (10, 64, 64), 3, np.dtype(np.uint8)

    def __init__(self) -> None:
        self.gate = threading.Event()

    def __getitem__(self, index: Any) -> np.ndarray:
        if not self.gate.wait(60.0):
            raise TimeoutError("the gate was never opened")
        values = np.arange(10, dtype=np.uint8)[:, None, None] * 20 + 50
        return np.broadcast_to(values, self.shape)[index]


def picture(gl: EglContext, scene: str, out: str, camera: str = "{}") -> dict[str, Any]:
    """Draw a scene and save it; `camera` is JSON of camera properties."""
    stage = Stage(gl)
    SCENES[scene](stage.viewer)
    stage.viewer.scene.camera.update(json.loads(camera))
    np.save(out, stage.settle())
    stage.canvas.close()
    return {"has_volume": stage.canvas.has_volume()}


def ladder(gl: EglContext, scene: str, out: str, camera: str) -> dict[str, Any]:
    """Draw a scene with every detail that the server may choose; save them as `rung0`, `rung1` …"""
    stage = Stage(gl)
    SCENES[scene](stage.viewer)
    stage.viewer.scene.camera.update(json.loads(camera))
    pictures = {}
    for number, rung in enumerate(LADDER):
        stage.canvas.set_detail(rung.detail)
        pictures[f"rung{number}"] = stage.settle().copy()
    np.savez(out, **pictures)
    stage.canvas.close()
    return {"rungs": len(LADDER)}


def flat(gl: EglContext) -> dict[str, Any]:
    """At rest, resize, refusals, row order, in two dimensions."""
    viewer = ViewerModel()
    add_flat_scene(viewer)
    stage = Stage(gl, viewer=viewer)
    viewer.reset_view()
    first = stage.settle()
    draws = stage.draws
    for _ in range(50):
        stage.canvas.pump()
    idle = not stage.canvas.needs_draw and stage.draws == draws
    native = stage.canvas._backend._framebuffer
    native.reads_top_first = not native.reads_top_first
    same_rows = bool(np.array_equal(stage.draw(), first))
    try:
        stage.canvas.draw_into(np.empty((10, 10, 4), np.uint8))
        refused = ""
    except ValueError as error:
        refused = str(error)
    with stage.canvas.enlarged(64):
        wide = stage.draw().copy()
    calm = not stage.canvas.needs_draw and list(viewer.canvas.size) == [SIZE[1], SIZE[0]]
    stage.canvas.resize(640, 480)
    resized = stage.settle().copy()
    fresh = Stage(gl, (640, 480))
    add_flat_scene(fresh.viewer)
    fresh.viewer.scene.camera.center, fresh.viewer.scene.camera.zoom = (
        viewer.scene.camera.center,
        viewer.scene.camera.zoom,
    )
    pose = stage.canvas.camera_pose()
    deleted: list[object] = []
    widget = QWidget()
    widget.destroyed.connect(deleted.append)
    widget.deleteLater()
    stage.canvas.pump()
    widget_deleted = len(deleted) == 1
    result = {
        "early_layers_drawn": len(np.unique(first)) > 50,
        "idle": idle,
        "same_rows": same_rows,
        "refused": refused,
        "margin": {
            "calm": calm,
            "differing": float((wide[64:-64, 64:-64] != first).any(axis=-1).mean()),
            "around": float(wide[:64].mean()),
        },
        "model_size": list(viewer.canvas.size),
        "resized_like_fresh": bool(np.array_equal(resized, fresh.settle())),
        "resized_mean": float(resized[..., :3].mean()),
        "pose_matches": (*pose.center, pose.zoom) == (*viewer.scene.camera.center, viewer.scene.camera.zoom),
        "widget_deleted": widget_deleted,
        "has_volume": stage.canvas.has_volume(),
    }
    fresh.canvas.close()
    stage.canvas.close()
    return result


def slicing(gl: EglContext) -> dict[str, Any]:
    """Ten steps through a stack that cannot be read yet: nothing blocks, the last one shows."""
    stage = Stage(gl)
    data = GatedStack()
    layer = stage.viewer.add_image(data, contrast_limits=(0, 255), multiscale=False)
    for step in range(10):
        stage.viewer.dims.set_current_step(0, step)
        stage.canvas.pump()
        stage.draw()
    before = {"settled": stage.canvas.settled, "loaded": layer.loaded, "wakers": len(stage.wakers)}
    data.gate.set()
    stage.settle()
    result = {
        "before": before,
        "center": stage.center(),
        "wakers": len(stage.wakers),
        "woken_by_main": threading.main_thread().name in stage.wakers,
    }
    stage.canvas.close()
    return result


class HangingPlane(GatedStack):
    """The same, but only plane 5 waits for the gate."""

    def __getitem__(self, index: Any) -> np.ndarray:
        if 5 in np.ravel(np.arange(10)[index[0]]):
            return super().__getitem__(index)
        values = np.arange(10, dtype=np.uint8)[:, None, None] * 20 + 50
        return np.broadcast_to(values, self.shape)[index]


def giving_up(gl: EglContext) -> dict[str, Any]:
    """A slice that hangs is given up: the older one stays, the next one comes, and the late one is not shown."""
    stage = Stage(gl)
    data = HangingPlane()
    layer = stage.viewer.add_image(data, contrast_limits=(0, 255), multiscale=False)
    stage.viewer.dims.set_current_step(0, 0)
    stage.settle()
    stage.viewer.dims.set_current_step(0, 5)
    stage.canvas.pump()
    waits = not layer.loaded
    (task,) = stage.viewer._layer_slicer._layers_to_task.values()
    while not task.running():
        time.sleep(0.001)
    stage.canvas.give_up_slices()
    result = {"waits": waits, "loaded": layer.loaded}
    stage.draw()
    result["older"] = stage.center()
    stage.viewer.dims.set_current_step(0, 7)
    stage.settle()
    result["newer"] = stage.center()
    data.gate.set()
    task.result(60)
    stage.settle()
    result["late"] = stage.center()
    stage.canvas.close()
    return result


def multiscale(gl: EglContext) -> dict[str, Any]:
    """A pyramid whose levels differ in value: the picture says which level it shows."""
    stage = Stage(gl)
    pyramid = [np.full((8192 >> level,) * 2, 40 * (level + 1), np.uint8) for level in range(5)]
    layer = stage.viewer.add_image(pyramid, contrast_limits=(0, 255), multiscale=True)
    stage.viewer.reset_view()
    stage.settle()
    fit = {"level": layer.data_level, "center": stage.center()}
    stage.viewer.scene.camera.zoom = 1.0
    drawn = stage.draws
    stage.settle()
    near = {"level": layer.data_level, "center": stage.center(), "draws": stage.draws - drawn}
    stage.canvas.close()
    return {"fit": fit, "near": near}


def detail(gl: EglContext) -> dict[str, Any]:
    """Less detail and back, also when the model changes in between."""
    stage = Stage(gl)
    add_mri_volume(stage.viewer)
    layer = stage.viewer.layers[0]
    full = stage.settle().copy()
    stage.canvas.set_detail(Detail(0.5, 2.0, True))
    wanted = stage.canvas.needs_draw
    coarse = stage.settle().copy()
    model = [layer.interpolation3d, list(stage.canvas.size_px), list(stage.viewer.canvas.size)]
    stage.canvas.set_detail(Detail(1 / 3, 3.0, True))
    stage.settle()
    stage.canvas.set_detail()
    again = stage.settle().copy()
    stage.canvas.set_detail(Detail(0.5, 2.0, True))
    stage.settle()
    layer.interpolation3d = "nearest"
    stage.canvas.set_detail()
    nearest_late = stage.settle().copy()
    fresh = Stage(gl)
    add_mri_volume(fresh.viewer)
    fresh.viewer.layers[0].interpolation3d = "nearest"
    error = coarse[..., :3].astype(float) - full[::2, ::2, :3]
    result = {
        "wanted": wanted,
        "coarse_shape": list(coarse.shape),
        "coarse_psnr_db": float(10 * np.log10(255**2 / (error**2).mean())),
        "model": model,
        "identical": bool(np.array_equal(full, again)),
        "model_change_survives": bool(np.array_equal(nearest_late, fresh.settle())),
        "nearest_differs": not np.array_equal(nearest_late, full),
        "has_volume": stage.canvas.has_volume(),
    }
    fresh.canvas.close()
    stage.canvas.close()
    return result


def resting(gl: EglContext, scene: str) -> dict[str, Any]:
    """A gamma that is dragged, with and without uniforms as constants."""

    def drag() -> list[np.ndarray]:
        stage = Stage(gl, (480, 320))
        SCENES[scene](stage.viewer)
        pictures = [stage.settle().copy()]
        for gamma in (0.5, 0.7, 1.0):
            for layer in stage.viewer.layers:
                if isinstance(layer, Image):
                    layer.gamma = gamma
            pictures.append(stage.settle().copy())
        stage.canvas.close()
        return pictures

    compiled: list[dict[str, float]] = []

    def note(code: str, varying: frozenset[str]) -> tuple[str, dict[str, float]]:
        made = with_constants(code, varying)
        compiled.append(made[1])
        return made

    with patch.object(resting_uniforms, "with_constants", note):
        pictures = drag()
    with patch.object(resting_uniforms, "RESTING", {}):
        plain = drag()
    return {
        "same": [bool(np.array_equal(one, other)) for one, other in zip(pictures, plain, strict=True)],
        "dragged": [not np.array_equal(pictures[0], one) for one in pictures],
        "compiled": [sorted(constants) for constants in compiled],
    }


def blended(gl: EglContext) -> dict[str, Any]:
    """Two images, one over the other, in all ways that let something through, with and without needless blending."""
    rng = np.random.default_rng(5)
    whole, part = rng.integers(0, 255, (240, 320), np.uint8), rng.integers(0, 999, (120, 200), np.uint16)
    holes = np.where(part > 500, np.nan, part).astype(np.float32)
    steps: list[tuple[str, Any]] = [
        ("name", "as it came"),
        ("opacity", 0.5),
        ("opacity", 1.0),
        ("colormap", Colormap([[0, 0, 0, 0], [1, 0.5, 0.2, 1]], name="fading")),
        ("colormap", Colormap([[0, 0, 0], [1, 0.5, 0.2]], name="hollow", low_color=[0, 0, 0, 0])),
        ("colormap", "viridis"),
        *(("blending", blending) for blending in ("additive", "opaque", "minimum", "translucent_no_depth")),
        ("data", holes),
        ("data", part),
    ]

    def go_through() -> tuple[list[np.ndarray], list[bool]]:
        stage = Stage(gl, (320, 240))
        stage.viewer.add_image(whole, colormap="magma")
        top = stage.viewer.add_image(part, translate=(40, 60), contrast_limits=(200, 999))
        pictures, blends = [], []
        for name, value in steps:
            setattr(top, name, value)
            pictures.append(stage.settle().copy())
            blends.append(bool(stage.canvas._canvas.layer_to_visual[top].node._vshare.gl_state["blend"]))
        stage.canvas.close()
        return pictures, blends

    pictures, blends = go_through()
    with patch.object(napari_adapter, "SparinglyBlendedImage", VispyImageLayer):
        plain, _ = go_through()
    return {
        "same": [bool(np.array_equal(one, other)) for one, other in zip(pictures, plain, strict=True)],
        "seen": len({one.tobytes() for one in pictures}),
        "blends": blends,
    }


def volume_pyramid() -> list[np.ndarray]:
    """Return four levels of blobs in noise, (128, 160, 192) uint8 and halves of it."""
    rng = np.random.default_rng(5)
    blobs = ndimage.gaussian_filter((rng.random((128, 160, 192)) > 0.9995).astype(np.float32), 3)
    level = np.clip(220 * blobs / blobs.max() + 30 * rng.random(blobs.shape), 0, 255)
    levels = [level]
    while len(levels) < 4:
        z, y, x = level.shape
        level = level.reshape(z // 2, 2, y // 2, 2, x // 2, 2).mean(axis=(1, 3, 5))
        levels.append(level)
    return [level.astype(np.uint8) for level in levels]


POSES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"center": (64, 80, 96), "zoom": 12.0, "angles": (0, 0, 90)}, {}),
    ({"center": (90, 60, 120), "zoom": 20.0, "angles": (8, 5, 80)}, {"rendering": "average"}),
    (
        {"center": (64, 80, 96), "zoom": 50.0, "angles": (-4, 3, 93), "perspective": 20.0},
        {"rendering": "attenuated_mip"},
    ),
    ({"center": (40, 190, 80), "zoom": 14.0, "angles": (5, 80, 10)}, {"scale": (1, 2, 1), "translate": (-20, 10, 5)}),
    ({"center": (12, 80, 14), "zoom": 14.0, "angles": (0, 0, 90)}, {}),  # a part that begins where the volume does
    ({"center": (60, 60, 100), "zoom": 24.0, "angles": (3, -6, 95)}, {"rotate": (5.0, 0.0, 8.0), "rendering": "minip"}),
]


def values_seen(viewer: ViewerModel) -> list[Any]:
    """Return the values of the newest layer under 40 places of the middle of the canvas."""
    camera, layer = viewer.scene.camera, viewer.layers[-1]
    view, up = np.array(camera.view_direction), np.array(camera.up_direction)
    right = np.cross(view, up)
    places = np.random.default_rng(6).uniform(-70, 70, (40, 2)) / camera.zoom
    found = []
    for down, across in places:
        position = np.array(camera.center) + down * up + across * right
        value = layer.get_value(position, view_direction=view, dims_displayed=[0, 1, 2], world=True)
        found.append(None if value is None or value[1] is None else [int(number) for number in value])
    return found


def parts(gl: EglContext) -> dict[str, Any]:
    """A volume that is too large at its fine levels: what is shown of it where, beside all of the same level."""
    stage = Stage(gl, (320, 240))
    stage.canvas._slices._volumes = VolumeBudget(2**18, 2**20)
    stage.viewer.dims.ndisplay = 3
    found = []
    for camera, options in POSES:
        stage.viewer.layers.clear()
        stage.viewer.scene.camera.perspective = 0
        layer = stage.viewer.add_image(volume_pyramid(), multiscale=True, contrast_limits=(0, 255), **options)
        stage.viewer.reset_view()
        stage.settle()
        before = (layer.data_level, layer._slice.image.raw.shape)
        stage.viewer.scene.camera.update(camera)
        part = stage.settle().copy()
        level, shape = layer.data_level, layer._slice.image.raw.shape
        values = values_seen(stage.viewer)
        draws = stage.draws
        for _ in range(20):
            stage.canvas.pump()
        calm = stage.draws == draws and not stage.canvas.needs_draw
        layer.locked_data_level = level
        whole = stage.settle()
        error = float(((part.astype(float) - whole)[..., :3] ** 2).mean())
        found.append(
            {
                "before": before,
                "level": level,
                "shape": shape,
                "of": layer._slice.image.raw.shape,
                "calm": calm,
                "psnr_db": min(99.0, float(10 * np.log10(255**2 / max(error, 1e-9)))),
                "contrast": float(whole[..., :3].std()),
                "values": values,
                "values_of_all": values_seen(stage.viewer),
            }
        )
    stage.canvas.close()
    return {"found": found}


def names(gl: EglContext) -> dict[str, Any]:
    """Which of the adapters' private napari names are missing."""
    stage = Stage(gl)
    layer = stage.viewer.add_image(np.zeros((8, 8), np.uint8))
    shapes = stage.viewer.add_shapes(np.eye(2), shape_type="line")
    canvas = stage.canvas._canvas
    roots = {
        "canvas": canvas,
        "viewer": stage.viewer,
        "layer": layer,
        "shapes": shapes,
        "visual": canvas.layer_to_visual[layer],
    }
    missing = [
        name
        for module in (napari_adapter, napari_model, napari_slices, napari_window, opaque_images)
        for name in module.PRIVATE_NAMES
        if not _resolves(name, roots)
    ]
    stage.canvas.close()
    return {"missing": missing}


def _resolves(name: str, roots: dict[str, Any]) -> bool:
    first, *rest = name.split(".")
    found = roots.get(first, sys.modules.get(first))
    path = first
    for part in rest:
        path += "." + part
        if not hasattr(found, part) and path not in sys.modules:
            return False
        # A module that nobody imported as an attribute is still a module.
        found = getattr(found, part, sys.modules.get(path))
    return True


def leave(gl: EglContext, closes: str) -> dict[str, Any]:
    """Draw two and three dimensions, then leave the process with the canvas open or closed."""
    stage = Stage(gl, (320, 240))
    add_flat_scene(stage.viewer)
    stage.viewer.add_image(np.random.default_rng(0).random((16, 16, 16), np.float32))
    stage.viewer.dims.ndisplay = 3
    stage.settle()
    if closes == "close":
        stage.canvas.close()
        gl.close()
    else:
        globals()["_kept"] = stage
    return {"draws": stage.draws}


def removal(gl: EglContext) -> dict[str, Any]:
    """Layers come and go: what OpenGL holds for them goes too, once nobody waits for a picture."""
    stage = Stage(gl, (320, 240))
    stage.viewer.add_image(np.zeros((8, 8), np.uint8))
    kept = stage.canvas._canvas._scene_canvas.context.shared.parser._objects
    held = []
    for _ in range(3):
        for number in range(10):
            stage.viewer.add_image(np.full((8, 8), number, np.uint8))
        stage.settle()
        many = len(kept)
        del stage.viewer.layers[1:]
        stage.settle()
        stage.canvas.pump()
        waits = len(kept) == many
        stage.canvas._drawn_s -= 2 * napari_adapter.COLLECT_AFTER_S
        stage.canvas.pump()
        stage.draw()
        held.append((waits, many, len(kept)))
    stage.canvas.close()
    return {"held": held}


PROBES = {
    probe.__name__: probe
    for probe in (
        picture,
        ladder,
        flat,
        slicing,
        giving_up,
        multiscale,
        parts,
        detail,
        resting,
        blended,
        names,
        removal,
        leave,
    )
}


def main(name: str, *args: str) -> None:
    gl = EglContext()
    initialise_napari()
    result = PROBES[name](gl, *args)
    sys.stdout.write(json.dumps({**result, "napari_config": str(get_settings().config_path)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
