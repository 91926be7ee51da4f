"""Us beside what people use today: `python benchmarks/peers.py [--rounds N] [--seconds N] [--peers …]`.

In one run, the same scene on the same machine: stock napari in a window of its own display (Xvfb), TigerVNC showing
stock napari to a client that decodes for real (`rfb.py`), and us. Medians over the rounds, written with the bars to
benchmarks/results/peers.md. docs/benchmarks.md says what is measured, and how.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import psutil
from peer_session import Session
from rich.console import Console

from napari_cuda.bench.catalogue import WORKLOADS
from napari_cuda.bench.run import WorkloadServer

HERE = Path(__file__).parent
RESULT = HERE / "results" / "peers.md"
PEERS = ("local", "vnc", "vnc-lossless", "ours")
TITLES = {
    "local": "napari's own window (Xvfb)",
    "vnc": "TigerVNC, quality 8",
    "vnc-lossless": "TigerVNC, lossless",
    "ours": "napari-cuda",
}
MEASURED = ("pan2d", "pan2d-fraction", "mip3d")
SCREEN = "1920x1200"
EXACT_DB = 130.0
"""One level of one colour of one pixel of the canvas is 112 dB."""
NEEDED = {"Xvfb": "xvfb", "Xtigervnc": "tigervnc-standalone-server"}


@dataclass(frozen=True, slots=True)
class Figures:
    """One peer's figures of one workload; milliseconds, cores, megabytes. None: not measured, or never."""

    frames_per_s: float
    age_ms: float | None
    age_p95_ms: float | None
    shown_age_ms: float | None
    megabytes_per_s: float
    server_cpu: float
    client_cpu: float
    moving_db: float | None
    exact_ms: float | None
    click_ms: float | None
    click_p95_ms: float | None


def figures_of(session: Session, server_cpu: float) -> Figures:
    """Return one round's figures."""
    clicks = session.clicks_ms
    return Figures(
        frames_per_s=session.frames_per_s,
        age_ms=session.age.p50 if session.age else None,
        age_p95_ms=session.age.p95 if session.age else None,
        shown_age_ms=session.shown_age.p50 if session.shown_age else None,
        megabytes_per_s=session.bytes_per_s / 1e6,
        server_cpu=server_cpu,
        client_cpu=session.client_cpu,
        moving_db=session.moving_db,
        exact_ms=session.exact_ms,
        click_ms=float(np.percentile(clicks, 50)) if clicks else None,
        click_p95_ms=float(np.percentile(clicks, 95)) if clicks else None,
    )


def median_of(rounds: Sequence[Figures]) -> Figures:
    """Return the median of each figure; None if it lacks in more than half of the rounds."""

    def median(name: str) -> float | None:
        found = [value for one in rounds if (value := getattr(one, name)) is not None]
        return statistics.median(found) if 2 * len(found) > len(rounds) else None

    return Figures(**{name: median(name) for name in Figures.__slots__})


# --- sessions -------------------------------------------------------------------------------------------------------


@contextmanager
def process(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """Start a process that does not outlive the block."""
    with subprocess.Popen(command, text=True, **options) as started:
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()


@contextmanager
def display(command: Sequence[str], log: Path) -> Iterator[tuple[str, int]]:
    """Start an X server and yield its display and process id."""
    reading, writing = os.pipe()
    with (
        log.open("w") as errors,
        process([*command, "-displayfd", str(writing)], pass_fds=[writing], stderr=errors) as x,
    ):
        os.close(writing)
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        if not number:
            raise SystemExit(f"{command[0]} did not start: {log.read_text()[-500:]}")
        yield f":{number}", x.pid


@contextmanager
def stock_napari(peer: str, workload: str, folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Show the workload in stock napari's window; yield where a session finds it, and the processes behind it."""
    port = _free_port()
    if peer == "local":
        command = [
            "Xvfb",
            "-screen",
            "0",
            f"{SCREEN}x24",
            "+extension",
            "GLX",
            "-nolisten",
            "tcp",
            "-fbdir",
            str(folder),
        ]
    else:
        command = ["Xtigervnc", "-geometry", SCREEN, "-depth", "24", "-SecurityTypes", "None", "-localhost"]
        command += ["-AlwaysShared", "-rfbport", str(port)]
    with display(command, folder / "x.log") as (name, x_pid):
        environment = {"DISPLAY": name, "LIBGL_ALWAYS_SOFTWARE": "1", "QT_QPA_PLATFORM": "xcb"}
        environment["NAPARI_CONFIG"] = str(folder / "napari.yaml")
        command = [sys.executable, str(HERE / "stock_napari.py"), workload]
        with process(command, env=os.environ | environment, stdout=subprocess.PIPE) as app:
            line = app.stdout.readline()
            if not line:
                raise SystemExit("stock napari ended before it showed its window: its own words are above")
            x, y = json.loads(line)["canvas"]
            where = f"{name},{folder / 'Xvfb_screen0'},{x},{y}" if peer == "local" else f"{port},{x},{y}"
            time.sleep(2.0)  # napari's thumbnails, status bar and first frames
            yield where, [x_pid, app.pid]


@contextmanager
def ours(workload: str) -> Iterator[tuple[str, list[int]]]:
    """Serve the workload as `napari-cuda serve` does."""
    with WorkloadServer(WORKLOADS[workload]) as server:
        yield server.connect_url, [server.pid]


def measure(peer: str, workload: str, seconds: float) -> Figures:
    """Run one session of one peer."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stage = ours(workload) if peer == "ours" else stock_napari(peer, workload, folder)
        where, pids = stack.enter_context(stage)
        command = [sys.executable, str(HERE / "peer_session.py"), peer, where, workload, str(seconds)]
        client = stack.enter_context(process(command, stdout=subprocess.PIPE))
        marks_s = []
        for word in ("driving", "driven"):
            if client.stdout.readline().strip() != word:
                raise SystemExit(f"the session of {peer} failed: its own words are above")
            marks_s.append((time.monotonic(), _cpu_s(pids)))
        told = client.stdout.read()
        if client.wait():
            raise SystemExit(f"the session of {peer} failed: its own words are above")
    (began_s, cpu_before_s), (ended_s, cpu_after_s) = marks_s
    session = msgspec.json.decode(told, type=Session)
    return figures_of(session, (cpu_after_s - cpu_before_s) / (ended_s - began_s))


def _cpu_s(pids: Sequence[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(used.user + used.system for used in times)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- the table ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bar:
    """What we promise: our figure, and the one it must not be above (or below)."""

    what: str
    ours: float | None
    allowed: float | None
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it holds; what was not measured does not."""
        if self.ours is None or self.allowed is None:
            return False
        return self.ours >= self.allowed if self.at_least else self.ours <= self.allowed


def bars(found: dict[tuple[str, str], Figures]) -> list[Bar]:
    """Return every bar whose figures were measured."""

    def times(factor: float, value: float | None) -> float | None:
        return None if value is None else factor * value

    listed: list[Bar] = []
    for workload in MEASURED:
        us, vnc, local = (found.get((workload, peer)) for peer in ("ours", "vnc", "local"))
        if us is None:
            continue
        if workload == "mip3d":
            if local:
                allowed = times(7.0, local.frames_per_s)
                listed.append(Bar("mip3d: frames/s, 7 × local", us.frames_per_s, allowed, at_least=True))
            continue
        listed.append(Bar(f"{workload}: exact at rest, 110 ms", us.exact_ms, 110.0))
        if local:
            listed.append(Bar(f"{workload}: frames/s, local", us.frames_per_s, local.frames_per_s, at_least=True))
        if local and local.click_ms:
            listed.append(Bar("click to pixel, 0.75 × local", us.click_ms, times(0.75, local.click_ms)))
        if vnc:
            faster = times(1.3, vnc.frames_per_s)
            listed.append(Bar(f"{workload}: frames/s, 1.3 × VNC", us.frames_per_s, faster, at_least=True))
            listed.append(Bar(f"{workload}: age p50, 0.6 × VNC", us.age_ms, times(0.6, vnc.age_ms)))
            fewer = times(0.15, vnc.megabytes_per_s)
            listed.append(Bar(f"{workload}: MB/s, 0.15 × VNC", us.megabytes_per_s, fewer))
            listed.append(Bar(f"{workload}: moving dB, VNC", us.moving_db, vnc.moving_db, at_least=True))
            listed.append(Bar(f"{workload}: client CPU, VNC", us.client_cpu, vnc.client_cpu))
        if vnc and vnc.click_ms:
            listed.append(Bar("click to pixel, 0.5 × VNC", us.click_ms, times(0.5, vnc.click_ms)))
    return listed


def page(found: dict[tuple[str, str], Figures], rounds: int, seconds: float, load: tuple[float, float]) -> str:
    """Return the tables as Markdown."""

    def cell(value: float | None, digits: int = 0, missing: str = "-") -> str:
        return missing if value is None else f"{value:.{digits}f}"

    lines = [
        "# Us beside what people use today",
        "",
        f"Written by `benchmarks/peers.py` on {date.today():%Y-%m-%d}: {_device()}. Medians of {rounds}, {seconds:g} s",
        f"each; load of the machine before and after: {load[0]:.1f}, {load[1]:.1f}. How it is measured, and what to",
        "make of it: [docs/benchmarks.md](../../docs/benchmarks.md). Times in ms, CPU in cores.",
        "",
    ]
    headings = "peer | frames/s | age p50 | p95 | shown age | MB/s | server CPU | client CPU | moving dB | exact after"
    for workload in MEASURED:
        rows = [(peer, found[workload, peer]) for peer in PEERS if (workload, peer) in found]
        if not rows:
            continue
        lines += [f"## {workload}", "", f"| {headings} | click p50 | p95 |", "|---" * 12 + "|"]
        for peer, one in rows:
            cells = [TITLES[peer], cell(one.frames_per_s, 1), cell(one.age_ms), cell(one.age_p95_ms)]
            cells += [cell(one.shown_age_ms), "-" if peer == "local" else cell(one.megabytes_per_s, 2)]
            cells += [cell(one.server_cpu, 2), "-" if peer == "local" else cell(one.client_cpu, 2)]
            exact = peer == "local" or (one.moving_db is not None and one.moving_db > EXACT_DB)
            cells += ["exact" if exact else cell(one.moving_db, 1), cell(one.exact_ms, 0, "never (6 s)")]
            cells += [cell(one.click_ms), cell(one.click_p95_ms)]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    lines += ["## Bars", "", "| what | ours | allowed | |", "|---|---|---|---|"]
    for bar in bars(found):
        sign = "≥" if bar.at_least else "≤"
        lines.append(
            f"| {bar.what} | {cell(bar.ours, 2)} | {sign} {cell(bar.allowed, 2)} | {'met' if bar.met else '**lost**'} |"
        )
    return "\n".join(lines) + "\n"


def _device() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores of {model}, software OpenGL, {platform.system()}"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="medians of so many (default 3)")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each workload is driven (default 8)")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--workloads", nargs="+", choices=MEASURED, default=MEASURED)
    parser.add_argument("--output", type=Path, default=RESULT, help=f"default {RESULT.relative_to(HERE.parent)}")
    options = parser.parse_args()
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if missing:
        raise SystemExit(f"missing programs; install them with: sudo apt-get install {' '.join(missing)} libxtst6")
    load_before = os.getloadavg()[0]
    found: dict[tuple[str, str], list[Figures]] = {}
    console = Console()
    for number in range(1, options.rounds + 1):
        # Peers in turn: what else the machine does changes from minute to minute.
        for workload in options.workloads:
            for peer in options.peers:
                console.print(f"round {number}: {workload}, {TITLES[peer]}", highlight=False)
                one = measure(peer, workload, options.seconds)
                console.print(f"  {one}", highlight=False)
                found.setdefault((workload, peer), []).append(one)
    medians = {key: median_of(rounds) for key, rounds in found.items()}
    text = page(medians, options.rounds, options.seconds, (load_before, os.getloadavg()[0]))
    options.output.write_text(text)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
