"""Lost connections: the scene goes on, nothing that was done is lost, nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

import napari_cuda
from gl_window import require_display
from integration.conftest import Connect, Serve
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.loop_state import LoopPhase
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.netsim.link import Link
from napari_cuda.netsim.proxy import NetSim
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import ConnectError
from napari_cuda.server.net.listener import MOST_CONNECTIONS
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient

pytestmark = pytest.mark.alone

RTT_S = 0.04
SOON_S = 0.3
"""What is allowed from the accepted socket to the first correct picture, besides a round trip."""

WHOLE_RANGE = "whole range"


def phase(viewer: RemoteViewer) -> LoopPhase:
    return viewer._session.loop.state.phase


def pump_until(viewer: RemoteViewer, done: Callable[[], bool]) -> None:
    """Let the client work until `done()`; fail if it never is."""
    until_s = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until_s
        viewer.pump(0.005)


class Words(list[str]):
    """What the user was told: a host's `notify` and `show_state`, as a list."""

    def __init__(self, viewer: RemoteViewer, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        host = viewer._session._host
        self.states: list[str | None] = []
        monkeypatch.setattr(host, "notify", self.append)
        monkeypatch.setattr(host, "show_state", self.states.append)


class Observer(RawClient):
    """Sees, on a connection that nobody kills, every value of `image` in the order in which it was set."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(server)
        self.seen: dict[str, list[Any]] = {"gamma": [], "contrast_limits": []}
        self.layer = next(state.spec.layer for state in self.snapshot.layers if state.values["name"] == "image")

    def look(self) -> None:
        """Take in what arrived."""
        while True:
            try:
                message = m.decode_server(self.socket.recv(timeout=0.01))
            except TimeoutError:
                return
            if isinstance(message, m.Ping):
                self.send(m.Pong(message.token))
            if isinstance(message, m.LayerUpdate) and message.layer == self.layer:
                for name, values in self.seen.items():
                    if name in message.values:
                        values.append(message.values[name])


class User:
    """Does things at random, and remembers what must come of them."""

    def __init__(self, viewer: RemoteViewer, seed: int) -> None:
        self._viewer = viewer
        self._random = random.Random(seed)
        self._step = 0
        self.limits: list[Any] = []
        """Contrast limits in the order in which they were set."""
        self.gammas: list[float] = []
        self.zoom = viewer.scene.camera.zoom
        self.left = {layer.name for layer in viewer.layers}

    def act(self) -> None:
        """Do one thing; each value is set once only, and greater than all before."""
        self._step += 1
        image = self._viewer.layers["image"]
        match self._random.choice(["gamma", "limits", "limits", "reset", "zoom", "remove"]):
            case "gamma":
                self.gammas.append(0.5 + self._step / 2000)
                image.gamma = self.gammas[-1]
            case "limits":
                self.limits.append([0.0, 100.0 + self._step / 20])
                image.contrast_limits = self.limits[-1]
            case "reset":
                self.limits.append(WHOLE_RANGE)
                image.reset_contrast_limits()
            case "zoom":
                self.zoom = 1.0 + self._step / 1000
                self._viewer.scene.camera.zoom = self.zoom
            case "remove" if self._step % 10 == 0 and len(self.left) > 1:
                name = self._random.choice(sorted(self.left - {"image"}))
                self.left.remove(name)
                self._viewer.layers.remove(self._viewer.layers[name])


def is_subsequence(part: list[Any], whole: list[Any]) -> bool:
    """Return whether `part` is what remains of `whole` when some entries are left out."""
    rest = iter(whole)
    return all(entry in rest for entry in part)


@pytest.fixture
def link(serve_scene: Serve) -> Iterator[tuple[ServerProcess, NetSim]]:
    """A server of its own, for it is changed for good, and a link of 40 ms and 20 Mb/s to it."""
    server = serve_scene("many", size=(320, 240))
    with NetSim(server.connect_url, Link(delay_s=RTT_S / 2, rate_bit_s=20e6), seed=3) as netsim:
        yield server, netsim


@pytest.mark.parametrize(
    "kills", [10, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(900)])], ids=["ten", "hundred"]
)
def test_killed_connections(
    link: tuple[ServerProcess, NetSim], connect: Connect, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    server, netsim = link
    chance = random.Random(kills)
    with (
        napari_cuda.connect(netsim.connect_url, window=False, timeout_s=60) as viewer,
        Observer(server) as observer,
    ):
        words = Words(viewer, monkeypatch)
        viewer.sync(30)
        whole = [float(limit) for limit in viewer.layers["image"].contrast_limits_range]
        user, name = User(viewer, kills), viewer._session.loop.link._welcome.viewer
        killed = 0
        while killed < kills:
            for _ in range(chance.randrange(1, 6)):
                user.act()
                viewer.pump(chance.uniform(0.0, 0.03))
            lines = len(words.states)
            if not netsim.reset(chance.choice(["", "", "/ws/state", "/ws/pixels"])):
                continue  # the last one was not noticed before: nothing is open
            killed += 1
            for _ in range(chance.randrange(3)):
                user.act()
            if chance.random() < 0.3:  # in the middle of a handshake, or of what is sent again
                viewer.pump(chance.uniform(0.0, 0.3))
                killed += bool(netsim.reset())
            pump_until(viewer, lambda lines=lines: len(words.states) > lines and words.states[-1] is None)
            assert phase(viewer) is LoopPhase.STREAMING
            if chance.random() < 0.3:
                viewer.sync(30)
            observer.look()
        revision = viewer.sync(60)
        observer.look()

        assert viewer._session.loop.link._welcome.viewer == name, "each time it was known again"
        assert words == [], "no refusal, no error: a layer that is removed twice would be one"
        assert viewer.metrics.counts()["connections_lost"] >= kills // 3
        limits = [[0.0, whole[1]] if entry == WHOLE_RANGE else entry for entry in user.limits]
        assert is_subsequence(observer.seen["contrast_limits"], limits)
        assert observer.seen["contrast_limits"][-1:] == limits[-1:]
        assert observer.seen["gamma"] == sorted(set(observer.seen["gamma"])), "none came back"
        assert observer.seen["gamma"][-1:] == user.gammas[-1:]
        other = connect(server)
        for each in (viewer, other):
            assert {layer.name for layer in each.layers} == user.left
            assert list(each.layers["image"].contrast_limits) == limits[-1]
            assert each.scene.camera.zoom == pytest.approx(user.zoom)
        assert viewer.sync() >= revision
        assert np.array_equal(viewer.screenshot(60), other.screenshot(60))

        resumed = viewer.metrics.stage("resume")
        assert resumed is not None
        print(
            f"{killed} kills, {resumed.samples} resumed: p50 {resumed.p50_s:.3f} s, p95 {resumed.p95_s:.3f} s, "
            f"longest {resumed.longest_s:.3f} s"
        )
        assert resumed.longest_s <= RTT_S + SOON_S


# --- offline --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("flat", size=(320, 240))


@pytest.fixture
def netsim(server: ServerProcess) -> Iterator[NetSim]:
    with NetSim(server.connect_url) as netsim:
        yield netsim


@pytest.fixture
def viewer(netsim: NetSim) -> Iterator[RemoteViewer]:
    with napari_cuda.connect(netsim.connect_url, window=False, timeout_s=60) as viewer:
        viewer.sync(30)
        yield viewer


def lose(viewer: Any, netsim: NetSim) -> None:
    """Cut the link, for good until it is restored, and have the client notice."""
    netsim.cut()
    pump_until(viewer, lambda: viewer._session.loop.state.phase is LoopPhase.RECONNECTING)


def test_scripts_wait_through_a_lost_connection(viewer: RemoteViewer, netsim: NetSim) -> None:
    before = viewer.revision
    lose(viewer, netsim)
    viewer.layers["image"].opacity = 0.25
    with pytest.raises(ConnectError, match=r"^there is no connection: .* \(waited 0\.2 s\)$"):
        viewer.sync(0.2)
    assert viewer.revision == before, "the picture of before is still there, and still the same"
    threading.Timer(0.3, netsim.restore).start()
    assert viewer.sync(30) > before
    lose(viewer, netsim)
    threading.Timer(0.3, netsim.restore).start()
    assert viewer.screenshot(30).shape == (240, 320, 4)


def test_the_last_value_set_offline_is_set_once(
    viewer: RemoteViewer, netsim: NetSim, server: ServerProcess, connect: Connect
) -> None:
    other = connect(server)
    lose(viewer, netsim)
    sent = viewer.metrics.counts()["intents_sent"]
    for step in range(1, 50):
        viewer.layers["image"].opacity = 0.5 + step / 100
        viewer.scene.camera.zoom = 1 + step / 100
    other.layers["labels"].visible = False
    other.scene.camera.zoom = 9.0
    other.sync()
    netsim.restore()
    viewer.sync(30)
    assert viewer.metrics.counts()["intents_sent"] == sent + 2
    pump_until(other, lambda: other.layers["image"].opacity == pytest.approx(0.99))
    assert other.scene.camera.zoom == pytest.approx(1.49), "the user's hand comes last"
    assert viewer.layers["labels"].visible is False, "what others did meanwhile is there"
    other.layers["labels"].visible = True
    other.sync()


def test_only_the_pixel_socket_is_opened_again(
    viewer: RemoteViewer, netsim: NetSim, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = Words(viewer, monkeypatch)
    picture = viewer.screenshot(30)
    assert netsim.reset("/ws/pixels") == 1
    pump_until(viewer, lambda: bool(words.states) and words.states[-1] is None)
    assert words.states[0] is not None
    assert words.states[0].startswith("No new pictures: ")
    assert viewer.metrics.counts()["connections_lost"] == 0
    assert np.array_equal(viewer.screenshot(30), picture)


def test_leaving_while_disconnected(netsim: NetSim) -> None:
    viewer = napari_cuda.connect(netsim.connect_url, window=False, timeout_s=60)
    lose(viewer, netsim)
    viewer.close()
    with pytest.raises(ConnectError):
        viewer.sync()


@pytest.mark.slow
def test_a_link_that_falls_silent_is_given_up_and_found_again(connect: Connect, serve_scene: Serve) -> None:
    server = serve_scene("flat", size=(160, 120))
    viewer = connect(server)
    viewer.sync(30)
    os.kill(server.pid, signal.SIGSTOP)  # connections stay open, and nothing comes
    try:
        viewer.layers["image"].opacity = 0.5
        pump_until(viewer, lambda: phase(viewer) is LoopPhase.RECONNECTING)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    viewer.sync(60)
    assert connect(server).layers["image"].opacity == 0.5


# --- another server -------------------------------------------------------------------------


@pytest.fixture
def restart(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ServerProcess]]:
    """Start a server on the port of another that has stopped; with the same token unless told otherwise."""
    with ExitStack() as running:

        def start(port: int = 0, token: str = "one-token-for-all-servers") -> ServerProcess:
            monkeypatch.setenv("NAPARI_CUDA_TOKEN", token)
            arguments = ["sample:balls_2d", "--size", "160x120", "--port", str(port)]
            return running.enter_context(ServerProcess(arguments))

        yield start


def test_another_session_is_told_and_begins_anew(
    restart: Callable[..., ServerProcess], monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    first = restart()
    with napari_cuda.connect(first.connect_url, window=False, timeout_s=60) as viewer:
        words = Words(viewer, monkeypatch)
        for opacity in (0.1, 0.2, 0.3):
            viewer.layers[0].opacity = opacity
            many = viewer.sync()
        first.stop()
        pump_until(viewer, lambda: phase(viewer) is LoopPhase.RECONNECTING)
        viewer.layers[0].opacity = 0.4
        viewer.layers[0].reset_contrast_limits()
        second = restart(first.port)
        pump_until(viewer, lambda: phase(viewer) is LoopPhase.STREAMING)
        assert words == [
            "The server was started anew: this is another session; changes made meanwhile that are not in it: 2"
        ]
        assert viewer.layers[0].opacity == 1.0
        assert viewer.sync(30) < many, "revisions count from anew"
        viewer.layers[0].opacity = 0.5
        viewer.sync(30)
        other = connect(second)
        assert other.layers[0].opacity == 0.5
        assert np.array_equal(viewer.screenshot(30), other.screenshot(30))
        assert words.states[-1] is None


def test_a_refusal_that_cannot_be_mended_ends_the_session(restart: Callable[..., ServerProcess]) -> None:
    first = restart()
    with napari_cuda.connect(first.connect_url, window=False, timeout_s=60) as viewer:
        first.stop()
        restart(first.port, token="another-token-of-16")
        pump_until(viewer, lambda: phase(viewer) is LoopPhase.STOPPED)
        with pytest.raises(ConnectError, match=r"^the server refused us: wrong token"):
            viewer.sync()


# --- what the server does -------------------------------------------------------------------


def come_back(server: ServerProcess, token: str, revision: int) -> tuple[RawClient, m.Welcome]:
    raw = RawClient(server, hello=False)
    raw.send(m.Hello([m.PROTOCOL_VERSION], "a test", token, revision))
    return raw, raw.wait_for(m.Welcome)


def test_a_connection_that_only_looks_open_is_replaced(server: ServerProcess) -> None:
    with RawClient(server, hello=False) as old:
        old.send(m.Hello([m.PROTOCOL_VERSION], "a test"))
        first = old.wait_for(m.Welcome)
        revision = old.wait_for(m.SceneSnapshot).revision
        assert old.refusals(m.CameraIntent(1, {"zoom": 2.5})) == {}
        new, second = come_back(server, first.resume_token, revision)
        with new:
            assert (second.viewer, second.session, second.taken) == (first.viewer, first.session, 1)
            resumed = new.wait_for(m.SceneResumed)
            assert {"zoom": 2.5}.items() <= next(
                u for u in resumed.updates if isinstance(u, m.CameraUpdate)
            ).values.items()
            assert new.wait_for(m.Ack).intent == 1
            with pytest.raises(ConnectionClosed):
                while True:
                    old.wait_for(m.Welcome)
            # Its old connection ended: the viewer is still there.
            assert new.refusals(m.CameraIntent(2, {"zoom": 1.5})) == {}
            new.send(m.CameraIntent(2, {"zoom": 7.0}))
            with pytest.raises(AssertionError, match="intent 2 was ignored: intents up to 2 were taken before"):
                new.wait_for(m.Ack)


def test_a_token_that_nobody_has_is_a_new_viewer(server: ServerProcess) -> None:
    with RawClient(server) as known:
        new, welcome = come_back(server, "guessed", 1)
        with new:
            assert welcome.viewer != known.viewer
            assert welcome.taken == 0
            assert new.wait_for(m.SceneSnapshot).revision > 0
        assert known.refusals(m.CameraIntent(known.next_intent(), {})) == {}


@pytest.mark.slow
def test_who_connects_and_says_nothing_costs_nobody(server: ServerProcess) -> None:
    with RawClient(server) as known, ExitStack() as crowd:
        silent = []
        for _ in range(MOST_CONNECTIONS + 20):
            silent.append(crowd.enter_context(socket.create_connection(("127.0.0.1", server.port))))
        assert known.refusals(m.CameraIntent(known.next_intent(), {})) == {}
        for each in silent:
            each.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                assert each.recv(1) == b"", "those too many at once, the others when the patience is over"
        assert known.refusals(m.CameraIntent(known.next_intent(), {})) == {}


# --- the window -----------------------------------------------------------------------------


def banner(window: StreamedViewer) -> str:
    """Return the line over the picture."""
    return str(window._session._host.facade._overlay._banner.text())


def test_a_window_survives_its_connection_and_its_server(restart: Callable[..., ServerProcess]) -> None:
    require_display()
    first = restart()
    with NetSim(first.connect_url) as netsim:
        window = napari_cuda.connect(netsim.connect_url, timeout_s=60)
        try:
            window.sync(30)
            before = window._session.loop.frame
            lose(window, netsim)
            assert banner(window).startswith("Disconnected: ")
            # A better picture of the same scene may still have come through before the cut.
            assert before is not None
            stays = window._session.loop.frame
            assert stays is not None and stays.header.revision == before.header.revision, "the last picture stays"
            assert stays.header.seq >= before.header.seq
            window.layers[0].opacity = 0.5
            netsim.restore()
            window.sync(30)
            pump_until(window, lambda: banner(window) == "")
            first.stop()
            second = restart(first.port)
            pump_until(window, lambda: window.layers[0].opacity == 1.0)
            window.layers[0].opacity = 0.25
            window.sync(30)
            with RawClient(second) as raw:
                assert raw.snapshot.layers[0].values["opacity"] == 0.25
            lose(window, netsim)
        finally:
            window.close()
