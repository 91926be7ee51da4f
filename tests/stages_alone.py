"""What each stage of the pipeline costs alone: `stages_alone.py SCENE STEP FRAMES`, run headless.

The same scene and steps as the whole chain is measured with, one stage after the other, nothing
beside it. Prints one JSON object: seconds a frame, means.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari_cuda import workloads
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.server.encode.h264 import H264Encoder
from napari_cuda.server.render.detail import FULL, DetailController
from napari_cuda.server.render.egl import EglContext
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.server.render.napari_model import initialise_napari

sys.path.insert(0, str(Path(__file__).parent))
from headless_process import run_headless
from scenes import SCENES

SIZE = (1280, 720)
KEPT = 40
"""Pictures that are encoded and decoded: they are all in memory at once."""


def measure(config: Path, scene: str, step: str, frames: int = 80) -> dict[str, float]:
    """Run this script in a process of its own; seconds of `render`, `encode` and `decode`."""
    done = run_headless(config, Path(__file__), scene, step, str(frames))
    if done.returncode:
        raise RuntimeError(f"{Path(__file__).name} failed:\n{done.stderr[-3000:]}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began_s = time.perf_counter()
    result = call()
    return time.perf_counter() - began_s, result


def render(scene: str, step: str, frames: int) -> tuple[list[float], list[np.ndarray]]:
    """Draw, read and hash the frames of a workload as the server does while it moves."""
    gl = EglContext()
    initialise_napari()
    viewer = ViewerModel()
    SCENES[scene](viewer)
    canvas = HeadlessCanvas(viewer, SIZE, gl)
    viewer.dims.ndisplay = 3 if step == "mip3d" else 2
    viewer.reset_view()
    details = DetailController() if gl.software else None
    seconds: list[float] = []
    pictures: list[np.ndarray] = []
    for number in range(frames):
        detail = details.choose(moving=True, volume=canvas.has_volume()) if details else FULL
        canvas.set_detail(detail.scale, detail.volume_step, detail.nearest)
        width, height = canvas.physical_size_px
        rgba = np.empty((height, width, 4), np.uint8)
        spent_s, _ = timed(
            functools.partial(draw, canvas, rgba, functools.partial(workloads.STEPS[step], viewer, number))
        )
        if details and canvas.has_volume():
            details.observe(detail, spent_s)
        seconds.append(spent_s)
        pictures = [*pictures[-KEPT + 1 :], rgba]
    canvas.close()
    gl.close()
    return seconds, pictures


def draw(canvas: HeadlessCanvas, rgba: np.ndarray, step: Callable[[], None]) -> None:
    """Take a step, wait for its slices, draw."""
    step()
    canvas.pump()
    while not all(layer.loaded for layer in canvas._viewer.layers):
        canvas.pump()
    canvas.draw_into(rgba)
    picture_hash(rgba)


def main(scene: str, step: str, frames: str) -> None:
    rendered_s, pictures = render(scene, step, int(frames))
    encoder, decoder = H264Encoder(SIZE, frame_rate=60), H264Decoder()
    encoded = [timed(functools.partial(encoder.encode, picture)) for picture in pictures]
    decoded = [timed(functools.partial(decoder.decode, unit.data)) for _, unit in encoded]
    # The first frames compile shaders, open the codec, and start from a keyframe.
    settled = slice(10, None)
    seconds = {
        "render": rendered_s,
        "encode": [spent for spent, _ in encoded],
        "decode": [spent for spent, _ in decoded],
    }
    print(json.dumps({stage: float(np.mean(spent[settled])) for stage, spent in seconds.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
