"""`napari-cuda demo`: real samples, really served, used from a window or from a script."""

from __future__ import annotations

import time
from pathlib import Path

import napari
from PIL import Image
from rich.console import Console
from rich.table import Table

from napari_cuda import api, settings, workloads
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.server_process import ServerProcess

SAMPLE = "sample:tour"
"""napari's own balls: a multiscale volume of 256 x 512 x 512 voxels with labels and points."""

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
        for name in ("pan2d", "zoom", "slice"):
            _measure(table, viewer, name)
        viewer.reset_view()
        viewer.dims.ndisplay = 3
        viewer.sync(timeout_s=60)
        viewer.reset_view()
        _measure(table, viewer, "mip3d")
        out.print(table)
        began_s = time.monotonic()
        Image.fromarray(viewer.screenshot(timeout_s=120)).save(picture)
        out.print(f"exact picture after {time.monotonic() - began_s:.2f} s, written to {picture}", highlight=False)
        out.print(_stage_table(viewer, server))


def _measure(table: Table, viewer: RemoteViewer, name: str) -> None:
    """Drive one kind of interaction for a while and add its row."""
    outcome = workloads.drive(viewer, workloads.STEPS[name], PHASE_S)
    table.add_row(
        name,
        f"{outcome.frames_per_s:.1f}",
        f"{outcome.latency.p50_s * 1e3:.0f} ms" if outcome.latency else "-",
        f"{outcome.latency.p95_s * 1e3:.0f} ms" if outcome.latency else "-",
        f"{outcome.bytes_per_frame / 1e3:.1f}",
    )


def _stage_table(viewer: RemoteViewer, server: ServerProcess) -> Table:
    table = Table(title="stages", title_justify="left")
    for heading in ("side", "stage", "frames", "mean or p50"):
        table.add_column(heading, justify="left" if heading in ("side", "stage") else "right")
    for stage, (count, seconds) in workloads.server_stages(server).items():
        table.add_row("server", stage, f"{count:.0f}", f"{seconds / count * 1e3:.2f} ms")
    for stage, stats in sorted(viewer.metrics.stages().items()):
        table.add_row("client", stage, str(stats.samples), f"{stats.p50_s * 1e3:.2f} ms")
    return table
