"""What is refused: one clear message each, and whoever is connected notices nothing."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as open_socket

import napari_cuda
from integration.conftest import Serve
from messages_of_each_type import MESSAGES
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import ConfigError, ConnectError, DataError, StartupError
from napari_cuda.protocol.roles import VIEW_ONLY, permits
from napari_cuda.server.net.viewers import MOST_REFUSALS
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient

Picture = npt.NDArray[np.uint8]

HUNDRED_MB = 100 * 2**20


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("flat", size=(320, 240))


@pytest.fixture(scope="module")
def bystander(server: ServerProcess) -> Iterator[tuple[RemoteViewer, Picture]]:
    """A viewer that is connected all the time, and its picture."""
    with napari_cuda.connect(server.connect_url, window=False) as viewer:
        yield viewer, viewer.screenshot()


@pytest.fixture(autouse=True)
def nobody_else_notices(bystander: tuple[RemoteViewer, Picture]) -> Iterator[None]:
    """The bystander's scene and picture are as before, and its stream goes on."""
    viewer, picture = bystander
    revision = viewer.sync()
    yield
    viewer.pump(0.1)
    assert viewer.sync() == revision
    assert np.array_equal(viewer.screenshot(), picture)
    zoom, frames = viewer.scene.camera.zoom, viewer.metrics.counts()["frames_shown"]
    viewer.scene.camera.zoom = zoom * 1.5
    assert viewer.sync() > revision
    assert viewer.metrics.counts()["frames_shown"] > frames
    assert not np.array_equal(viewer.screenshot(), picture)
    viewer.scene.camera.zoom = zoom
    assert np.array_equal(viewer.screenshot(), picture)


# --- who may connect ------------------------------------------------------------------------


def handshake(server: ServerProcess, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Return (HTTP status, JSON answer) of a refused WebSocket handshake."""
    with pytest.raises(InvalidStatus) as refused:
        open_socket(f"ws://127.0.0.1:{server.port}{path}", additional_headers=headers, proxy=None).close()
    return refused.value.response.status_code, json.loads(refused.value.response.body)


@pytest.mark.parametrize("path", ["/ws/state", "/ws/pixels?viewer=V1"])
def test_no_token(server: ServerProcess, path: str) -> None:
    status, answer = handshake(server, path, {})
    assert (status, answer["code"]) == (401, "auth.missing")
    assert "no token" in answer["message"]


@pytest.mark.parametrize("path", ["/ws/state", "/ws/pixels?viewer=V1", "/ws/state?token=guessed"])
def test_wrong_token(server: ServerProcess, path: str) -> None:
    headers = {} if "token" in path else {"Authorization": f"Bearer {server.token[:-1]}x"}
    status, answer = handshake(server, path, headers)
    assert (status, answer["code"]) == (401, "auth.wrong_token")
    assert "wrong token" in answer["message"]


@pytest.mark.parametrize("path", ["/metrics", "/anything"])
def test_no_page_without_token(server: ServerProcess, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=30)
    with refused.value as answer:
        assert answer.code == 401
        assert json.loads(answer.read())["code"] == "auth.missing"


@pytest.mark.parametrize("path", ["/ws/state", "/ws/pixels?viewer=V1"])
def test_foreign_origin(server: ServerProcess, path: str) -> None:
    headers = {"Authorization": f"Bearer {server.token}", "Origin": "https://elsewhere.example"}
    status, answer = handshake(server, path, headers)
    assert (status, answer["code"]) == (403, "auth.foreign_origin")
    assert "https://elsewhere.example" in answer["message"]


def test_pixels_of_nobody(server: ServerProcess) -> None:
    status, answer = handshake(server, "/ws/pixels?viewer=V0", {"Authorization": f"Bearer {server.token}"})
    assert (status, answer["code"]) == (404, "pixels.no_viewer")


def test_our_client_passes_the_words_on(server: ServerProcess) -> None:
    with pytest.raises(
        ConnectError, match=r"^the server refused us: wrong token: it changes when the server is"
    ) as said:
        napari_cuda.connect(server.url, window=False, token="a" * 43)
    assert "\n" not in str(said.value)
    with pytest.raises(ConfigError, match="has no token: use the whole URL"):
        napari_cuda.connect(server.url, window=False)


# --- who may only look ------------------------------------------------------------------------


def only_looking(server: ServerProcess) -> RawClient:
    return RawClient(server, headers={"Authorization": f"Bearer {server.view_token}"})


def test_who_may_only_look_changes_nothing_whatever_it_sends(server: ServerProcess) -> None:
    with only_looking(server) as raw:
        refused = [message for message in MESSAGES if isinstance(message, m.Intent) and not permits("view", message)]
        for message in refused:
            reasons = set(raw.refusals(replace(message, intent=raw.next_intent())).values())
            assert reasons == {VIEW_ONLY}, message
        with pytest.raises(AssertionError, match=VIEW_ONLY):  # what the test's client makes of an error
            raw.send(m.LogQuery())
            raw.wait_for(m.LogLines)
        # It sees all the same: the scene, and what is under the cursor.
        raw.send(m.Command(raw.next_intent(), "scene.snapshot"))
        assert raw.wait_for(m.SceneSnapshot).layers
        raw.send(m.CursorQuery(1, [0.0, 0.0]))
        assert raw.wait_for(m.CursorValue).query == 1


def test_who_may_only_look_and_reads_no_answer_costs_no_memory(server: ServerProcess) -> None:
    with only_looking(server) as raw:
        for _ in range(300):
            raw.send(m.CameraIntent(raw.next_intent(), {"zoom": 3.0}))
        while (ack := raw.wait_for(m.Ack)).intent < 300:
            assert len(ack.refused) <= MOST_REFUSALS


@pytest.mark.parametrize(("method", "path"), [("GET", "/files"), ("POST", "/uploads"), ("GET", "/downloads/x")])
def test_who_may_only_look_gets_no_files(server: ServerProcess, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {server.view_token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers, method=method)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as answer:
        assert answer.code == 403
        assert json.loads(answer.read()) == {"code": "auth.view_only", "message": VIEW_ONLY}


def test_a_script_that_may_only_look_sees_the_picture_and_is_told_why_it_sets_nothing(
    server: ServerProcess, bystander: tuple[RemoteViewer, Picture]
) -> None:
    _, picture = bystander
    with napari_cuda.connect(server.view_url, window=False) as viewer:
        assert np.array_equal(viewer.screenshot(), picture)
        zoom = viewer.scene.camera.zoom
        viewer.scene.camera.zoom = 3 * zoom
        assert viewer.scene.camera.zoom == zoom
        layers = len(viewer.layers)
        viewer.add_points(np.zeros((1, 2)))
        viewer.sync()
        assert len(viewer.layers) == layers
        with pytest.raises(DataError, match="you may only look"):
            viewer.open("anything.tif")


# --- what may be said -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('{"type": "layer.intent", "intent"', "protocol.malformed", "message is not JSON"),
        ('{"type": "layer.explode", "intent": 1}', "protocol.unknown_type", "layer.explode"),
        ('{"type": "layer.intent", "intent": "one"}', "protocol.invalid", "Expected `int`"),
        ("[]", "protocol.invalid", "Expected `object`"),
    ],
)
def test_what_is_not_the_protocol(server: ServerProcess, text: str, code: str, words: str) -> None:
    with RawClient(server) as raw:
        raw.socket.send(text)
        error = raw.wait_for(m.Error)
        assert (error.code, "\n" in error.message) == (code, False)
        assert words in error.message
        # Told, not thrown out: one bad message ends no session.
        assert raw.refusals(m.CameraIntent(raw.next_intent(), {})) == {}
    with RawClient(server, hello=False) as raw:
        raw.socket.send(text)
        reject = raw.wait_for(m.Reject)
        assert (reject.code, reject.message) == (code, error.message)
        with pytest.raises(ConnectionClosed):
            raw.wait_for(m.Welcome)


def test_a_flood_of_nonsense_ends_the_session(server: ServerProcess) -> None:
    with RawClient(server) as raw:
        for _ in range(20):
            raw.socket.send("nonsense")
        with pytest.raises(ConnectionClosed):
            while True:
                raw.wait_for(m.Error)


@pytest.mark.parametrize("hello", [True, False])
def test_a_message_of_100_mb(server: ServerProcess, hello: bool) -> None:
    with RawClient(server, hello=hello) as raw, pytest.raises(ConnectionClosed):
        raw.socket.send('"' + "x" * HUNDRED_MB + '"')
        raw.wait_for(m.Welcome)
    # The server hangs up while we are still sending, and its words may be lost with what we sent:
    # announce as much, and listen.
    with RawClient(server, hello=hello) as raw, pytest.raises(ConnectionClosed) as closed:
        raw.socket.socket.sendall(struct.pack("!BBQ4s", 0x81, 0x80 | 127, HUNDRED_MB, b"mask"))
        raw.wait_for(m.Welcome)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, "\n" in closed.value.rcvd.reason) == (1009, False)
    assert f"{HUNDRED_MB} bytes" in closed.value.rcvd.reason


@pytest.mark.parametrize("text", ['{"type": "pixel.ack", "se', '{"type": "pixel.dance"}', '{"type": "pixel.ack"}'])
def test_nonsense_on_the_pixel_socket(server: ServerProcess, text: str) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    with RawClient(server) as raw:
        url = f"ws://127.0.0.1:{server.port}/ws/pixels?viewer={raw.viewer}"
        with (
            open_socket(url, additional_headers=headers, proxy=None, max_size=None) as pixels,
            pytest.raises(ConnectionClosed) as closed,
        ):
            pixels.send(text)
            while True:
                pixels.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.reason.startswith("protocol.")
        # The session is another socket, and lives.
        assert raw.refusals(m.CameraIntent(raw.next_intent(), {})) == {}


# --- what cannot be served ------------------------------------------------------------------

Refusal = Callable[..., str]


@pytest.fixture
def refusal() -> Refusal:
    """Run `napari-cuda …`, which must fail, and return its one line without `error: `."""

    def run(*words: object, environment: tuple[str, ...] = ()) -> str:
        quiet = [] if "LOG_LEVEL" in "".join(environment) else ["NAPARI_CUDA_LOG_LEVEL=warning"]
        command = ["env", *environment, *quiet, sys.executable, "-m", "napari_cuda", *(str(word) for word in words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode in (1, 2), done
        assert done.stdout == ""
        # napari shows its progress before it fails.
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("Opening Files")]
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("error: ")
        return lines[0].removeprefix("error: ")

    return run


SERVE = ("serve", "--port", "0", "--announce", "json")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "stack.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, np.zeros((3, 8, 8), np.uint8))
    return path


def test_a_path_that_does_not_exist(refusal: Refusal, tmp_path: Path) -> None:
    missing = tmp_path / "missing.tif"
    assert refusal(*SERVE, missing) == f"{missing} does not exist on the server"
    assert refusal("snapshot", missing, "-o", tmp_path / "x.png") == f"{missing} does not exist on the server"


def test_a_path_outside_the_root(refusal: Refusal, tmp_path: Path, stack: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    (root / "link.tif").symlink_to(stack)
    for path in (stack, root / "link.tif", root / ".." / "elsewhere" / "stack.tif", tmp_path / "missing.tif"):
        words = refusal(*SERVE, "--root", root, path)
        assert words.startswith(f"{path} is outside the served roots ({root})"), words


def test_a_corrupt_tiff(refusal: Refusal, tmp_path: Path, stack: Path) -> None:
    cut = tmp_path / "cut.tif"
    cut.write_bytes(stack.read_bytes()[:40])
    empty = tmp_path / "empty.tif"
    empty.write_bytes(b"")
    for path in (cut, empty):
        words = refusal(*SERVE, path)
        assert words.startswith(f"cannot open {path}: "), words
        assert len(words) > len(f"cannot open {path}: "), "in the reader's words"


def test_a_file_that_nobody_reads(refusal: Refusal, tmp_path: Path) -> None:
    path = tmp_path / "notes.unknown"
    path.write_text("no picture")
    assert refusal(*SERVE, path).startswith(f"cannot open {path}: ")


def test_an_unknown_sample(refusal: Refusal) -> None:
    words = refusal(*SERVE, "sample:no_such_sample")
    assert words.startswith("cannot open sample:no_such_sample: ")


def test_an_occupied_port(refusal: Refusal, server: ServerProcess) -> None:
    words = refusal("serve", "--port", server.port)
    assert words.startswith(f"cannot listen on 127.0.0.1 port {server.port}: Address already in use")
    assert "--port" in words


NO_EGL = (
    ("__EGL_VENDOR_LIBRARY_DIRS=/nonexistent",),
    ("__EGL_VENDOR_LIBRARY_FILENAMES=/nonexistent.json",),
)


@pytest.mark.parametrize("environment", NO_EGL)
def test_no_egl(refusal: Refusal, environment: tuple[str, ...]) -> None:
    words = refusal(*SERVE, environment=environment)
    assert words.startswith("no EGL device can render: ")
    assert "apt install" in words


def test_no_device_of_the_kind_asked_for(refusal: Refusal) -> None:
    words = refusal(*SERVE, environment=("NAPARI_CUDA_GL_DEVICE=hardware", "__EGL_VENDOR_LIBRARY_DIRS=/nonexistent"))
    assert words.startswith("no EGL device of kind 'hardware' (NAPARI_CUDA_GL_DEVICE) can render")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--size", "10x10"), "size 10x10 is not within 16 to 8192 pixels"),
        (("--size", "wide"), "size 'wide' is not WIDTHxHEIGHT, such as 1280x720"),
        (("--fps", "0"), "fps 0 is not between 1 and 240"),
        (("--port", "70000"), "port 70000 is not between 0 and 65535 (0: any free port)"),
        (("--host", "0.0.0.0"), "refusing to listen on 0.0.0.0 without TLS"),
        (("--host", "no.such.host.invalid"), "refusing to listen on no.such.host.invalid without TLS"),
        (("--tls", "/nonexistent.pem", "/nonexistent.pem"), "TLS file /nonexistent.pem does not exist"),
        (("--root", "/nonexistent"), "root /nonexistent is not a folder"),
        (("--announce", "xml"), "--announce 'xml' is not known: use --announce json"),
    ],
)
def test_a_wrong_option(refusal: Refusal, words: tuple[str, ...], said: str) -> None:
    assert refusal("serve", *words).startswith(said)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("NAPARI_CUDA_GL_DEVICE=quantum", "NAPARI_CUDA_GL_DEVICE='quantum': Input should be 'auto', 'hardware'"),
        ("NAPARI_CUDA_LOG_LEVEL=loud", "NAPARI_CUDA_LOG_LEVEL='loud': Input should be 'debug', 'info'"),
        ("NAPARI_CUDA_TOKEN=two words are too many", "NAPARI_CUDA_TOKEN: Input should not contain spaces"),
        ("NAPARI_CUDA_TOKEN=short", "the token is shorter than 16 characters: too easy to guess"),
    ],
)
def test_a_wrong_variable(refusal: Refusal, variable: str, said: str) -> None:
    words = refusal("serve", "--port", "0", environment=(variable,))
    assert words.startswith(said)
    assert "two words" not in words, "a token must not be shown"


def test_nobody_answers(refusal: Refusal) -> None:
    with socket.socket() as bound:  # and not listening: nobody else gets this port
        bound.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{bound.getsockname()[1]}/?token=" + "a" * 43
        with pytest.raises(ConnectError, match=r"^no answer from 127\.0\.0\.1:\d+: is the server running"):
            napari_cuda.connect(nobody, window=False)
    assert "is not a server address" in refusal("connect", "ftp://x")
    no_display = ("-u", "DISPLAY", "-u", "WAYLAND_DISPLAY")
    assert refusal("connect", nobody, environment=no_display).startswith("there is no display to open a window on")


def test_a_picture_that_cannot_be_written(refusal: Refusal, tmp_path: Path) -> None:
    assert "is not a .png" in refusal("snapshot", "sample:cells3d", "-o", tmp_path / "x.jpg")
    assert "there is no folder" in refusal("snapshot", "sample:cells3d", "-o", tmp_path / "missing" / "x.png")


def test_the_server_process_says_why(tmp_path: Path) -> None:
    missing = tmp_path / "missing.tif"
    with pytest.raises(StartupError, match=r"missing\.tif does not exist on the server$"):
        ServerProcess([str(missing)]).start()
