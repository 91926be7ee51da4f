"""ViewerMirror without a window and without a server: what it does when things do not fit, or are over."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_cuda.client.control.placement import OwnCanvas
from napari_cuda.client.loop_state import ClientLoopState
from napari_cuda.client.mirror.viewer_mirror import ViewerMirror
from napari_cuda.layer_state import layer_spec, layer_values
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.roles import VIEW_ONLY

SCENE: m.Values = {"order": ["L1"], "selection": ["L1"], "active": "L1", "links": []}


def state() -> m.LayerState:
    layer = Image(np.zeros((4, 5), np.uint8), name="L1")
    return m.LayerState(layer_spec(layer, "L1"), layer_values(layer))


class Desk:
    """A mirror of a scene with one layer; `sent` is what the user did."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.sent: list[m.Intent] = []
        self.posted: list[Callable[[], None]] = []
        self.viewer = ViewerModel()
        self.state = ClientLoopState()
        self.mirror = ViewerMirror(self.viewer, self.state, self, send=self.sent.extend, own_canvas=True)
        self.mirror.handle(m.SceneSnapshot(1, [state()], SCENE, {}, {}, {"size": [100, 200]}))

    def notify(self, text: str) -> None:
        self.said.append(text)

    def post(self, call: Callable[[], None]) -> None:
        self.posted.append(call)

    def call_at(self, due_s: float, call: Callable[[], None]) -> None:
        self.posted.append(call)

    def turn(self) -> None:
        while self.posted:
            self.posted.pop(0)()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_after_the_end_nothing_is_asked_and_a_layer_made_here_goes_with_one_line(desk: Desk) -> None:
    desk.state.advance("closed")
    assert desk.mirror.command("layers.new_labels") == 0
    desk.viewer.add_points(np.zeros((1, 2)), name="mine")
    desk.turn()
    assert [shown.name for shown in desk.viewer.layers] == ["L1"]
    assert desk.said == ["'mine' was not added: there is no session"]


def test_a_refused_place_leaves_dims_as_the_server_has_them(desk: Desk) -> None:
    ranges = [[1.0, 3.0, 1.0], [0.0, 4.0, 1.0]]
    desk.mirror.handle(m.DimsUpdate(2, {"ndim": 2, "range": ranges}))
    desk.viewer.layers[0].translate = (9, 9)
    desk.turn()
    assert desk.viewer.dims.range[0].stop == 12
    desk.mirror.handle(m.Ack(desk.sent[-1].intent, 2, [m.Refusal("layer:L1", "translate", "too far")]))
    assert desk.said == ["too far"]
    assert [list(found) for found in desk.viewer.dims.range] == ranges


def test_an_accepted_place_that_moved_no_dims_there_leaves_dims_as_the_server_has_them(desk: Desk) -> None:
    ranges = [[1.0, 3.0, 1.0], [0.0, 4.0, 1.0]]
    desk.mirror.handle(m.DimsUpdate(2, {"ndim": 2, "range": ranges}))
    desk.viewer.layers[0].translate = (9, 9)
    desk.turn()
    first = desk.sent[-1].intent
    desk.viewer.layers[0].translate = (12, 12)
    desk.mirror.handle(m.Ack(first, 3))
    desk.turn()
    assert desk.viewer.dims.range[0].stop == 15, "what was set since is on its way"
    moved = desk.sent[-1]
    desk.mirror.handle(m.LayerUpdate(4, "L1", values={"translate": [12.0, 12.0]}))
    desk.mirror.handle(m.Ack(moved.intent, 4))
    assert [list(found) for found in desk.viewer.dims.range] == ranges


def test_what_napari_made_of_a_value_that_was_taken_back_is_the_server_s(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.perf_counter()  # for as long as this takes: what was set goes out together
    monkeypatch.setattr(time, "perf_counter", lambda: now_s)
    desk = Desk()
    layer = desk.viewer.layers[0]
    known = {"contrast_limits": [0, 200], "contrast_limits_range": [0, 255]}
    desk.mirror.handle(m.LayerUpdate(2, "L1", values=known))
    layer.contrast_limits_range = (0, 100)  # which cuts the limits
    layer.contrast_limits_range = (0, 255)
    layer.opacity = 0.5
    desk.turn()
    assert list(layer.contrast_limits) == [0, 100], "nothing is known of it yet"
    desk.mirror.handle(m.LayerUpdate(3, "L1", values={"opacity": 0.5}))
    desk.mirror.handle(m.Ack(desk.sent[-1].intent, 3))
    assert list(layer.contrast_limits) == [0, 200]
    assert [intent.values for intent in desk.sent] == [{"contrast_limits_range": [0, 255], "opacity": 0.5}]


def test_modes_are_the_server_s_whatever_napari_remembers(desk: Desk) -> None:
    layer = desk.viewer.layers[0]
    desk.mirror.handle(m.LayerUpdate(2, "L1", values={"mode": "transform"}))
    assert layer.mode == "transform"
    desk.mirror.handle(m.LayerUpdate(3, "L1", values={"visible": False, "mode": "pan_zoom"}))
    desk.mirror.handle(m.LayerUpdate(4, "L1", values={"visible": True}))
    assert layer.mode == "pan_zoom"


def test_the_server_draws_for_the_screen_of_the_window(desk: Desk) -> None:
    canvas = OwnCanvas((300, 200), 1.5)
    desk.mirror.set_canvas(canvas)
    assert [intent.values for intent in desk.sent if isinstance(intent, m.ViewIntent)] == [
        {"size": [200, 300], "rendering.pixel_ratio": 1.5}
    ]
    assert desk.mirror.canvas_is_own
    assert desk.mirror.camera_view().pose.zoom == 1.5 * desk.viewer.scene.camera.zoom
    desk.mirror.set_canvas(OwnCanvas((300, 200), 2.0))
    assert desk.sent[-1].values == {"rendering.pixel_ratio": 2.0}, "another screen"
    desk.sent.clear()
    desk.viewer.scene.camera.zoom = 3.0
    desk.turn()
    assert desk.sent[-1].values["zoom"] == 3.0, "in napari's own pixels"


def test_who_may_only_look_sends_nothing_and_is_told_once(desk: Desk) -> None:
    desk.mirror.handle(m.DimsUpdate(2, {"ndim": 2}))
    desk.mirror.handle(m.CameraUpdate(2, {"zoom": 2.0}))
    desk.state.role = "view"
    desk.mirror.set_canvas(OwnCanvas((400, 400)))
    desk.turn()
    assert desk.viewer.scene.camera.zoom == 2.0 * 400 / 200, "the whole canvas of the server, here"
    assert desk.mirror.camera_view().pose.zoom == 2.0, "the picture is fitted, and then follows the camera"
    for opacity in (0.5, 0.25):
        desk.viewer.layers[0].opacity = opacity
        desk.turn()
    desk.viewer.scene.camera.zoom = 7.0
    desk.turn()
    desk.viewer.add_points(np.zeros((1, 2)), name="mine")
    desk.turn()
    assert desk.sent == []
    assert [layer.name for layer in desk.viewer.layers] == ["L1"]
    assert (desk.viewer.layers[0].opacity, desk.viewer.scene.camera.zoom) == (1.0, 4.0)
    assert desk.said == [VIEW_ONLY]
    desk.mirror.command("scene.snapshot")
    assert [type(intent) for intent in desk.sent] == [m.Command], "looking needs that"
    desk.mirror.handle(m.ViewUpdate(3, {"size": [400, 800]}))
    assert desk.viewer.scene.camera.zoom == 1.0


def test_a_depth_that_napari_drops_in_two_dimensions_is_no_wish_of_the_user(desk: Desk) -> None:
    desk.mirror.handle(m.CameraUpdate(2, {"center": [4.5, 1.0, 2.0]}))
    desk.turn()
    before = len(desk.sent)
    desk.viewer.scene.camera.center = (0, 1, 2)  # as napari's camera does at a draw
    desk.turn()
    assert desk.sent[before:] == []
    desk.viewer.scene.camera.center = (0, 1, 3)
    desk.turn()
    assert [intent.values["center"] for intent in desk.sent[before:]] == [[0.0, 1.0, 3.0]]
