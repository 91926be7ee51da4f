"""Thousands of random actions by two clients at once: the mirrors, the server and the picture agree at the end."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from napari._app_model.actions._file import new_points, new_shapes
from napari.components import ViewerModel

from integration.conftest import Connect, Serve, connected_window
from integration.test_window_tools import send_mouse
from monkey import Monkey, differences, untold
from monkey_hands import Hands
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from raw_client import RawClient
from scene_server import SceneServer

TOOLS = {"labels": "paint", "points": "add", "shapes": "add_rectangle"}
FAILURES = ("the server failed", "the server could not", "could not be shown")
NAPARIS_OWN = (r"units=.* must have length ndim=\d",)
"""What stock napari raises in its own controls as well: the last test here has it do so."""
LOOK_EVERY = 10
"""Actions between two looks at what arrived: in between the clients do not know of each other's."""


@pytest.fixture
def server(serve_scene: Serve) -> SceneServer:
    return serve_scene("every kind", size=(320, 240))


@pytest.fixture
def window(server: SceneServer) -> Iterator[StreamedViewer]:
    with connected_window(server) as viewer:
        yield viewer


def use_a_tool(monkey: Monkey, window: StreamedViewer) -> None:
    """Draw a short stroke with a tool of a random layer, or undo one."""
    layer = monkey.a_layer(window)
    window.layers.selection.active = layer
    if layer.remote_kind == "labels" and monkey.number(0, 1) < 0.3:
        layer.undo()
        return
    layer.mode = TOOLS.get(layer.remote_kind, "transform")
    x, y = (round(monkey.number(20, 200)) for _ in range(2))
    send_mouse(window, "press", x, y, button=1, buttons=[1])
    for step in range(1, 4):
        send_mouse(window, "move", x + 8 * step, y + 5 * step, button=0, buttons=[1])
    send_mouse(window, "release", x + 24, y + 15, button=1, buttons=[])


def run(
    window: StreamedViewer,
    script: RemoteViewer,
    server: SceneServer,
    *,
    actions: int,
    seed: int,
    hands: bool = False,
    raised: Sequence[str] = (),
) -> None:
    """Have a monkey at two clients; `raised` is what came of Qt's slots."""
    monkey = Monkey([window, script], seed)
    monkey.add(5, lambda _viewer: use_a_tool(monkey, window), name="use_a_tool")
    if hands:
        Hands(window, monkey)
    said: list[str] = []
    window._session.loop._host.notify = script._session.loop._host.notify = said.append
    for number in range(actions):
        monkey.act()
        if number % LOOK_EVERY == 0:
            window.pump(0.01)
            script.pump()
    # Twice: what one client sends, the other must still hear.
    for _ in range(2):
        window.sync(120)
        script.sync(120)
    with RawClient(server) as raw:
        truth = raw.snapshot
    found = differences({"window": window, "script": script}, truth)
    found += untold(truth, server.contents()["values"])
    assert not found, "\n".join(found)
    assert window.sync(30) == script.sync(30) == truth.revision, "at rest the scene changes no more"
    window.exact_screenshot()
    assert window._session.loop.state.shown.revision == truth.revision
    assert monkey.done.total() > 0.9 * actions, monkey.missed
    assert not [text for text in said if any(words in text for words in FAILURES)]
    assert not [error for error in raised if not any(re.search(words, error) for words in NAPARIS_OWN)]


def test_two_clients_and_the_server_agree_after_300_random_actions(
    window: StreamedViewer, server: SceneServer, connect: Connect
) -> None:
    run(window, connect(server), server, actions=300, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_they_agree_when_a_hand_is_at_the_windows_own_controls(
    window: StreamedViewer, server: SceneServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What napari raises in one of Qt's slots is shown to a user; PyQt ends the process, if nobody takes it.
    raised: list[str] = []  # no errors: they would keep what they met
    monkeypatch.setattr(sys, "excepthook", lambda _kind, error, _trace: raised.append(repr(error)))
    run(window, connect(server), server, actions=300, seed=1, hands=True, raised=raised)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_clients_and_the_server_agree_after_5000_random_actions(
    window: StreamedViewer, server: SceneServer, connect: Connect
) -> None:
    run(window, connect(server), server, actions=5000, seed=2)


@pytest.mark.parametrize("button", [new_points, new_shapes])
def test_what_is_taken_for_napari_s_own_error_is_raised_without_us(button: Callable[[ViewerModel], None]) -> None:
    """Its buttons for new layers: several layers are selected, and another one has more dimensions."""
    stock = ViewerModel()
    stock.add_image(np.zeros((5, 6, 7)))
    stock.layers.selection = {stock.add_points(np.zeros((1, 2))), stock.add_points(np.zeros((1, 2)))}
    with pytest.raises(ValueError, match=NAPARIS_OWN[0]):
        button(stock)
