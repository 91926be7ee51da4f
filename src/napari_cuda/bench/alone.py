"""What each stage of a workload costs alone: `… bench.headless napari_cuda.bench.alone WORKLOAD FRAMES`.

The same scene and steps as the whole chain is measured with, one stage after the other, nothing
beside it. Prints one JSON object: seconds a frame, means.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel

from napari_cuda import workloads
from napari_cuda.bench.catalogue import WORKLOADS
from napari_cuda.bench.scenes import SCENES
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.still import StillDecoder
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import PacketHeader, PacketKind
from napari_cuda.server.encode.choice import EncoderChoice
from napari_cuda.server.encode.effort import Effort
from napari_cuda.server.encode.h264 import H264Encoder
from napari_cuda.server.encode.hub import usable_cores
from napari_cuda.server.encode.still import StillEncoding
from napari_cuda.server.frames import RenderedFrame
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.server.render.drawing import Drawing
from napari_cuda.server.render.egl import EglContext
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.server.render.napari_model import initialise_napari
from napari_cuda.view import Rendering

_MOST_KEPT_BYTES = 150_000_000
"""Of pictures that are encoded and decoded: they are all in memory at once. 40 of 1280 x 720."""
_UNSETTLED = 10
"""The first frames compile shaders, open the codec, and start from a keyframe."""
_RESTS = 3

Rgba = npt.NDArray[np.uint8]
Result = TypeVar("Result")


def stage_seconds(
    viewer: ViewerModel, begin: Callable[[], None], step: Callable[[int], None], size: tuple[int, int], frames: int
) -> dict[str, float]:
    """Return seconds a frame: `render`, `encode` and `decode` of what moves, `full` and `still` of what rests.

    `full` draws in full detail, `still` makes the exact picture's parts and puts them together again. `begin` and
    `step` act on `viewer`, whose scene is drawn on a canvas of `size` (width, height).
    """
    rendered_s, drawn, rested = _render(viewer, begin, step, size, frames)
    encoder, decoder = _encoder(size, full_color=drawn[-1].sharp_color), H264Decoder()
    encoded = [_timed(partial(encoder.encode, frame.buffer.rgba)) for frame in drawn]
    decoded = [_timed(partial(decoder.decode, unit.data)) for _, unit in encoded]
    stills = [_timed(partial(_still, frame.buffer.rgba)) for _, frame in rested]
    settled = slice(min(_UNSETTLED, len(drawn) // 2), None)
    return {
        "render": float(np.mean(rendered_s[_UNSETTLED:])),
        "encode": float(np.mean([spent_s for spent_s, _ in encoded[settled]])),
        "decode": float(np.mean([spent_s for spent_s, _ in decoded[settled]])),
        "full": float(np.median([spent_s for spent_s, _ in rested])),
        "still": float(np.median([spent_s for spent_s, _ in stills])),
    }


def _encoder(size: tuple[int, int], *, full_color: bool) -> H264Encoder:
    """Return what a viewer's stream opens at first, for a client that decodes everything."""
    rate = workloads.INPUTS_PER_S
    threads = Effort(frame_rate=rate, cores=usable_cores()).threads(size)
    return H264Encoder(size, frame_rate=rate, threads=threads, full_color=full_color, backend=EncoderChoice().backend)


def _timed(call: Callable[[], Result]) -> tuple[float, Result]:
    began_s = time.perf_counter()
    result = call()
    return time.perf_counter() - began_s, result


def _render(
    viewer: ViewerModel, begin: Callable[[], None], step: Callable[[int], None], size: tuple[int, int], frames: int
) -> tuple[list[float], list[RenderedFrame], list[tuple[float, RenderedFrame]]]:
    """Draw frames as the server does: seconds of each that moves, the newest of them; seconds and frames that rest."""
    gl = EglContext()
    initialise_napari()
    canvas = HeadlessCanvas(viewer, size, gl)
    drawing = Drawing(canvas, Rendering(), ServerMetrics(), reduce_detail=gl.software)
    begin()
    seconds: list[float] = []
    # Bound: their bytes.
    drawn: deque[RenderedFrame] = deque(maxlen=max(6, _MOST_KEPT_BYTES // (4 * size[0] * size[1])))
    for number in range(frames):
        spent_s, frame = _timed(partial(_moving, viewer, canvas, drawing, partial(step, number)))
        seconds.append(spent_s)
        drawn.append(frame)
    rested = [_timed(partial(_resting, drawing)) for _ in range(_RESTS)]
    canvas.close()
    gl.close()
    return seconds, list(drawn), rested


def _moving(viewer: ViewerModel, canvas: HeadlessCanvas, drawing: Drawing, step: Callable[[], None]) -> RenderedFrame:
    """Take a step, wait for its slices, draw."""
    step()
    canvas.pump()
    while not all(layer.loaded for layer in viewer.layers):
        canvas.pump()
    return drawing.moving(0, {}, overlays=False)


def _resting(drawing: Drawing) -> RenderedFrame:
    """Draw in full, band by band."""
    while (frame := drawing.resting(0, {}, overlays=False)) is None:
        pass
    return frame


def _still(rgba: Rgba) -> None:
    """Make the exact picture's parts and put them together again."""
    encoding, decoder = StillEncoding(rgba), StillDecoder()
    size, digest = (rgba.shape[1], rgba.shape[0]), picture_hash(rgba)
    last = False
    while not last:
        number = encoding.parts
        part, last = encoding.next_part()
        kind = PacketKind.STILL if last else PacketKind.STILL_PART
        header = PacketHeader(kind, 0, 0, 0, 0, 0, size, size, picture_hash=digest, part=number)
        decoder.add(header, part)


def main(name: str, frames: str) -> None:
    """Measure a workload of the catalogue."""
    workload = WORKLOADS[name]
    viewer = ViewerModel()
    SCENES[workload.scene](viewer)
    step = partial(workload.step, viewer)
    result = stage_seconds(viewer, partial(workload.begin, viewer), step, workload.size, int(frames))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
