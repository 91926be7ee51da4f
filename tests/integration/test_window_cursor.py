"""A mouse over the real window, far from a scene that others change: the status bar is true, and the window lives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QTimer

import napari_cuda
from gl_window import enter_canvas, fix_canvas_size, put_pointer_away, require_display
from integration.conftest import Connect, Network, Serve
from integration.test_window import pump_until
from integration.test_window_tools import EVENT_S, send_mouse
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.event_loop_monitor import STALL_S
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.netsim import Link
from napari_cuda.server_process import ServerProcess
from value_scenes import CANVAS_PX, CENTER, add_values, draw_stock, put_cursor

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(600)]

FAR = Link(0.050)
"""Each way."""
LAYERS = ("uint16", "float", "rgb", "labels", "pyramid", "labels pyramid")
ZOOM = 2.9
MOVES = 30
"""Of the mouse, over each layer in each view, 60 a second."""
RESTS = 4
"""Places at which the mouse stays until the answer is there, in each."""


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("values", size=CANVAS_PX)


@pytest.fixture
def window(server: ServerProcess, network: Network) -> Iterator[StreamedViewer]:
    """A window at the end of a long way, its canvas of the scene's size, the mouse over it."""
    require_display()
    put_pointer_away()
    viewer = napari_cuda.connect(network(server, FAR).connect_url, timeout_s=60)
    fix_canvas_size(viewer, CANVAS_PX)
    assert pump_until(viewer, lambda: viewer._session.loop.state.control.known("view")["size"] == [*CANVAS_PX[::-1]])
    viewer.sync(30)
    enter_canvas(viewer)
    yield viewer
    viewer.close()


@pytest.fixture
def other(server: ServerProcess, connect: Connect) -> RemoteViewer:
    """Somebody near the server, who changes the scene."""
    return connect(server)


@pytest.fixture
def stock() -> ViewerModel:
    stock = ViewerModel()
    add_values(stock)
    stock.mouse_over_canvas = True
    return stock


class StatusBar:
    """Looks at all that a window's status bar says, and at where the mouse is then."""

    def __init__(self, window: StreamedViewer) -> None:
        self._window = window
        self.said = 0
        self.elsewhere: list[str] = []
        """What it said of another place than the mouse's."""
        window.events.status.connect(self._look)

    def _look(self, event: Any) -> None:
        if isinstance(event.value, dict):
            self.said += 1
            layer = self._window.layers[event.value["layer_name"]]
            with layer.applying():  # of the coordinates: no question for the server
                here = Layer.get_status(layer, self._window.cursor.position, world=True)
            if event.value["coords"] != here["coords"]:
                self.elsewhere.append(f"{event.value['coords']}, the mouse is at {here['coords']}")


class Heartbeat:
    """What this thread computed between two beats of a timer: the window is held up for that, at any load."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._computed_s = 0.0
        self._timer = QTimer()
        self._timer.setInterval(10)
        self._timer.timeout.connect(self._beat)

    def __enter__(self) -> Heartbeat:
        self._computed_s = time.thread_time()
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        before_s, self._computed_s = self._computed_s, time.thread_time()
        self.longest_s = max(self.longest_s, self._computed_s - before_s)


def path(rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Return places that a hand goes through, on the canvas."""
    start, end = rng.integers((20, 20), (CANVAS_PX[0] - 20, CANVAS_PX[1] - 20), (2, 2))
    return [(int(x), int(y)) for x, y in np.linspace(start, end, count)]


def change_the_scene(other: RemoteViewer, step: int) -> None:
    """What somebody else does meanwhile: another slice, another look."""
    if step % 5 == 0:
        other.dims.set_point(0, float(step // 5 % 6))
    other.layers[step % 3].opacity = 0.5 + step % 5 / 10
    other.pump(0)


def wait_for_nothing(_done: Callable[[], bool], _timeout_s: float) -> bool:
    pytest.fail("the mouse waited for the server")


def sweep(window: StreamedViewer, other: RemoteViewer, places: list[tuple[int, int]]) -> None:
    host = window._session.loop._host
    for step, place in enumerate(places):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(host, "wait_until", wait_for_nothing)
            send_mouse(window, "move", *place, button=0, buttons=[])
        change_the_scene(other, step)
        window.pump(EVENT_S)


def test_the_mouse_of_a_far_window(window: StreamedViewer, other: RemoteViewer, stock: ViewerModel) -> None:
    bar, heart, rng, values = StatusBar(window), Heartbeat(), np.random.default_rng(17), 0
    for ndisplay in (2, 3):
        for each in (window, stock):
            each.dims.ndisplay = ndisplay
            each.scene.camera.center, each.scene.camera.zoom = CENTER, ZOOM
        for name in LAYERS:
            for each in (window, stock):
                each.layers.selection.active = each.layers[name]
            window.sync(60)
            with heart:
                sweep(window, other, path(rng, MOVES))
            values += compare_at_rest(window, other, stock, path(rng, RESTS))
    print(f"the window was held up for {1e3 * heart.longest_s:.0f} ms at most")
    assert heart.longest_s < STALL_S
    assert bar.elsewhere == []
    assert bar.said > len(LAYERS) * 2 * MOVES / 2, "the status bar hardly said anything"
    assert values > len(LAYERS) * RESTS / 2, "hardly any place has a value: this test compares nothing"


def compare_at_rest(
    window: StreamedViewer, other: RemoteViewer, stock: ViewerModel, places: list[tuple[int, int]]
) -> int:
    """Have the mouse rest at places; return at how many there was a value, the same as stock napari's."""
    other.dims.set_point(0, CENTER[0])
    revision, control = other.sync(30), window._session.loop.state.control
    cursor = window._session.cursor
    assert pump_until(window, lambda: control.revision >= revision)
    stock.dims.set_point(0, CENTER[0])
    for layer in stock.layers:
        if getattr(layer, "multiscale", False):
            # Of a volume that fits, the finest level is shown; napari would take the coarsest.
            layer.locked_data_level = 0 if stock.dims.ndisplay == 3 else None
    if stock.dims.ndisplay == 2:
        draw_stock(stock)
    values = 0
    for place in places:
        send_mouse(window, "move", *place, button=0, buttons=[])
        assert pump_until(window, lambda: cursor.settled)
        put_cursor(stock, window.cursor.position, window.cursor._view_direction)
        status, _ = stock._calc_status_from_cursor()
        assert window.status == status
        values += bool(status["value"])
    return values
