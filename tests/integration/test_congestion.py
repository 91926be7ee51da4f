"""Pictures follow the link: all that it carries, no queue on it, and nobody waits for a slower viewer.

Real server, encoder, sockets and decoder; the network between is simulated. The picture is noise at a
fractional zoom, new in every pixel whenever it moves: it would take any rate.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

import napari_cuda
from napari_cuda import workloads
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.netsim import Link, NetSim
from napari_cuda.protocol.packet import HEADER_SIZE, PacketHeader
from napari_cuda.server_process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.alone]

Serve = Callable[..., ServerProcess]
Connect = Callable[..., RemoteViewer]
Network = Callable[..., NetSim]

SIZE = (480, 270)
TWICE_SIZE = (560, 316)
"""Noise of so many pixels takes 40 Mb/s, before x264 has nothing to spend more on, ..."""
TWICE_RATE = 56
"""... if it may take so many: what it makes at its ceiling is three quarters of it."""
RTT_S = 0.04
TURN_S = 3
"""Of `workloads.pan`: then the view is where it was."""
ROUNDS = 4
"""Other work on the machine can only slow things down: the best of so many rounds counts."""


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of noise."""
    path = tmp_path_factory.mktemp("noise") / "noise.tif"
    tifffile.imwrite(path, np.random.default_rng(0).poisson(100, (1024, 1024)).astype(np.uint16))
    return path


@pytest.fixture(scope="module")
def serve_noise(serve: Serve, noise: Path) -> Callable[[float], ServerProcess]:
    """Serve the noise at a rate of at most so many Mbit/s."""
    size = f"{SIZE[0]}x{SIZE[1]}"
    return lambda rate: serve(noise, "--root", noise.parent, "--size", size, "--bit-rate", rate)


@pytest.fixture(scope="module")
def server(serve_noise: Callable[[float], ServerProcess]) -> ServerProcess:
    """The server with the rate that is the default."""
    return serve_noise(20)


@dataclass(slots=True)
class Shown:
    """What a viewer has shown: when, and how old it was then; and how many bytes had come by then."""

    viewer: RemoteViewer
    pictures: list[tuple[float, float, PacketHeader]] = field(default_factory=list)
    received: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        state = self.viewer._session.loop.state
        before = state.on_shown

        def note(header: PacketHeader) -> None:
            now_s = time.monotonic()
            self.pictures.append((now_s, now_s - header.capture_time_us / 1e6, header))
            self.received.append((now_s, self.viewer.metrics.counts()["bytes_received"]))
            before(header)

        state.on_shown = note

    def ages_s(self, from_s: float, until_s: float = float("inf")) -> list[float]:
        """Return the ages of what was shown in a time, and was drawn in it."""
        return [age_s for at_s, age_s, _ in self.pictures if from_s <= at_s - age_s and at_s < until_s]

    def bit_s(self, from_s: float, until_s: float) -> float:
        """Return the rate at which bytes came, from the first picture shown in a time to the last."""
        within = [(at_s, received) for at_s, received in self.received if from_s <= at_s < until_s]
        (first_s, before), (last_s, after) = within[0], within[-1]
        return 8 * (after - before) / (last_s - first_s)


def panning(viewer: RemoteViewer, size: tuple[int, int] = SIZE) -> Shown:
    """Return what a viewer shows, from a view that leaves no pixel as it was when it moves."""
    viewer.canvas.size = size[::-1]
    viewer.sync(60)
    viewer.reset_view()
    viewer.scene.camera.zoom *= 1.37
    viewer.sync(60)
    return Shown(viewer)


@dataclass(frozen=True, slots=True)
class Measured:
    """Some turns of the pan: pictures a second, bit/s, and ages of the pictures."""

    frames_per_s: float
    bit_s: float
    p50_s: float
    p95_s: float

    def __str__(self) -> str:
        ages = f"{1e3 * self.p50_s:.0f} ms old, p95 {1e3 * self.p95_s:.0f}"
        return f"{self.frames_per_s:.0f} frames/s, {self.bit_s / 1e6:.1f} Mb/s, {ages}"


def measured(viewer: RemoteViewer, shown: Shown, turns: int) -> Measured:
    began_s = time.monotonic()
    outcome = workloads.drive(viewer, workloads.pan, turns * TURN_S)
    p50_s, p95_s = np.percentile(shown.ages_s(began_s), [50, 95])
    # The first picture of a pan takes a round trip in which nothing comes: it says nothing of the link.
    return Measured(outcome.frames_per_s, shown.bit_s(began_s + 0.2, began_s + outcome.seconds), p50_s, p95_s)


def test_a_link_that_is_offered_twice_what_it_carries(
    serve_noise: Callable[[float], ServerProcess], network: Network
) -> None:
    """20 Mb/s, 40 ms: the link's share of a picture's age leaves RTT + 20 ms for all (p95: RTT + 45).

    What the machine itself takes, and how much it makes at all, is measured beside it, without the link. Of that, or
    of what the link carries, 90 % are to come through.
    """
    server = serve_noise(TWICE_RATE)
    rate, found = 20e6, []
    for _ in range(ROUNDS):
        here, there = (
            measured_at(url)
            for url in (server.connect_url, network(server, Link(delay_s=RTT_S / 2, rate_bit_s=rate)).connect_url)
        )
        print(f"without the link {here}; with it {there}")
        found.append(
            (
                there.p50_s <= max(here.p50_s, 0.010) + RTT_S + 0.010,
                there.p95_s <= max(here.p95_s, 0.015) + RTT_S + 0.030,
                there.bit_s >= 0.9 * min(rate, here.bit_s),
            )
        )
        if all(found[-1]):
            return
    assert all(any(good) for good in zip(*found, strict=True)), found


def measured_at(url: str) -> Measured:
    """Connect, and measure once the rate has been found."""
    with napari_cuda.connect(url, window=False, timeout_s=60) as viewer:
        shown = panning(viewer, TWICE_SIZE)
        measured(viewer, shown, 1)
        return measured(viewer, shown, 2)


def test_a_step_from_50_to_2_and_back(server: ServerProcess, connect: Connect, network: Network) -> None:
    """A second after the step nothing is RTT + 100 ms late; three after the step back all is as before."""
    fast, slow = (Link(delay_s=RTT_S / 2, rate_bit_s=rate) for rate in (50e6, 2e6))
    simulated = network(server, fast)
    shown = panning(viewer := connect(simulated))
    failures = []
    for _ in range(ROUNDS):
        began_s = time.monotonic()
        before = workloads.drive(viewer, workloads.pan, TURN_S)
        usual_s = statistics.median(shown.ages_s(began_s + 1))

        simulated.become(slow)
        stepped_s = time.monotonic()
        during = workloads.drive(viewer, workloads.pan, TURN_S)
        added_s = max(shown.ages_s(stepped_s + 1)) - usual_s

        simulated.become(fast)
        workloads.drive(viewer, workloads.pan, TURN_S)
        after = workloads.drive(viewer, workloads.pan, TURN_S)
        print(
            f"{before.bytes_per_frame / 1e3:.0f} kB, {before.frames_per_s:.0f}/s; at 2 Mb/s "
            f"{during.bytes_per_frame / 1e3:.1f} kB, {during.frames_per_s:.0f}/s, at most {1e3 * added_s:.0f} ms more "
            f"than {1e3 * usual_s:.0f}; then {after.bytes_per_frame / 1e3:.0f} kB, {after.frames_per_s:.0f}/s"
        )
        failures = [
            name
            for name, good in {
                "added delay": added_s <= RTT_S + 0.100,
                "pictures at 2 Mb/s": during.frames_per_s >= 8,
                "quality back": after.bytes_per_frame >= 0.8 * before.bytes_per_frame,
            }.items()
            if not good
        ]
        if not failures:
            return
    assert not failures


def test_a_keyframe_costs_three_frame_times_at_most(server: ServerProcess, connect: Connect, network: Network) -> None:
    """At 2 Mb/s too: one that is asked for is as small as the pictures around it."""
    simulated = network(server, Link(delay_s=RTT_S / 2, rate_bit_s=2e6))
    viewer = connect(simulated)
    panning(viewer)
    workloads.drive(viewer, workloads.pan, TURN_S)
    sizes: dict[bool, list[int]] = {True: [], False: []}
    receiver = viewer._session.loop.receiver
    submit = receiver._pipeline.submit

    def note(header: PacketHeader, payload: memoryview, received_s: float) -> None:
        sizes[header.keyframe].append(HEADER_SIZE + len(payload))
        submit(header, payload, received_s)

    receiver._pipeline.submit = note
    frame_s: list[float] = []
    for _ in range(3):
        receiver.request_keyframe("a test")
        frame_s.append(1 / workloads.drive(viewer, workloads.pan, TURN_S).frames_per_s)
    longest_s = 8 * max(sizes[True]) / 2e6
    print(f"keyframes {sizes[True]}, the others {np.median(sizes[False]):.0f} bytes; {frame_s} s for a frame")
    assert len(sizes[True]) >= 3
    assert longest_s <= 3 * max(frame_s)


def test_a_slow_viewer_costs_a_fast_one_less_than_a_tenth(
    server: ServerProcess, connect: Connect, network: Network
) -> None:
    link = network(server, Link(delay_s=RTT_S / 2, rate_bit_s=2e6))
    panning(fast := connect(server))
    workloads.drive(fast, workloads.pan, TURN_S)
    ratios: list[float] = []
    while len(ratios) < ROUNDS and max(ratios, default=0) < 0.9:
        alone = workloads.drive(fast, workloads.pan, TURN_S)
        slow = connect(link)
        workloads.drive(fast, workloads.pan, TURN_S, between=lambda _number: slow.pump(0))  # noqa: B023 -- called here
        together = workloads.drive(fast, workloads.pan, TURN_S, between=lambda _number: slow.pump(0))  # noqa: B023
        told = slow._session.loop.state.quality
        slow.close()
        print(f"alone {alone.frames_per_s:.0f} frames/s, beside a slow viewer {together.frames_per_s:.0f}; {told}")
        assert told is not None
        assert told.bit_rate < 6e6, "it is sent more than its link carries"
        ratios.append(together.frames_per_s / alone.frames_per_s)
    assert max(ratios) >= 0.9


def test_sixteen_viewers_of_one_session(server: ServerProcess, connect: Connect) -> None:
    """Each gets its share and none is left behind, and each costs the server less than 40 MB, at 1280 x 720."""
    process = psutil.Process(server.pid)
    viewers = [connect(server)]
    panning(viewers[0], (1280, 720))
    workloads.drive(viewers[0], workloads.pan, TURN_S)
    alone_mb = process.memory_info().rss / 1e6
    viewers += [connect(server) for _ in range(15)]
    shown = [Shown(viewer) for viewer in viewers]

    def pump(_number: int) -> None:
        for viewer in viewers[1:]:
            viewer.pump(0)

    good: list[bool] = []
    while len(good) < ROUNDS and not any(good):
        for seen in shown:
            seen.pictures.clear()
        began_s = time.monotonic()
        workloads.drive(viewers[0], workloads.pan, 2 * TURN_S, between=pump)
        for viewer in viewers[1:]:
            viewer.sync(60)
        together_s = time.monotonic() - began_s
        counts = [len(seen.pictures) for seen in shown]
        gaps_s = [longest_gap_s([at_s for at_s, _, _ in seen.pictures]) for seen in shown]
        each_mb = (process.memory_info().rss / 1e6 - alone_mb) / 15
        print(
            f"pictures of each in {together_s:.1f} s: {sorted(counts)}; longest gap {max(gaps_s):.2f} s; "
            f"{each_mb:.1f} MB each"
        )
        good.append(
            min(counts) >= 0.5 * statistics.median(counts)
            and max(gaps_s) <= 5 * together_s / statistics.median(counts)
            and each_mb < 40
        )
    assert any(good)


def longest_gap_s(times_s: list[float]) -> float:
    """Return the longest time between two pictures."""
    return max(b - a for a, b in itertools.pairwise(times_s))
