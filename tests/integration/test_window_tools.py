"""A user draws in the real window, far from the server: what is there then is what stock napari would have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from napari.settings import get_settings
from napari.utils.action_manager import action_manager
from napari.utils.key_bindings import KeyBinding
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

import napari_cuda
from gestures import CAMERA, CANVAS, GESTURES, Gesture, same, stock_contents
from gl_window import fix_canvas_size, require_display
from integration.conftest import Serve
from integration.test_tools import begin
from integration.test_window import pump_until, qt
from napari_cuda.client.playout.presenter import PlayoutMode
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.netsim import Jitter, JitterKind, Link, NetSim
from scene_server import SceneServer

FAR = Link(0.100, Jitter(JitterKind.PARETO, 0.010))
EVENT_S = 1 / 60
BY_NAME = {gesture.name: gesture for gesture in GESTURES}
KINDS = {
    "press": QEvent.Type.MouseButtonPress,
    "move": QEvent.Type.MouseMove,
    "release": QEvent.Type.MouseButtonRelease,
    "double": QEvent.Type.MouseButtonDblClick,
}
BUTTONS = {0: Qt.MouseButton.NoButton, 1: Qt.MouseButton.LeftButton, 2: Qt.MouseButton.RightButton}


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> SceneServer:
    server = serve_scene("tools", size=CANVAS)
    assert isinstance(server, SceneServer)
    return server


@pytest.fixture(scope="module")
def window(server: SceneServer) -> Iterator[StreamedViewer]:
    """A window at the end of a long way, its canvas of the gestures' size; its user has a key of their own."""
    require_display()
    settings = get_settings().shortcuts
    usual = dict(settings.shortcuts)
    settings.shortcuts = {**usual, "napari:delete_selected_points": [KeyBinding.from_str("Alt-D")]}
    with NetSim(server.connect_url, FAR) as way:
        viewer = napari_cuda.connect(way.connect_url, timeout_s=60)
        fix_canvas_size(viewer, CANVAS)
        assert pump_until(viewer, lambda: viewer._session.loop.state.control.known("view")["size"] == [300, 400])
        viewer.sync(30)
        yield viewer
        viewer.close()
    settings.shortcuts = usual
    for action, keys in usual.items():  # napari keeps them for all windows of the process
        rebind(action, keys)


def rebind(action: str, keys: Iterable[Any]) -> None:
    """Give an action other keys, as napari's preferences do."""
    action_manager.unbind_shortcut(action)
    for key in keys:
        action_manager.bind_shortcut(action, key)


def send_mouse(
    window: StreamedViewer,
    action: str,
    x: int,
    y: int,
    *,
    button: int,
    buttons: list[int],
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    """What a mouse does on the canvas. QTest's own moves hold no button."""
    canvas = qt(window).canvas.native
    where = QPointF(x, y)
    held = BUTTONS[buttons[0]] if buttons else BUTTONS[0]
    event = QMouseEvent(KINDS[action], where, canvas.mapToGlobal(where), BUTTONS[button], held, modifiers)
    QApplication.sendEvent(canvas, event)


def use_pointer(window: StreamedViewer, action: str, x: int, y: int, button: int, buttons: list[int]) -> None:
    """The same, at 60 events a second."""
    send_mouse(window, action, x, y, button=button, buttons=buttons)
    window.pump(EVENT_S)


def perform(window: StreamedViewer, gesture: Gesture) -> Any:
    """Do the gesture with the mouse; return the layer."""
    layer = begin(window, gesture)
    window.sync(30)
    for step in gesture.steps:
        match step:
            case ["set", attribute, value]:
                setattr(layer, attribute, value)
            case [action, x, y, button, buttons, _]:
                use_pointer(window, action, x, y, button, buttons)
    return layer


def press_key(window: StreamedViewer, key: Qt.Key, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(qt(window).canvas.native, key, modifier)


@pytest.mark.parametrize("name", ["cells: paint a spiral", "spots: add points", "outlines: rectangle"])
def test_what_is_drawn_far_away_is_what_the_hand_drew(window: StreamedViewer, server: SceneServer, name: str) -> None:
    perform(window, BY_NAME[name])
    assert window._session.loop.presenter.mode is PlayoutMode.LATEST
    window.sync(30)
    assert same(server.contents()[BY_NAME[name].layer], stock_contents()[name])
    assert window.scene.camera.center == CAMERA["center"], "a tool moved the camera"


def test_a_layer_moved_by_its_box_is_where_stock_napari_has_it(window: StreamedViewer, server: SceneServer) -> None:
    for what in ("resize", "rotate", "move"):
        name = f"cells: transform box: {what}"
        perform(window, BY_NAME[name])
        window.sync(30)
        assert same(server.contents()["cells"]["affine"], stock_contents()[name]["affine"]), what
    perform(window, BY_NAME["cells: the transform undone"])
    window.sync(30)


def test_undo_and_redo_by_the_users_keys(window: StreamedViewer, server: SceneServer) -> None:
    layer = begin(window, BY_NAME["cells: undo"])
    layer.mode, layer.selected_label = "fill", 50
    window.sync(30)
    before = server.contents()["cells"]
    use_pointer(window, "press", 100, 100, 1, [1])
    use_pointer(window, "release", 100, 100, 1, [])
    window.sync(30)
    filled = server.contents()["cells"]
    assert filled != before
    press_key(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    window.sync(30)
    assert server.contents()["cells"] == before
    press_key(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    window.sync(30)
    assert server.contents()["cells"] == filled
    press_key(window, Qt.Key.Key_M)
    assert pump_until(window, lambda: layer.selected_label == 51), "a new label comes from the data"


def test_keys_of_the_user_s_settings_act_on_the_server(window: StreamedViewer, server: SceneServer) -> None:
    """One that the settings had when the window came, one that is changed in it; the usual ones do nothing then."""
    begin(window, BY_NAME["spots: add points"])
    window.sync(30)
    before = server.contents()["spots"]
    rebind("napari:select_all_in_slice", [KeyBinding.from_str("Alt-S")])
    for key in (Qt.Key.Key_A, Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
        press_key(window, key)
    window.sync(30)
    assert same(server.contents()["spots"], before)
    press_key(window, Qt.Key.Key_S, Qt.KeyboardModifier.AltModifier)
    press_key(window, Qt.Key.Key_D, Qt.KeyboardModifier.AltModifier)
    window.sync(30)
    left = server.contents()["spots"]
    assert not same(left, before)
    press_key(window, Qt.Key.Key_S, Qt.KeyboardModifier.AltModifier)
    press_key(window, Qt.Key.Key_D, Qt.KeyboardModifier.AltModifier)
    window.sync(30)
    assert same(server.contents()["spots"], left), "all of the slice went at once"


def test_space_moves_the_camera_and_gives_the_tool_back(window: StreamedViewer, server: SceneServer) -> None:
    layer = begin(window, BY_NAME["cells: undo"])
    layer.mode = "paint"
    window.sync(30)
    before, center = server.contents()["cells"], window.scene.camera.center
    canvas = qt(window).canvas.native
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    assert layer.mode == "pan_zoom"
    for step in (["press", 100, 100, 1, [1]], ["move", 130, 120, 0, [1]], ["move", 150, 140, 0, [1]]):
        use_pointer(window, *step)
    use_pointer(window, "release", 150, 140, 1, [])
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert layer.mode == "paint"
    window.sync(30)
    assert server.contents()["cells"] == before
    assert not np.allclose(window.scene.camera.center, center)


def test_the_transform_box_acts_here_and_at_once(window: StreamedViewer, server: SceneServer) -> None:
    layer = begin(window, BY_NAME["cells: undo"])
    layer.mode = "transform"
    window.sync(30)
    sent: list[Any] = []
    mirror = window._session.mirror
    mirror.point, point = sent.append, mirror.point
    for step in (["move", 200, 150, 0, []], ["press", 200, 150, 1, [1]], ["move", 220, 150, 0, [1]]):
        use_pointer(window, *step)
    use_pointer(window, "move", 250, 150, 0, [1])
    use_pointer(window, "release", 250, 150, 1, [])
    mirror.point = point
    assert np.allclose(layer.affine.translate, (0, 0, 10)), "50 pixels of a fifth"
    assert not sent
    layer.affine = np.eye(4)
    layer.mode = "pan_zoom"
    window.sync(30)


def test_the_buttons_of_the_tools_can_be_pressed(window: StreamedViewer) -> None:
    for name in ("cells", "spots", "outlines"):
        layer = begin(window, Gesture("", name, []))
        buttons = qt(window).controls.widgets[layer].button_group.buttons()
        assert all(button.isEnabled() for button in buttons), name
