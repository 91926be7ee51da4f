"""A pyramid of 215 GB that is nowhere on a disk, over HTTP: quick to open, smooth, true, and in bounded memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import napari_cuda
from huge_pyramid import CHUNK, HugePyramid
from napari_cuda import workloads
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.protocol.errors import DataError
from napari_cuda.server_process import ServerProcess

PROGRAM = Path(__file__).parent.parent / "huge_pyramid.py"
SHAPE = (1024, 10240, 10240)
CACHE_MB = 96
SMALL_CACHE_MB = 48
BESIDES_MB = 65
"""What a server that reads a store takes besides the cache: 80 at 1280x720 (docs/adr/0006-fast-and-exact.md)."""
FIRST_PICTURE_S = 2.0
PAN_SHARE = 0.8
"""Of the rate at which a small image in memory is panned on this machine."""
ROUNDS = 5
"""From opening to the exact picture: the folder, the levels, the coarsest of them, what is seen; and one to spare."""


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The URL of the pyramid."""
    words = [sys.executable, str(PROGRAM), *map(str, SHAPE)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts["gigabytes"] > 200
        yield facts["url"]
    finally:
        process.kill()
        process.communicate()


def ask(store: str, what: str) -> bytes:
    """Ask the pyramid's server for something else than data."""
    with urllib.request.urlopen(f"{store.rpartition('/')[0]}/{what}", timeout=30) as answer:
        body: bytes = answer.read()
    return body


@pytest.fixture(scope="module")
def server(store: str) -> Iterator[ServerProcess]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NAPARI_CUDA_CHUNK_CACHE_MB", str(CACHE_MB))
        with ServerProcess(["--allow-url", store, "--size", "640x480"]) as process:
            yield process


@pytest.fixture
def viewer(server: ServerProcess) -> Iterator[RemoteViewer]:
    with napari_cuda.connect(server.connect_url, window=False, timeout_s=60) as connected:
        connected.layers.clear()
        connected.dims.ndisplay = 2
        connected.sync(60)
        yield connected


def open_huge(viewer: RemoteViewer, url: str) -> Any:
    (layer,) = viewer.open(url)
    # What is asked for after it came is acknowledged after it came: pictures from then on must have it.
    layer.opacity = 0.999
    return layer


def resident_mb(server: ServerProcess) -> float:
    return float(psutil.Process(server.pid).memory_info().rss) / 1e6


def look_at(viewer: RemoteViewer, plane: int, y: float, x: float, zoom: float) -> int:
    """Return the exact picture's grey in the middle, as the middle 15 × 15 pixels have it at most."""
    viewer.dims.set_current_step(0, plane)
    viewer.scene.camera.zoom = zoom
    viewer.scene.camera.center = (0, y, x)
    picture = viewer.screenshot()
    height, width = picture.shape[:2]
    return int(picture[height // 2 - 7 : height // 2 + 8, width // 2 - 7 : width // 2 + 8, 0].max())


def check_pixels(viewer: RemoteViewer, level: int, plane: int, chunk: tuple[int, int]) -> None:
    """Check the exact picture of the middle of a chunk against what the store has there."""
    y, x = ((number + 0.5) * side * 2**level for number, side in zip(chunk, CHUNK[1:], strict=True))
    # A screen pixel is between one and two of the level's.
    grey = look_at(viewer, plane, y, x, 0.75 / 2**level)
    step = HugePyramid.step(level, (plane >> level, *chunk))
    assert step * 4096 * 255 / 65535 - 1 <= grey <= (step + 1) * 4096 * 255 / 65535 + 1


@contextmanager
def far_away(store: str, latency_s: float) -> Iterator[None]:
    """Have each answer of the store take so long."""
    ask(store, f"latency/{latency_s}")
    try:
        yield
    finally:
        ask(store, "latency/0")


@pytest.mark.alone
@pytest.mark.parametrize("latency_s", [0.0, 0.1])
def test_the_first_picture(viewer: RemoteViewer, store: str, latency_s: float) -> None:
    took = []
    with far_away(store, latency_s):
        for _ in range(3):
            began_s = time.monotonic()
            open_huge(viewer, store)
            grey = viewer.screenshot()[..., 0]
            took.append(time.monotonic() - began_s)
            assert len(np.unique(grey)) > 50, "noise"
            viewer.layers.clear()
            viewer.sync(60)
            if took[-1] <= FIRST_PICTURE_S:
                break
    assert min(took) <= FIRST_PICTURE_S, took


def test_opening_asks_for_each_document_once_and_for_many_at_a_time(viewer: RemoteViewer, store: str) -> None:
    before: Counter[str] = Counter(json.loads(ask(store, "requests")))
    with far_away(store, 0.4):
        rounds = int(ask(store, "rounds"))
        levels = len(open_huge(viewer, store).data)
        viewer.screenshot()
        rounds = int(ask(store, "rounds")) - rounds
    asked = Counter(json.loads(ask(store, "requests"))) - before
    documents = {key: times for key, times in asked.items() if "/c/" not in key}
    assert {f"{level}/zarr.json" for level in range(levels)} < documents.keys()
    assert set(documents.values()) == {1}
    assert {times for key, times in asked.items() if key.startswith(f"{levels - 1}/c/")} == {1}, "what is held"
    assert rounds <= ROUNDS


@pytest.mark.parametrize(
    ("level", "plane", "chunk"), [(0, 513, (9, 11)), (1, 4, (3, 2)), (2, 1020, (4, 1)), (4, 704, (0, 0))]
)
def test_every_level_shows_what_the_store_has(
    viewer: RemoteViewer, store: str, level: int, plane: int, chunk: tuple[int, int]
) -> None:
    open_huge(viewer, store)
    check_pixels(viewer, level, plane, chunk)


@pytest.mark.alone
def test_a_pan_is_as_smooth_as_that_of_a_small_image(viewer: RemoteViewer, store: str) -> None:
    def frames_per_s(shown: Any) -> float:
        for layer in (huge, small):
            layer.visible = layer is shown
        camera = viewer.scene.camera
        camera.zoom, camera.center = 0.4, (0, 5000, 2000)
        assert np.ptp(viewer.screenshot()[..., 0]) > 5, "nothing is seen"

        def go_right(_viewer: Any, _number: int) -> None:
            camera.center = (0, 5000, camera.center[2] + 15)

        return workloads.drive(viewer, go_right, 3).frames_per_s

    # Noise like the store's, in memory, wherever the pan goes.
    noise = np.random.default_rng(3).integers(20000, 24096, (800, 3000), np.uint16)
    small = viewer.add_image(noise, scale=(2, 2), translate=(4200, 800), contrast_limits=(0, 65535))
    huge = open_huge(viewer, store)
    rounds: list[tuple[float, float]] = []
    while len(rounds) < 4 and max((a / b for a, b in rounds), default=0) < PAN_SHARE:
        rounds.append((frames_per_s(huge), frames_per_s(small)))
    print(f"frames/s of the pan: {', '.join(f'{a:.0f} (small image: {b:.0f})' for a, b in rounds)}")
    assert max(a / b for a, b in rounds) >= PAN_SHARE, rounds


def test_memory_is_bounded_by_the_cache(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a server with nothing in it on: 14 MB more if the allocator is left as it is, and that grows."""
    monkeypatch.setenv("NAPARI_CUDA_CHUNK_CACHE_MB", str(SMALL_CACHE_MB))
    with (
        ServerProcess(["--allow-url", store, "--size", "640x480"]) as server,
        napari_cuda.connect(server.connect_url, window=False, timeout_s=60) as viewer,
    ):
        viewer.screenshot(60)
        empty_mb = resident_mb(server)
        open_huge(viewer, store)
        look_at(viewer, 0, 5120, 5120, 0.5)
        seen_mb = 0.0
        for plane in range(100, 1000, 15):
            viewer.dims.set_current_step(0, plane)
            viewer.scene.camera.center = (0, 5120, 3000 + 4 * plane)
            viewer.screenshot(60)
            # At this zoom level 1 is seen: 1280 × 960 of its pixels at least.
            seen_mb += 2 * 1280 * 960 / 1e6
        at_rest_mb = resident_mb(server) - empty_mb
    print(f"{at_rest_mb:.0f} MB")
    assert seen_mb > 2 * SMALL_CACHE_MB
    assert at_rest_mb < SMALL_CACHE_MB + BESIDES_MB


def test_a_volume_is_finer_than_the_coarsest_level(viewer: RemoteViewer, store: str) -> None:
    layer = open_huge(viewer, store)
    viewer.dims.ndisplay = 3
    automatic = viewer.screenshot()
    layer.locked_data_level = len(layer.data) - 1
    coarsest = viewer.screenshot()
    layer.locked_data_level = len(layer.data) - 2
    finer = viewer.screenshot()
    assert not np.array_equal(automatic, coarsest)
    assert np.array_equal(automatic, finer)
    layer.locked_data_level = 0
    assert len(np.unique(viewer.screenshot()[..., 0])) > 10, "all of it at once would be 215 GB"


def test_no_other_address_is_opened(viewer: RemoteViewer, store: str) -> None:
    for url in (store.replace("huge", "other"), "http://169.254.169.254/latest/", "file:///etc/passwd"):
        with pytest.raises(DataError, match="is not served"):
            viewer.open(url)


def test_what_is_removed_before_its_chunks_came_is_not_asked_for_again(viewer: RemoteViewer, store: str) -> None:
    with far_away(store, 1.0):
        open_huge(viewer, store)
        frames = viewer.metrics.counts()["frames_shown"]
        viewer.dims.set_current_step(0, 700)
        while viewer.metrics.counts()["frames_shown"] == frames:
            viewer.pump(0.02)
        viewer.layers.clear()
        viewer.sync(30)
    open_huge(viewer, store)
    check_pixels(viewer, 1, 300, (5, 5))


def test_far_away_coarse_comes_first_and_everything_once(viewer: RemoteViewer, store: str) -> None:
    open_huge(viewer, store)
    look_at(viewer, 0, 5120, 5120, 0.5)
    before: dict[str, int] = json.loads(ask(store, "requests"))  # by other tests' servers, too
    far_s, took = 1.0, []
    with far_away(store, far_s):
        # The coarsest level has one plane for 64: each step shows another one.
        for plane in (130, 200, 260, 330, 390):
            frames, began_s = viewer.metrics.counts()["frames_shown"], time.monotonic()
            viewer.dims.set_current_step(0, plane)
            while viewer.metrics.counts()["frames_shown"] == frames:
                viewer.pump(0.02)
            took.append(time.monotonic() - began_s)
        check_pixels(viewer, 1, 390, (5, 5))
    assert statistics.median(took) < far_s, "no chunk can be here so soon"
    asked: dict[str, int] = json.loads(ask(store, "requests"))
    seen = {key: times - before.get(key, 0) for key, times in asked.items() if key.startswith("1/c/195/")}
    assert len(seen) >= 9, "what is seen of 1280 × 960 pixels of level 1"
    assert 1 in seen.values()
    assert max(seen.values()) == 1
