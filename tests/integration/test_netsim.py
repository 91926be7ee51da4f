"""A session through a network like a home line's: 40 ms round trip, 20 Mb/s, 10 ms pareto jitter each way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from itertools import pairwise

import pytest

from integration.conftest import Connect, Network, Serve
from napari_cuda import workloads
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.netsim import Jitter, JitterKind, Link, NetSim
from napari_cuda.protocol.packet import PacketHeader
from napari_cuda.server_process import ServerProcess

pytestmark = pytest.mark.alone

RTT_S = 0.040
MOST_P95_S = RTT_S + 0.120
MOST_FREEZE_S = 0.5
ROUNDS = 6
HOME_LINE = Link(RTT_S / 2, Jitter(JitterKind.PARETO, 0.010), rate_bit_s=20e6)


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    """One server for the module: a volume that the tests look at slice by slice."""
    return serve_scene("mri", size=(1280, 720))


class Screen:
    """What came on screen, and when."""

    def __init__(self, viewer: RemoteViewer) -> None:
        self.shown: list[tuple[float, PacketHeader]] = []
        viewer._session.loop._host.presented = lambda header: self.shown.append((time.monotonic(), header))

    def stale(self) -> list[tuple[PacketHeader, PacketHeader]]:
        """Pictures that came after a newer one."""
        headers = [header for _, header in self.shown]
        return [
            (before, after)
            for before, after in pairwise(headers)
            if (after.epoch, after.seq) <= (before.epoch, before.seq)
            or after.revision < before.revision
            or after.input_id < before.input_id
        ]

    def longest_freeze_s(self, began_s: float, ended_s: float) -> float:
        """The longest time without a new picture."""
        times_s = [began_s, *(at_s for at_s, _ in self.shown if began_s < at_s < ended_s), ended_s]
        return max(after_s - before_s for before_s, after_s in pairwise(times_s))


def scroll(viewer: workloads.Driven, number: int) -> None:
    """Go to and fro through the middle of the head: every slice is another picture, none is black."""
    viewer.dims.set_current_step(0, 70 + abs(number % 120 - 60))


def interact(viewer: workloads.Driven, number: int) -> None:
    """Pan, zoom and go through slices, a second each in turn; each goes on where it stopped."""
    second, part = divmod(number, workloads.INPUTS_PER_S)
    step = (workloads.pan, workloads.zoom, scroll)[second % 3]
    step(viewer, second // 3 * workloads.INPUTS_PER_S + part)


def interact_for(seconds: float, viewer: RemoteViewer, sim: NetSim) -> tuple[float, float]:
    """Return the longest freeze and the 95th percentile of input to photon; nothing stale is ever shown."""
    viewer.reset_view()
    viewer.screenshot(timeout_s=60)
    screen, times_s, before = Screen(viewer), list[float](), sim.carried_bytes[1]
    outcome = workloads.drive(viewer, interact, seconds, between=lambda number: times_s.append(time.monotonic()))
    carried_mbit = (sim.carried_bytes[1] - before) * 8e-6
    freeze_s, latency = screen.longest_freeze_s(times_s[0], times_s[-1]), outcome.latency
    assert latency is not None
    print(
        f"{outcome.frames_per_s:.1f} frames/s, {outcome.bytes_per_frame / 1e3:.1f} kB each, "
        f"{carried_mbit / outcome.seconds:.1f} Mb/s; input to photon p50 {1e3 * latency.p50_s:.0f} ms, "
        f"p95 {1e3 * latency.p95_s:.0f} ms; longest freeze {1e3 * freeze_s:.0f} ms"
    )
    assert len(screen.shown) >= outcome.frames
    assert screen.stale() == []
    return freeze_s, latency.p95_s


def holds_through_a_home_line(seconds: float, server: ServerProcess, connect: Connect, network: Network) -> None:
    sim = network(server, HOME_LINE)
    viewer = connect(sim)
    viewer.dims.ndisplay = 2
    rounds: list[tuple[float, float]] = []
    # Other work on the machine can only slow things down: the best of so many rounds counts.
    while len(rounds) < ROUNDS and (not rounds or max(rounds[-1][0] / MOST_FREEZE_S, rounds[-1][1] / MOST_P95_S) > 1):
        rounds.append(interact_for(seconds, viewer, sim))
    freeze_s, p95_s = rounds[-1]
    assert freeze_s <= MOST_FREEZE_S
    assert p95_s <= MOST_P95_S


def test_six_seconds_of_interaction(server: ServerProcess, connect: Connect, network: Network) -> None:
    holds_through_a_home_line(6, server, connect, network)


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_minute_of_interaction(server: ServerProcess, connect: Connect, network: Network) -> None:
    holds_through_a_home_line(60, server, connect, network)


COMMAND = (sys.executable, "-m", "napari_cuda", "netsim")


def test_the_command_prints_where_to_connect_and_ends_when_interrupted(server: ServerProcess) -> None:
    process = subprocess.Popen([*COMMAND, server.connect_url, "--rtt", "40ms"], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        line = next(line for line in lines if "napari-cuda connect" in line)
        url = line.split("'")[1]
        with urllib.request.urlopen(url.replace("/?", "/healthz?"), timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert "carried 0.0 MB down" in process.stdout.read()
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["http://127.0.0.1:1/", "--rtt", "40"], "error: '40' is not a time such as 40ms"),
        (["http://127.0.0.1:1/", "--up", "speed=9"], "error: 'speed=9' is no part of a link"),
        (["http://["], "error: 'http://[' is not a server address"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], words: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1
