"""Workloads: what a user's hand does to a viewer, and what came of it; for demo, benchmarks and tests."""

from __future__ import annotations

import math
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from prometheus_client.parser import text_string_to_metric_families

from napari_cuda.client.telemetry import ClientMetrics, StageStats
from napari_cuda.server_process import ServerProcess

INPUTS_PER_S = 60


class Driven(Protocol):
    """A connected viewer, with or without a window."""

    scene: Any
    dims: Any

    @property
    def metrics(self) -> ClientMetrics:
        """Counters and stage times of the client."""

    def sync(self, timeout_s: float = 10.0) -> int:
        """Wait until all that was set is shown."""

    def pump(self, timeout_s: float = 0.0) -> None:
        """Take in what the server sent."""


Step = Callable[[Any, int], None]
"""One input of an interaction: the viewer, and the input's number."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a drive showed. `latency` is from input to shown picture; None if nothing was shown."""

    inputs: int
    seconds: float
    frames: int
    bytes_received: int
    latency: StageStats | None

    @property
    def frames_per_s(self) -> float:
        """Pictures shown per second."""
        return self.frames / self.seconds

    @property
    def bytes_per_frame(self) -> float:
        """Bytes received for each picture shown."""
        return self.bytes_received / max(1, self.frames)


def drive(
    viewer: Driven, step: Step, seconds: float, *, between: Callable[[int], object] = lambda number: None
) -> Outcome:
    """Take `step` 60 times a second; `between` is called after each with its number.

    A step that comes late is taken at once: however slow the machine, all inputs are made.
    """
    viewer.sync(timeout_s=60)
    before = viewer.metrics.counts()
    viewer.metrics.forget("input_to_photon")
    inputs = round(seconds * INPUTS_PER_S)
    began_s = time.monotonic()
    for number in range(inputs):
        step(viewer, number)
        between(number)
        viewer.pump(max(0.0, began_s + (number + 1) / INPUTS_PER_S - time.monotonic()))
    elapsed_s = time.monotonic() - began_s
    after = viewer.metrics.counts()
    viewer.sync(timeout_s=60)
    return Outcome(
        inputs=inputs,
        seconds=elapsed_s,
        frames=after["frames_shown"] - before.get("frames_shown", 0),
        bytes_received=after["bytes_received"] - before.get("bytes_received", 0),
        latency=viewer.metrics.stage("input_to_photon"),
    )


def pan(viewer: Driven, number: int) -> None:
    """Move round a circle of about 50 pixels, three seconds a turn."""
    camera, angle = viewer.scene.camera, math.tau * number / 180
    z, y, x = camera.center
    reach = math.tau / 180 * 50 / camera.zoom
    camera.center = (z, y + reach * math.sin(angle), x + reach * math.cos(angle))


def drag(viewer: Driven, number: int) -> None:
    """Move 320 pixels to the right, back and beyond, four pixels at a time."""
    camera = viewer.scene.camera
    z, y, x = camera.center
    camera.center = (z, y, x + (4 if 80 <= number % 320 < 240 else -4) / camera.zoom)


def zoom(viewer: Driven, number: int) -> None:
    """Zoom in by half and out again."""
    viewer.scene.camera.zoom *= 1.01 if number % 80 < 40 else 1 / 1.01


def scroll(viewer: Driven, number: int) -> None:
    """Go through the slices of the first dimension, to and fro."""
    steps = int(viewer.dims.nsteps[0])
    turn = number % (2 * steps)
    viewer.dims.set_current_step(0, turn if turn < steps else 2 * steps - 1 - turn)


def rotate(viewer: Driven, number: int) -> None:
    """Turn a volume."""
    viewer.scene.camera.angles = (number * 0.7, number * 0.4, 90)


STEPS: Mapping[str, Step] = MappingProxyType({"pan2d": pan, "zoom": zoom, "slice": scroll, "mip3d": rotate})
"""Every kind of interaction by name; the last needs three displayed dimensions."""


def server_samples(server: ServerProcess, family: str) -> dict[str, float]:
    """Return the samples of one metric of a server's `/metrics`, by suffix and label values.

    `events` gives `{"total intents_applied": 12.0, …}`, `stage_seconds` also `"sum render"`.
    """
    return _samples(server, f"napari_cuda_server_{family}")


def server_cpu_s(server: ServerProcess) -> float | None:
    """Return the CPU time that a server has had; None where its system does not tell (only Linux does)."""
    return _samples(server, "process_cpu_seconds").get("total")


def _samples(server: ServerProcess, name: str) -> dict[str, float]:
    request = urllib.request.Request(f"{server.url}metrics", headers={"Authorization": f"Bearer {server.token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read().decode()
    return {
        " ".join([sample.name.removeprefix(name).removeprefix("_"), *sample.labels.values()]).strip(): sample.value
        for found in text_string_to_metric_families(text)
        if found.name == name
        for sample in found.samples
    }


def server_stages(server: ServerProcess) -> dict[str, tuple[float, float]]:
    """Return (frames, total seconds) of each stage of a server."""
    samples = server_samples(server, "stage_seconds")
    counts = {name.removeprefix("count "): n for name, n in samples.items() if name.startswith("count ") and n}
    return {stage: (n, samples[f"sum {stage}"]) for stage, n in counts.items()}
