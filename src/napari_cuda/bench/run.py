"""One run of the bench: for each workload its floors, then the chain over each link, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from napari_cuda import workloads
from napari_cuda.bench.catalogue import LINKS, WORKLOADS, Workload
from napari_cuda.bench.flames import Flames
from napari_cuda.bench.recording import Observation
from napari_cuda.bench.rows import Measured, measured
from napari_cuda.netsim import NetSim
from napari_cuda.protocol.errors import ConfigError, StartupError
from napari_cuda.server_process import ServerProcess

_HEADLESS = ("-m", "napari_cuda.bench.headless")
_ALONE_FRAMES_PER_S = 16
_FEWEST_ALONE, _MOST_ALONE = 24, 80
"""Frames in which the stages are measured: a short run is not held up by them, a long one gains nothing from more."""
_LONGEST_CLIENT_S = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured. `client` is "script" or "window"; `flames` is where flame graphs go, if any are wanted."""

    workloads: Sequence[str]
    links: Sequence[str]
    seconds: float = 5.0
    client: str = "script"
    flames: Path | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError in one line for what there is not."""
        for kind, asked, known in (("workload", self.workloads, WORKLOADS), ("link", self.links, LINKS)):
            for name in asked:
                if name not in known:
                    raise ConfigError(f"there is no {kind} {name!r}: choose of {', '.join(known)}")
        if self.seconds <= 0:
            raise ConfigError(f"{self.seconds:g} s is no time to measure in: use --seconds 5")


class WorkloadServer(ServerProcess):
    """Serves the scene of a workload on a canvas of its size: `served.py` in a process of its own."""

    def __init__(self, workload: Workload) -> None:
        super().__init__([workload.name], program=(*_HEADLESS, "napari_cuda.bench.served"))


def run(plan: Plan, tell: Callable[[str], object] = lambda text: None) -> Iterator[Measured]:
    """Yield the figures of each workload on each link; `tell` hears what comes next."""
    flames = None if plan.flames is None else Flames(plan.flames, plan.seconds)
    for name in plan.workloads:
        tell(f"{name}: the stages alone")
        workload = WORKLOADS[name]
        frames = round(_ALONE_FRAMES_PER_S * plan.seconds)
        alone_s = stages_alone(workload, max(_FEWEST_ALONE, min(_MOST_ALONE, frames)))
        for link in plan.links:
            tell(f"{name}: {link}")
            yield _measure(workload, link, alone_s, plan, flames)


def stages_alone(workload: Workload, frames: int) -> dict[str, float]:
    """Return what each stage of a workload costs alone, in seconds a frame; StartupError if it cannot be measured."""
    command = [sys.executable, *_HEADLESS, "napari_cuda.bench.alone", workload.name, str(frames)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartupError(f"the stages of {workload.name} cannot be measured: {_last_line(done.stderr)}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measure(
    workload: Workload, link_name: str, alone_s: dict[str, float], plan: Plan, flames: Flames | None
) -> Measured:
    link = LINKS[link_name]
    with ExitStack() as stack:
        server = stack.enter_context(WorkloadServer(workload))
        url = server.connect_url
        if link is not None:
            url = stack.enter_context(NetSim(url, link)).connect_url
        client = stack.enter_context(_client(url, workload, plan))
        _await(client, "driving")
        before, cpu_s, began_s = workloads.server_stages(server), *_cpu(server)
        if flames is not None:
            flames.begin(f"{workload.name}-{link_name}", {"server": server.pid, "client": client.pid})
        _await(client, "driven")
        after_cpu_s, ended_s = _cpu(server)
        after = workloads.server_stages(server)
        if flames is not None:
            flames.end()
        told, _ = client.communicate(timeout=_LONGEST_CLIENT_S)
    if client.returncode:
        raise StartupError(f"the client of {workload.name} over {link_name} failed")
    return measured(
        (workload.name, link_name),
        msgspec.json.decode(told, type=Observation),
        alone_s,
        link,
        None if cpu_s is None or after_cpu_s is None else (after_cpu_s - cpu_s) / (ended_s - began_s),
        _per_frame(before, after),
    )


@contextmanager
def _client(url: str, workload: Workload, plan: Plan) -> Iterator[subprocess.Popen[str]]:
    """Start a client process; it does not outlive the block."""
    arguments = [url, workload.name, str(plan.seconds), plan.client]
    command = [sys.executable, "-m", "napari_cuda.bench.client", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        try:
            yield client
        finally:
            if client.poll() is None:
                client.kill()


def _await(client: subprocess.Popen[str], word: str) -> None:
    """Wait until the client says `word`; StartupError if it ends first."""
    if client.stdout is not None:
        for line in client.stdout:
            if line.strip() == word:
                return
    raise StartupError(f"the client ended before it was {word}: its own words are above")


def _cpu(server: ServerProcess) -> tuple[float | None, float]:
    """Return what CPU time the server has had, and when that was asked."""
    return workloads.server_cpu_s(server), time.monotonic()


def _per_frame(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Return the mean seconds of each stage of the server between two looks."""
    means = {}
    for stage, (count, seconds) in after.items():
        earlier = before.get(stage, (0.0, 0.0))
        if count > earlier[0]:
            means[stage] = (seconds - earlier[1]) / (count - earlier[0])
    return means


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a word"
