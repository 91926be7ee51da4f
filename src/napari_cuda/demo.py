"""`napari-cuda demo`: real samples, really served, used from a window or from a script."""

from __future__ import annotations

import math
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import napari
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from napari_cuda import api, settings
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.server_process import ServerProcess

SAMPLE = "sample:balls_3d"
"""napari's own sample: a volume of 256 x 512 x 512 voxels with labels and points."""

_Step = Callable[[RemoteViewer, int], None]
"""One input of an interaction, given its number."""

STEP_S = 1 / 60
PHASE_S = 2.0


def run(out: Console, picture: Path, *, exit_after: bool) -> None:
    """Serve the sample and use it; see the module. Raises NapariCudaError in one line."""
    began_s = time.monotonic()
    with ServerProcess([SAMPLE]) as server:
        out.print(f"server up after {time.monotonic() - began_s:.1f} s", highlight=False)
        if settings.display_name() and not exit_after:
            _use_window(server.connect_url)
            return
        _use_script(out, server, picture)
        out.print(f"\nserving on\n  [bold]napari-cuda connect '{server.connect_url}'[/bold]", highlight=False)
        if exit_after:
            return
        out.print("Ctrl-C ends it.")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            out.print("ended")


def _use_window(url: str) -> None:
    viewer = api.connect(url)
    try:
        napari.run()
    finally:
        viewer.leave()


def _use_script(out: Console, server: ServerProcess, picture: Path) -> None:
    with api.connect(server.connect_url, window=False) as viewer:
        table = Table(title="a scripted session over loopback, 1280 x 720", title_justify="left")
        for heading in ("interaction", "frames/s", "input to frame p50", "p95", "kB/frame"):
            table.add_column(heading, justify="left" if heading == "interaction" else "right")
        for name, step in (("pan", _pan), ("zoom", _zoom), ("slice", _slice)):
            _measure(table, viewer, name, step)
        viewer.reset_view()
        viewer.dims.ndisplay = 3
        viewer.sync(timeout_s=60)
        viewer.reset_view()
        _measure(table, viewer, "rotate 3D", _rotate)
        out.print(table)
        began_s = time.monotonic()
        Image.fromarray(viewer.screenshot(timeout_s=120)).save(picture)
        out.print(f"exact picture after {time.monotonic() - began_s:.2f} s, written to {picture}", highlight=False)
        out.print(_stage_table(viewer, server))


def _measure(table: Table, viewer: RemoteViewer, name: str, step: _Step) -> None:
    """Drive one kind of interaction for a while and add its row."""
    viewer.sync(timeout_s=60)
    before = viewer.metrics.counts()
    viewer.metrics.forget("input_to_photon")
    began_s = time.monotonic()
    for number in range(int(PHASE_S / STEP_S)):
        step(viewer, number)
        viewer.pump(max(0.0, began_s + (number + 1) * STEP_S - time.monotonic()))
    elapsed_s = time.monotonic() - began_s
    after = viewer.metrics.counts()
    viewer.sync(timeout_s=60)
    frames = after["frames_shown"] - before.get("frames_shown", 0)
    moved = after["bytes_received"] - before.get("bytes_received", 0)
    latency = viewer.metrics.stage("input_to_photon")
    table.add_row(
        name,
        f"{frames / elapsed_s:.1f}",
        f"{latency.p50_s * 1e3:.0f} ms" if latency else "-",
        f"{latency.p95_s * 1e3:.0f} ms" if latency else "-",
        f"{moved / max(1, frames) / 1e3:.1f}",
    )


def _pan(viewer: RemoteViewer, number: int) -> None:
    z, y, x = viewer.scene.camera.center
    angle = number / 12
    viewer.scene.camera.center = (z, y + 4.3 * math.sin(angle), x + 4.3 * math.cos(angle))


def _zoom(viewer: RemoteViewer, number: int) -> None:
    viewer.scene.camera.zoom *= 1.02 if number % 80 < 40 else 1 / 1.02


def _slice(viewer: RemoteViewer, number: int) -> None:
    viewer.dims.set_current_step(0, 40 + number % 160)


def _rotate(viewer: RemoteViewer, number: int) -> None:
    viewer.scene.camera.angles = (number * 0.7, number * 0.4, 90)


def _stage_table(viewer: RemoteViewer, server: ServerProcess) -> Table:
    table = Table(title="stages", title_justify="left")
    for heading in ("side", "stage", "frames", "mean or p50"):
        table.add_column(heading, justify="left" if heading in ("side", "stage") else "right")
    for stage, (count, seconds) in server_stages(server).items():
        table.add_row("server", stage, f"{count:.0f}", f"{seconds / count * 1e3:.2f} ms")
    for stage, stats in sorted(viewer.metrics.stages().items()):
        table.add_row("client", stage, str(stats.samples), f"{stats.p50_s * 1e3:.2f} ms")
    return table


def server_stages(server: ServerProcess) -> dict[str, tuple[float, float]]:
    """Return (frames, total seconds) of each stage, from the server's `/metrics`."""
    request = urllib.request.Request(f"{server.url}metrics", headers={"Authorization": f"Bearer {server.token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    sums: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if family.name == "napari_cuda_server_stage_seconds" and sample.name.endswith(("_sum", "_count")):
                sums.setdefault(sample.labels["stage"], {})[sample.name.rsplit("_", 1)[1]] = sample.value
    return {stage: (both["count"], both["sum"]) for stage, both in sums.items() if both["count"]}
