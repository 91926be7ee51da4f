"""A window on a dense screen beside stock napari's there: `dense_screen_probe.py URL OUT.npz`, needs a display.

Run with QT_SCALE_FACTOR. The server shows the scene "flat". Prints one line of JSON, and saves pictures of the canvas.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import napari
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import napari_cuda
from gl_window import fix_canvas_size, process_until, put_pointer_away
from integration.test_window_tools import send_mouse
from napari_cuda.client.control.camera import CameraDifference, difference
from scenes import SCENES

CANVAS = (301, 241)
"""Logical pixels, and an odd number: half a pixel is left over at a ratio of 1.5."""

SCALE_BAR = {"visible": True, "colored": True, "position": "top_left", "box": True}
STROKE = [(120, 90), (131, 97), (150, 111)]
CAMERA = {"center": (0.0, 250.0, 380.0), "zoom": 1.375}


def resize(viewer: Any) -> None:
    """Give the canvas its size."""
    fix_canvas_size(viewer, CANVAS)
    assert process_until(lambda: viewer.canvas.size == CANVAS[::-1])


def settle(viewer: Any) -> None:
    """Give the camera its place."""
    viewer.scene.camera.update(CAMERA)
    viewer.canvas.overlays.scale_bar.update(SCALE_BAR)
    labels = viewer.layers["labels"]
    labels.brush_size, labels.selected_label = 7, 3


def paint(viewer: Any) -> None:
    """Draw a stroke on the labels with the mouse; the brush is not to be seen then."""
    viewer.layers.selection.active = labels = viewer.layers["labels"]
    labels.mode = "paint"
    for action, place, held in zip(("press", "move", "release"), STROKE, ([1], [1], []), strict=True):
        send_mouse(viewer, action, *place, button=0 if action == "move" else 1, buttons=held)
        process_until(lambda: False, 0.05)  # vispy drops moves that follow within 10 ms
    labels.mode = "pan_zoom"


def screenshot(viewer: Any) -> np.ndarray:
    """Return the canvas as it is on the screen, drawn twice: a draw may change what the next one draws."""
    viewer.screenshot(canvas_only=True, flash=False)
    process_until(lambda: False, 0.1)
    return np.ascontiguousarray(viewer.screenshot(canvas_only=True, flash=False)[..., :3])


def stock() -> dict[str, np.ndarray]:
    """Return what stock napari shows and draws."""
    viewer = napari.Viewer()
    SCENES["flat"](viewer)
    resize(viewer)
    settle(viewer)
    found = {"stock": screenshot(viewer)}
    paint(viewer)
    found["stock_painted"] = screenshot(viewer)
    viewer.close()
    return found


def remote(url: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return what our window shows and draws, and what is known of it."""
    viewer = napari_cuda.connect(url, timeout_s=60)
    resize(viewer)
    known = viewer._session.loop.state.control.known
    assert process_until(lambda: known("view")["size"] == [*CANVAS[::-1]])  # before, it fits what was in view
    settle(viewer)
    viewer.sync(30)
    pictures = {"exact": viewer.exact_screenshot(60)[..., :3], "window": screenshot(viewer)}
    mirror, frame = viewer._session.mirror, viewer._session.loop.frame
    moved = difference(frame.header.camera, mirror.camera_view())
    facts = {
        "ratio": viewer._session._host.facade.adapter.own_canvas.pixel_ratio,
        "known": known("view"),
        "canvas": frame.header.canvas_size,
        "own": mirror.canvas_is_own,
        "still": moved == CameraDifference(),
        "size": viewer.canvas.size,
    }
    paint(viewer)
    viewer.sync(30)
    pictures["exact_painted"] = viewer.exact_screenshot(60)[..., :3]
    pictures["window_painted"] = screenshot(viewer)
    viewer.scene.camera.zoom *= 1.5
    facts["zoomed"] = difference(frame.header.camera, mirror.camera_view()).zoom
    viewer.sync(30)
    facts["value"] = viewer.layers["labels"].get_value((250, 380), world=True)
    viewer.close()
    return pictures, facts


def main(url: str, out: str) -> None:
    """Compare here what only this process can see, and save the rest."""
    put_pointer_away()
    pictures, facts = remote(url)
    np.savez(out, **pictures, **stock())
    print(json.dumps(facts, default=str), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
