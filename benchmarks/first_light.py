"""The whole chain against its stages: `python benchmarks/first_light.py [--seconds N] [--only NAME]`.

Each interaction is driven with 60 inputs a second at 1280x720 over loopback, from a script and
(if there is a display) from a real window. "floor" is the sum of the stages (render, encode,
decode), each measured alone in the same run; "of slowest" compares the frames shown with what the
slowest of them (or the 60 inputs) allows. A table for people, then one line of JSON per row.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import napari_cuda
import stages_alone
from gl_window import fix_canvas_size
from napari_cuda import settings, workloads
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from scene_server import SceneServer

SCENES = {"pan2d": "flat", "zoom": "flat", "slice": "mri", "mip3d": "mri"}
CLIENTS = ("script", "window")


@dataclass(frozen=True, slots=True)
class Row:
    """One interaction from one kind of client. Times in milliseconds."""

    interaction: str
    client: str
    frames_per_s: float
    of_slowest: float
    p50_ms: float
    p95_ms: float
    floor_ms: float
    kb_per_frame: float
    alone_ms: dict[str, float]

    def cells(self) -> list[str]:
        """Return the row as the table shows it."""
        alone = " + ".join(f"{self.alone_ms[stage]:.1f}" for stage in ("render", "encode", "decode"))
        return [
            self.interaction,
            self.client,
            f"{self.frames_per_s:.1f}",
            f"{self.of_slowest:.2f}",
            f"{self.p50_ms:.0f}",
            f"{self.p95_ms:.0f}",
            f"{self.floor_ms:.0f} = {alone}",
            f"{self.p50_ms / self.floor_ms:.2f}",
            f"{self.kb_per_frame:.1f}",
        ]


@contextmanager
def connected(url: str, client: str) -> Iterator[RemoteViewer | StreamedViewer]:
    """Connect a client of that kind, with a canvas of 1280x720."""
    size = stages_alone.SIZE
    if client == "script":
        with napari_cuda.connect(url, window=False, timeout_s=60) as viewer:
            viewer.canvas.size = size[::-1]
            yield viewer
        return
    window = napari_cuda.connect(url, timeout_s=60)
    try:
        fix_canvas_size(window, size)
        window.pump(0.5)
        yield window
    finally:
        window.close()


def measure(interaction: str, client: str, seconds: float, folder: Path) -> Row:
    """Measure the stages alone, then the chain."""
    scene = SCENES[interaction]
    alone_s = stages_alone.measure(folder / "napari.yaml", scene, interaction)
    with SceneServer(scene) as server, connected(server.connect_url, client) as viewer:
        viewer.dims.ndisplay = 3 if interaction == "mip3d" else 2
        viewer.sync(timeout_s=60)
        viewer.reset_view()
        step = workloads.STEPS[interaction]
        # Shaders are compiled, and the detail of a volume found, before anything is measured.
        workloads.drive(viewer, step, 1.0)
        outcome = workloads.drive(viewer, step, seconds)
    if outcome.latency is None:
        raise RuntimeError(f"{interaction} from a {client}: nothing was shown")
    slowest_per_s = min(float(workloads.INPUTS_PER_S), *(1 / spent for spent in alone_s.values()))
    return Row(
        interaction=interaction,
        client=client,
        frames_per_s=outcome.frames_per_s,
        of_slowest=outcome.frames_per_s / slowest_per_s,
        p50_ms=1e3 * outcome.latency.p50_s,
        p95_ms=1e3 * outcome.latency.p95_s,
        floor_ms=1e3 * sum(alone_s.values()),
        kb_per_frame=outcome.bytes_per_frame / 1e3,
        alone_ms={stage: 1e3 * spent for stage, spent in alone_s.items()},
    )


def main() -> None:
    """Print the table, then JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each interaction is driven (default 5)")
    parser.add_argument("--only", choices=SCENES, help="one interaction")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title="input to shown frame, 1280 x 720, loopback, 60 inputs/s", title_justify="left")
    for heading in (
        "interaction",
        "client",
        "frames/s",
        "of slowest",
        "p50 ms",
        "p95 ms",
        "floor ms",
        "p50/floor",
        "kB/frame",
    ):
        table.add_column(heading, justify="left" if heading in ("interaction", "client") else "right")
    clients = CLIENTS if settings.display_name() else CLIENTS[:1]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for interaction in [options.only] if options.only else list(SCENES):
            for client in clients:
                rows.append(measure(interaction, client, options.seconds, Path(folder)))
                table.add_row(*rows[-1].cells())
    console.print(table)
    if len(clients) < len(CLIENTS):
        console.print("no display: without the window (scripts/with-display make bench)")
    for row in rows:
        numbers = {name: getattr(row, name) for name in row.__slots__}
        print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in numbers.items()}))


if __name__ == "__main__":
    main()
