"""What the server's drawing does, looked at from inside its process: `drawing_probe.py NAME [ARG …]`, run headless.

Each probe prints one JSON object.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
from napari.components import ViewerModel
from scipy import ndimage

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.packet import unpack
from napari_cuda.server.encode.choice import EncoderChoice
from napari_cuda.server.encode.hub import StreamHub
from napari_cuda.server.frames import RenderedFrame
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.server.render.drawing import Drawing
from napari_cuda.server.render.egl import EglContext
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.server.render.napari_model import initialise_napari
from napari_cuda.view import Rendering, View

MODES = ("mip", "attenuated_mip", "iso", "translucent", "average", "additive", "minip")


def _blobs() -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((48, 48, 48)), 2)
    return ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)


def _rest(drawing: Drawing) -> tuple[RenderedFrame, int]:
    """Draw the resting picture; return it and the number of its bands."""
    bands = 1
    while (frame := drawing.resting(1, {}, overlays=False)) is None:
        bands += 1
    return frame, bands


def bands(gl: EglContext) -> dict[str, Any]:
    """Compare the picture drawn in bands with that drawn in one go, in every mode, and with two volumes."""
    viewer = ViewerModel()
    canvas = HeadlessCanvas(viewer, (320, 240), gl)
    volume = viewer.add_image(_blobs(), colormap="viridis")
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    viewer.scene.camera.angles = (20.0, 40.0, 70.0)
    drawing = Drawing(canvas, View.of(viewer).rendering, ServerMetrics(), reduce_detail=True)
    whole = np.empty((240, 320, 4), np.uint8)
    same, counts, reduced = {}, [], []

    def compare(name: str) -> None:
        canvas.pump()
        moving = drawing.moving(1, {}, overlays=False)
        reduced.append(not moving.full_detail)
        drawing.resting(1, {}, overlays=False)
        viewer.scene.camera.angles = (21.0, 40.0 + len(counts), 70.0)
        drawing.moving(1, {}, overlays=False)  # the band of before is of another picture
        frame, count = _rest(drawing)
        counts.append(count)
        canvas.set_detail()
        canvas.draw_into(whole)
        same[name] = bool(np.array_equal(frame.buffer.rgba, whole)) and bool(np.ptp(whole[..., :3]) > 50)

    for mode in MODES:
        volume.rendering = mode
        compare(mode)
    volume.rendering = "mip"
    viewer.add_image(_blobs()[::-1], colormap="magenta", blending="additive", rendering="attenuated_mip")
    compare("two volumes")
    canvas.close()
    return {"same": same, "bands": counts, "reduced": reduced}


def grabbed(gl: EglContext) -> dict[str, Any]:
    """Whether what is grabbed of a volume is what came to rest, in each quality, and all that was.

    And whether there was something to draw: before a plane is asked for, then, and once it came and was grabbed.
    """
    viewer = ViewerModel()
    canvas = HeadlessCanvas(viewer, (320, 240), gl)
    viewer.add_image(_blobs(), colormap="viridis")
    viewer.dims.ndisplay = 3
    rendering = Rendering()
    drawing = Drawing(canvas, rendering, ServerMetrics(), reduce_detail=True)
    same, digests = [], []
    for quality, volume_step in (("auto", None), ("fast", None), ("full", 3.0), ("full", None)):
        rendering.quality, rendering.volume_step = quality, volume_step
        canvas.pump()
        drawing.moving(1, {}, overlays=False)
        picture = canvas.grab()
        frame, _ = _rest(drawing)
        same.append(bool(np.array_equal(picture, frame.buffer.rgba)))
        digests.append(str(frame.picture_hash))
    asked = [canvas.needs_draw]
    viewer.dims.ndisplay = 2
    while canvas.needs_draw or not canvas.settled:
        canvas.pump()
        drawing.moving(1, {}, overlays=False)
    viewer.dims.set_current_step(0, 1)
    asked.append(canvas.needs_draw)
    canvas.grab()
    asked.append(canvas.needs_draw)
    canvas.close()
    return {"same": same, "digests": digests, "asked": asked}


WARM_UP = 2000
"""Frames after which the histories of the metrics are full."""
LOOK_EVERY = 500


def soak(gl: EglContext, frames: str, stills_every: str, longest_s: str) -> dict[str, Any]:
    """Draw, encode and deliver frames to one viewer, `frames` or as many as fit; return (frames, resident bytes)."""
    viewer = ViewerModel()
    canvas = HeadlessCanvas(viewer, (64, 48), gl)
    viewer.add_image(np.random.default_rng(0).integers(0, 256, (96, 128), np.uint8))
    metrics = ServerMetrics()
    drawing = Drawing(canvas, View.of(viewer).rendering, metrics, reduce_detail=True)
    hub = StreamHub(metrics, encoders=EncoderChoice("x264"), frame_rate=60, bit_rate=5_000_000, on_room=lambda: None)
    shown = threading.Semaphore(0)

    def deliver(packet: bytes) -> None:
        header, _ = unpack(packet)
        stream.ack(m.PixelAck(header.seq))
        shown.release()

    stream = hub.open("V1", deliver, lambda reason: None, overlays=False)

    def show(count: int) -> None:
        for number in range(count):
            viewer.scene.camera.center = (0.0, 40 + number % 16, 60.0)
            canvas.pump()
            frame = drawing.moving(number, {"V1": number}, overlays=False)
            hub.publish(frame)
            assert shown.acquire(timeout=10)
            if number % int(stills_every) == 0:
                hub.publish(replace(_rest(drawing)[0], at_rest=True))
                assert shown.acquire(timeout=10)

    process, seen, blocks = psutil.Process(), [], []
    began_s = time.monotonic()
    show(WARM_UP)
    threads = threading.active_count()
    shown_frames = 0
    while True:
        gc.collect()
        seen.append((shown_frames, process.memory_info().rss))
        blocks.append(sys.getallocatedblocks())
        if shown_frames >= int(frames) or time.monotonic() - began_s > float(longest_s):
            break
        show(LOOK_EVERY)
        shown_frames += LOOK_EVERY
    threads -= threading.active_count()
    hub.stop()
    canvas.close()
    return {"seen": seen, "blocks": blocks, "threads_lost": threads}


PROBES = {probe.__name__: probe for probe in (bands, grabbed, soak)}

if __name__ == "__main__":
    context = EglContext()
    initialise_napari()
    sys.stdout.write(json.dumps(PROBES[sys.argv[1]](context, *sys.argv[2:])))
