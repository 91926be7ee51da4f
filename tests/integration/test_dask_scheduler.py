"""Lazy arrays are computed by the scheduler that `serve` is told of, and here once that is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_cuda
from dask_cluster import HERE, SLOW_PLANE, THERE
from headless_process import run
from napari_cuda.client.headless import RemoteViewer
from scene_server import SceneServer

PROGRAM = Path(__file__).parent.parent / "dask_cluster.py"


@pytest.fixture
def cluster() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def grey(viewer: RemoteViewer) -> int:
    """Return the exact picture's grey in the middle."""
    picture = viewer.screenshot(timeout_s=60)
    return int(picture[picture.shape[0] // 2, picture.shape[1] // 2, 0])


def test_a_scheduler_computes_until_it_is_lost(
    cluster: tuple[subprocess.Popen[str], str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    process, address = cluster
    monkeypatch.setenv("NAPARI_CUDA_SCHEDULER", address)
    with (
        SceneServer("lazy", size=(320, 240)) as server,
        napari_cuda.connect(server.connect_url, window=False, timeout_s=60) as viewer,
    ):
        for plane in (5, 6):
            viewer.dims.set_current_step(0, plane)
            assert grey(viewer) == THERE
        viewer.dims.set_current_step(0, SLOW_PLANE)
        viewer.pump(0.05)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
        assert grey(viewer) == HERE
        viewer.dims.set_current_step(0, 7)
        assert grey(viewer) == HERE
    lost = [record.getMessage() for record in caplog.records if "scheduler" in record.getMessage()]
    assert lost == [f"the dask scheduler {address} is lost: arrays are computed on the server itself from now on"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param(
            "tcp://127.0.0.1:1",
            "the dask scheduler tcp://127.0.0.1:1 cannot be reached",
            marks=pytest.mark.slow,  # dask tries for as long as it may
        ),
        ("nowhere", "--scheduler 'nowhere' is no address such as tcp://HOST:8786"),
        ("http://127.0.0.1:1", "--scheduler 'http://127.0.0.1:1' is no address such as tcp://HOST:8786"),
    ],
)
def test_one_that_cannot_be_reached_is_told_in_one_line(address: str, words: str) -> None:
    serve = ["env", "NAPARI_CUDA_LOG_LEVEL=warning", sys.executable, "-m", "napari_cuda", "serve", "--port", "0"]
    done = run([*serve, "--scheduler", address])
    assert done.returncode == 1
    errors = done.stderr.strip().splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("error: " + words)


def test_without_the_package_one_line_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from napari_cuda.server.data.dask_scheduler import DaskScheduler\n"
        "DaskScheduler('tcp://127.0.0.1:1', print)"
    )
    done = run([sys.executable, "-c", code])
    assert (
        "StartupError: --scheduler needs the package distributed: pip install 'napari-cuda[distributed]'"
        in (done.stderr.splitlines()[-1])
    )
