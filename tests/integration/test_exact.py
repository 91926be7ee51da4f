"""The exact picture: in bands, in parts, of differences, once, in every mode and of every workload."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headless_process import run_headless
from integration.conftest import Connect, Serve
from napari_cuda.bench.catalogue import WORKLOADS, Workload
from napari_cuda.bench.run import WorkloadServer
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import PacketHeader, PacketKind
from napari_cuda.server.encode.still_pace import LARGEST_PART
from napari_cuda.server_process import ServerProcess

MOST_GROWTH_BYTES = 5_000_000
FEWEST_LOOKS = 8
MOST_KEPT = 0.1
"""Blocks of Python's that a frame may leave behind: one object in ten frames."""
PROBE = Path(__file__).parent / "drawing_probe.py"


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    """One server for the module: image, labels and points."""
    return serve_scene("flat", size=(1280, 720))


class Received:
    """Every packet that a viewer receives: header, bytes of the payload."""

    def __init__(self, viewer: RemoteViewer) -> None:
        self.packets: list[tuple[PacketHeader, int]] = []
        pipeline = viewer._session.loop.pipeline
        submit: Callable[..., None] = pipeline.submit

        def note(header: PacketHeader, payload: memoryview, received_s: float) -> None:
            self.packets.append((header, len(payload)))
            submit(header, payload, received_s)

        pipeline.submit = note

    def take(self) -> list[tuple[PacketHeader, int]]:
        """Return what came since it was asked last."""
        taken, self.packets = self.packets, []
        return taken


def stills(packets: list[tuple[PacketHeader, int]]) -> list[int]:
    """Return the bytes of each part of a still among them."""
    return [size for header, size in packets if header.kind in (PacketKind.STILL, PacketKind.STILL_PART)]


def test_what_changes_nothing_in_the_picture_sends_no_picture(server: ServerProcess, connect: Connect) -> None:
    viewer = connect(server)
    viewer.screenshot(timeout_s=60)
    received = Received(viewer)
    before = viewer._session.loop.state.shown.revision
    for number in range(20):
        viewer.cursor.position = (100 + number, 90)
        viewer.layers[0].name = f"image {number}"
        viewer.layers.selection = {viewer.layers[number % 3]}
        viewer.sync(timeout_s=60)
    viewer.screenshot(timeout_s=60)
    packets = received.take()
    assert viewer._session.loop.state.shown.revision > before, "nothing was changed at all"
    assert packets, "not even the revisions were told"
    assert {header.kind for header, _ in packets} == {PacketKind.UNCHANGED}
    assert sum(size for _, size in packets) == 0


def test_a_still_comes_in_parts_and_after_a_small_change_only_what_differs(
    server: ServerProcess, connect: Connect
) -> None:
    viewer = connect(server)
    viewer.screenshot(timeout_s=60)
    received = Received(viewer)
    viewer.scene.camera.zoom *= 1.1
    viewer.screenshot(timeout_s=60)
    whole = stills(received.take())
    assert len(whole) > 3
    assert max(whole) <= LARGEST_PART
    viewer.add_points([[300.0, 300.0]], size=6, name="one")
    shot = viewer.screenshot(timeout_s=60)
    assert 0 < sum(stills(received.take())) < sum(whole) / 20
    frame = viewer._session.loop.frame
    assert frame is not None
    assert picture_hash(shot) == frame.header.picture_hash
    viewer.layers.remove("one")
    viewer.screenshot(timeout_s=60)


def probed(folder: Path, *args: str) -> dict[str, Any]:
    """Run a probe in a process of its own."""
    done = run_headless(folder / "napari.yaml", PROBE, *args, timeout_s=500)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_in_bands_the_picture_is_what_it_is_in_one_go(tmp_path: Path) -> None:
    found = probed(tmp_path, "bands")
    assert set(found["same"].values()) == {True}, found
    assert min(found["bands"]) > 1
    assert all(found["reduced"]), "what moves was drawn in full: there was nothing to finish"


def test_a_screenshot_has_the_detail_that_the_user_chose(tmp_path: Path) -> None:
    """It is what all clients show at rest, in `fast` quality too."""
    found = probed(tmp_path, "grabbed")
    assert found["same"] == [True] * 4
    auto, fast, coarse, full = found["digests"]
    assert auto == full
    assert len({full, fast, coarse}) == 3
    before, _, after = found["asked"]
    assert (before, after) == (False, True), "what came during a screenshot is nowhere else"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_minutes_of_frames_and_their_stills_cost_the_server_no_memory(tmp_path: Path) -> None:
    """Draw, encode, deliver: what grows at first (arenas of the C library, 1 MiB at a time) does not go on growing.

    10^5 frames, which take 9 minutes, were shown by hand: ADR 6.
    """
    found = probed(tmp_path, "soak", "100000", "100", "120")
    frames, resident = zip(*found["seen"], strict=True)
    grown = max(resident) - resident[0]
    print(f"{frames[-1]} frames after the warm-up: RSS grew by {grown / 1e6:.2f} MB at most")
    assert len(frames) >= FEWEST_LOOKS, "too few to tell anything"
    kept = (found["blocks"][-1] - found["blocks"][0]) / frames[-1]
    assert kept < MOST_KEPT, "objects of Python stay: what grows are not the allocators' arenas alone"
    assert grown < MOST_GROWTH_BYTES
    assert found["threads_lost"] == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["pan2d-fraction", "scrub", "labels", "mip3d", "mri", "multichannel", "4k"])
def test_every_workload_becomes_exact(name: str, connect: Connect) -> None:
    """The client has compared the picture's hash with the server's; here it is compared once more."""
    workload: Workload = WORKLOADS[name]
    with WorkloadServer(workload) as server:
        viewer = connect(server)
        viewer.canvas.size = workload.size[::-1]
        workload.begin(viewer)
        for number in range(5):
            workload.step(viewer, number)
            viewer.sync(timeout_s=100)
        shot = viewer.screenshot(timeout_s=100)
        frame = viewer._session.loop.frame
        assert frame is not None
        assert frame.header.full_detail
        assert frame.header.at_rest
        assert shot.shape == (*workload.size[::-1], 4)
        assert np.ptp(shot[..., :3]) > 50, "the picture is empty"
        assert picture_hash(shot) == frame.header.picture_hash
        assert viewer.metrics.counts().get("decode_errors", 0) == 0
        viewer.close()
