"""The client process of a measurement: `python -m napari_cuda.bench.client URL WORKLOAD SECONDS script|window`.

A real client: it sends every input, receives and decodes every picture. Prints a word when it begins
to drive and when it has driven (the parent takes CPU times between the two), then one `Observation`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from napari_cuda import api, workloads
from napari_cuda.bench import fidelity
from napari_cuda.bench.catalogue import WORKLOADS, Workload
from napari_cuda.bench.recording import InputLog, Observation, Shown, latencies_s, percentiles_ms, shown_ages_s
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.playout.frame import Picture
from napari_cuda.client.playout.picture import ExactPicture, YuvPicture
from napari_cuda.client.telemetry import StageTotal
from napari_cuda.protocol.errors import ConnectError
from napari_cuda.protocol.packet import PacketHeader

_WARM_UP_S = 2.0
"""Shaders are compiled, the detail of a volume and the rate of a link found, before anything is measured."""
_KEPT_EVERY_S = 0.5
_MOST_KEPT = 6
"""Moving pictures that are compared with the exact ones: each of these has to be drawn in full."""
_RESTS = 3
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class _Pose:
    """What a step moves."""

    center: tuple[float, ...]
    zoom: float
    angles: tuple[float, ...]
    step: tuple[int, ...]

    @classmethod
    def of(cls, viewer: Any) -> _Pose:
        camera = viewer.scene.camera
        return cls(tuple(camera.center), camera.zoom, tuple(camera.angles), tuple(viewer.dims.current_step))

    def take(self, viewer: Any) -> None:
        camera = viewer.scene.camera
        camera.center, camera.zoom, camera.angles = self.center, self.zoom, self.angles
        viewer.dims.current_step = self.step


class _Witness:
    """Sees every picture. Owner: the driving thread."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.moving: list[tuple[PacketHeader, YuvPicture]] = []
        """A few of them, over the whole drive."""
        self.exact: Shown | None = None
        self._keep_from_s = 0.0

    def see(self, header: PacketHeader, picture: Picture) -> None:
        """Take note of what is shown now."""
        seen = Shown(time.perf_counter(), header.input_id)
        self.shown.append(seen)
        if isinstance(picture, ExactPicture):
            self.exact = seen if header.at_rest else self.exact
        elif isinstance(picture, YuvPicture) and seen.at_s >= self._keep_from_s and len(self.moving) < _MOST_KEPT:
            self._keep_from_s = seen.at_s + _KEPT_EVERY_S
            self.moving.append((header, picture))


def observe(viewer: Any, workload: Workload, seconds: float) -> Observation:
    """Drive a connected viewer and say what it showed."""
    workload.begin(viewer)
    workloads.drive(viewer, workload.step, _WARM_UP_S)
    inputs, poses, witness = InputLog(), list[_Pose](), _Witness()

    def step(viewer: Any, number: int) -> None:
        made_s = time.perf_counter()
        inputs.note(_made(viewer, partial(workload.step, viewer, number)), made_s)
        poses.append(_Pose.of(viewer))

    stages_before = viewer.metrics.totals()
    viewer.watch_pictures(witness.see)
    _say("driving")
    cpu_before_s, began_s = time.process_time(), time.perf_counter()
    outcome = workloads.drive(viewer, step, seconds)
    cpu = (time.process_time() - cpu_before_s) / (time.perf_counter() - began_s)
    _say("driven")
    stages = _per_frame(stages_before, viewer.metrics.totals())
    moving = [shown for shown in witness.shown if shown.at_s <= inputs.newest_s]
    answers_s = latencies_s(inputs, moving)
    kept = [
        (poses[at], header, picture)
        for header, picture in witness.moving
        if (at := inputs.index(header.input_id)) is not None
    ]
    exact_s = [_rest(viewer, partial(workload.step, viewer, number), witness) for number in range(_RESTS)]
    psnr_db, ssim = _likeness(viewer, kept) if isinstance(viewer, RemoteViewer) else (None, None)
    return Observation(
        seconds=outcome.seconds,
        frames=outcome.frames,
        answered=len(answers_s),
        bytes_received=outcome.bytes_received,
        latency_ms=percentiles_ms(answers_s),
        age_ms=percentiles_ms(shown_ages_s(inputs, moving, inputs.newest_s)),
        moving_psnr_db=psnr_db,
        moving_ssim=ssim,
        exact_ms=1e3 * float(np.median(exact_s)),
        cpu=cpu,
        stages=stages,
    )


def _made(viewer: Any, step: Callable[[], None]) -> int:
    """Take a step; return the number that it has, or will have once the window has sent it with what follows."""
    before: int = viewer.newest_input
    step()
    after: int = viewer.newest_input
    return max(after, before + 1)


def _rest(viewer: Any, step: Callable[[], None], witness: _Witness) -> float:
    """Return how long after one last change its exact picture is shown; its hash is checked when it is decoded."""
    viewer.sync(_LONGEST_WAIT_S)
    changed_s = time.perf_counter()
    number = _made(viewer, step)
    while witness.exact is None or witness.exact.input_id < number:
        if time.perf_counter() > changed_s + _LONGEST_WAIT_S:
            raise ConnectError(f"no exact picture came within {_LONGEST_WAIT_S:g} s")
        viewer.pump(0.005)
    return witness.exact.at_s - changed_s


def _likeness(
    viewer: RemoteViewer, kept: list[tuple[_Pose, PacketHeader, YuvPicture]]
) -> tuple[float | None, float | None]:
    """Return the mean PSNR (RGB) and SSIM (luma) of moving pictures against the exact ones of the same pose."""
    psnr_db, ssim = [], []
    for pose, header, picture in kept:
        pose.take(viewer)
        exact: npt.NDArray[np.uint8] = viewer.screenshot(_LONGEST_WAIT_S)
        height, width = exact.shape[:2]
        if header.canvas_size != (width, height):
            continue
        shown = fidelity.rgb_of(picture, header.picture_size)[header.margin :, header.margin :][:height, :width]
        rgb = np.clip(np.rint(shown), 0, 255)
        psnr_db.append(fidelity.psnr_db(rgb, exact[..., :3]))
        ssim.append(fidelity.ssim(fidelity.luma_of(rgb), fidelity.luma_of(exact)))
    return (float(np.mean(psnr_db)), float(np.mean(ssim))) if psnr_db else (None, None)


def _per_frame(before: dict[str, StageTotal], after: dict[str, StageTotal]) -> dict[str, float]:
    """Return the mean seconds of each stage between two looks."""
    means = {}
    for name, total in after.items():
        count = sum(total.buckets) - sum(before[name].buckets)
        if count:
            means[name] = (total.seconds - before[name].seconds) / count
    return means


@contextmanager
def _connected(url: str, kind: str, workload: Workload) -> Iterator[Any]:
    if kind == "script":
        with api.connect(url, window=False, timeout_s=_LONGEST_WAIT_S) as viewer:
            yield viewer
        return
    window = api.connect(url, timeout_s=_LONGEST_WAIT_S)
    try:
        window.pump(0.5)
        _, _, width, height = window.window.geometry()
        missing = np.subtract(workload.size, window.canvas.size[::-1])
        window.window.resize(int(width + missing[0]), int(height + missing[1]))
        window.pump(0.5)
        yield window
    finally:
        window.close()


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main(url: str, name: str, seconds: str, kind: str) -> None:
    """Measure one workload on a server that shows its scene."""
    workload = WORKLOADS[name]
    with _connected(url, kind, workload) as viewer:
        seen = observe(viewer, workload, float(seconds))
    _say(msgspec.json.encode(seen).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
