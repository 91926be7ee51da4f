"""Ends: a closed window, a killed client, an interrupted server leave nothing behind."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import napari_cuda
from gl_window import require_display
from integration.conftest import Connect, Serve
from napari_cuda.protocol.errors import ConnectError, StartupError
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient

CLIENT = Path(__file__).parent.parent / "client_process.py"
COMMAND = [sys.executable, "-m", "napari_cuda"]
PATIENCE_S = 60.0
"""So long the tests wait for what they demand; how long it takes they do not judge."""

BAD_WORDS = (
    "Traceback",
    "Segmentation",
    "core dumped",
    "Fatal Python error",
    "QThread: Destroyed",
    "Exception ignored",
)


def settles(check: Callable[[], bool]) -> bool:
    """Return whether `check()` becomes true."""
    until_s = time.monotonic() + PATIENCE_S
    while not check():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.05)
    return True


def viewers(server: ServerProcess) -> int:
    with urllib.request.urlopen(f"{server.url}healthz", timeout=30) as answer:
        return int(json.loads(answer.read())["viewers"])


def footprint(pid: int) -> tuple[int, int, int]:
    """Return how many threads, open files and child processes a process has."""
    process = psutil.Process(pid)
    return process.num_threads(), process.num_fds(), len(process.children(recursive=True))


def no_more_than(before: tuple[int, int, int], pid: int) -> bool:
    """Return whether a process has no more of anything than before; what was just ending then may be gone."""
    return all(now <= then for now, then in zip(footprint(pid), before, strict=True))


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    """A server that has seen clients come and go: what it keeps for good it has."""
    started = serve_scene("flat", size=(320, 240))
    for _ in range(2):
        with napari_cuda.connect(started.connect_url, window=False) as viewer:
            viewer.screenshot()
    assert settles(lambda: viewers(started) == 0)
    return started


@pytest.fixture
def client(server: ServerProcess, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a client in a process of its own and wait until pictures flow."""
    started: list[subprocess.Popen[str]] = []

    def start(kind: str) -> subprocess.Popen[str]:
        command = ["env", f"TMPDIR={tmp_path}", sys.executable, str(CLIENT), kind, server.connect_url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "streaming\n", process.communicate()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_client_that_leaves(server: ServerProcess) -> None:
    before = footprint(server.pid)
    for _ in range(5):
        with napari_cuda.connect(server.connect_url, window=False) as viewer:
            viewer.sync()
            assert viewers(server) == 1
    assert settles(lambda: viewers(server) == 0 and no_more_than(before, server.pid)), (before, footprint(server.pid))


def test_a_killed_client(server: ServerProcess, client: Callable[[str], subprocess.Popen[str]]) -> None:
    before = footprint(server.pid)
    with napari_cuda.connect(server.connect_url, window=False) as other:
        process = client("script")
        assert viewers(server) == 2
        process.kill()
        process.wait()
        assert settles(lambda: viewers(server) == 1)
        # Who stays sees that the scene lives.
        other.layers[0].opacity = 0.5
        other.sync()
        other.layers[0].opacity = 1.0
        other.sync()
    assert settles(lambda: viewers(server) == 0 and no_more_than(before, server.pid)), (before, footprint(server.pid))


def close_window(server: ServerProcess, client: Callable[[str], subprocess.Popen[str]], tmp_path: Path) -> None:
    process = client("window")
    children = psutil.Process(process.pid).children(recursive=True)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert json.loads(out) == {"threads": []}
    assert not [word for word in BAD_WORDS if word in err], err
    assert not [child for child in children if child.is_running()]
    assert list(tmp_path.iterdir()) == []
    assert settles(lambda: viewers(server) == 0)
    with RawClient(server) as raw:
        assert len(raw.snapshot.layers) == 3, "closing a window must not delete the server's layers"


def test_a_closed_window(server: ServerProcess, client: Callable[[str], subprocess.Popen[str]], tmp_path: Path) -> None:
    require_display()
    before = footprint(server.pid)
    for _ in range(2):
        close_window(server, client, tmp_path)
    assert settles(lambda: no_more_than(before, server.pid)), (before, footprint(server.pid))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_closed_windows(
    server: ServerProcess, client: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    require_display()
    before = footprint(server.pid)
    for _ in range(20):
        close_window(server, client, tmp_path)
    assert settles(lambda: no_more_than(before, server.pid)), (before, footprint(server.pid))


# --- the server -----------------------------------------------------------------------------


@dataclass
class Started:
    """A server whose whole end is watched: its own session, its own folder for temporary files."""

    process: subprocess.Popen[str]
    temporary: Path
    errors: Path
    facts: dict[str, Any]

    @property
    def connect_url(self) -> str:
        return f"{self.facts['url']}?token={self.facts['token']}"

    def end(self, number: signal.Signals) -> None:
        """Interrupt it; check that it ended in order and left nothing."""
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE_S) == 0, self.errors.read_text()
        words = self.errors.read_text()
        assert not [word for word in BAD_WORDS if word in words], words
        assert not [member for member in family if member.is_running()]
        assert list(self.temporary.iterdir()) == []
        if self.facts:
            with socket.socket() as again:
                # Without SO_REUSEADDR this fails while anything listens there.
                again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                again.bind(("127.0.0.1", self.facts["port"]))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Start servers on free ports; the process gets a TMPDIR that must be empty in the end."""
    running: list[subprocess.Popen[str]] = []

    def launch(*paths: str, wait: bool = True) -> Started:
        temporary, errors = tmp_path / f"tmp{len(running)}", tmp_path / f"errors{len(running)}"
        temporary.mkdir()
        command = ["env", f"TMPDIR={temporary}", *COMMAND, "serve", *paths, "--port", "0", "--size", "320x240"]
        with errors.open("w") as stderr:
            process = subprocess.Popen(
                [*command, "--announce", "json"], stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        running.append(process)
        assert process.stdout is not None
        return Started(process, temporary, errors, json.loads(process.stdout.readline()) if wait else {})

    yield launch
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])


@BOTH
def test_an_interrupted_server(start: Callable[..., Started], number: signal.Signals) -> None:
    start().end(number)


@BOTH
def test_interrupted_while_streaming(start: Callable[..., Started], number: signal.Signals) -> None:
    server = start()
    with napari_cuda.connect(server.connect_url, window=False) as viewer:
        viewer.scene.camera.zoom = 2
        viewer.sync()
        for step in range(30):
            viewer.scene.camera.zoom = 2 + step / 10
            viewer.pump(0.01)
        viewer.scene.camera.zoom = 1
        server.end(number)
        with pytest.raises(ConnectError) as said:
            viewer.sync(timeout_s=1)
        assert "\n" not in str(said.value)


@BOTH
@pytest.mark.parametrize("library", ["libEGL.so", "libQt6Gui.so", "libavcodec"])
def test_interrupted_while_starting(start: Callable[..., Started], number: signal.Signals, library: str) -> None:
    """Interrupted as it loads a library: early, in the middle, late in its start."""
    server = start("sample:balls_3d", wait=False)
    maps = Path(f"/proc/{server.process.pid}/maps")
    assert settles(lambda: library in maps.read_text())
    server.process.send_signal(number)
    # Before the server has handlers of its own the signal ends it as it ends any program.
    assert server.process.wait(PATIENCE_S) in (0, -number), server.errors.read_text()
    words = server.errors.read_text()
    assert not [word for word in BAD_WORDS if word in words], words
    assert list(server.temporary.iterdir()) == []


def test_a_port_is_free_again() -> None:
    first = ServerProcess([])
    first.start()
    port = first.port
    assert first.stop() == 0
    with socket.socket() as knock, pytest.raises(ConnectionRefusedError):
        knock.connect(("127.0.0.1", port))


def test_a_failed_start_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StartupError):
        ServerProcess([str(tmp_path / "missing.tif")]).start()
    assert not psutil.Process().children(recursive=True) or all(
        "missing.tif" not in child.cmdline() for child in psutil.Process().children(recursive=True)
    )


def run_once(start: Callable[..., Started], tmp_path: Path, path: str) -> None:
    server = start(path)
    picture = tmp_path / "picture.png"
    done = subprocess.run(
        [*COMMAND, "snapshot", server.connect_url, "-o", str(picture)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not [word for word in BAD_WORDS if word in done.stderr], done.stderr
    assert picture.stat().st_size > 0
    picture.unlink()
    server.end(signal.SIGINT)


@pytest.mark.parametrize(
    "runs", [2, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(900)])], ids=["two", "twenty"]
)
def test_no_crash_at_exit(start: Callable[..., Started], tmp_path: Path, runs: int) -> None:
    for _ in range(runs):
        run_once(start, tmp_path, "sample:balls_2d")


def test_connections_are_closed_in_the_test_process(server: ServerProcess, connect: Connect) -> None:
    before = psutil.Process().num_fds()
    viewer = connect(server)
    viewer.sync()
    viewer.close()
    assert psutil.Process().num_fds() == before


def test_a_server_does_not_outlive_the_process_that_started_it() -> None:
    code = (
        "import time; from napari_cuda.server_process import ServerProcess\n"
        "with ServerProcess(['--size', '64x64']) as server: print(server.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        assert server.is_running()
    finally:
        parent.kill()
        parent.communicate()
    assert settles(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
