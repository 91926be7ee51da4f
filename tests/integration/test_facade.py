"""PresenterFacade in a real napari window: figures, the line about the connection, and the canvas's way of life."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from napari.utils.shortcuts import default_shortcuts
from qtpy.QtCore import QEvent, QObject, QPoint, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

from gl_window import exact_frame, gl_objects, open_viewer, process_until
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.qt.facade import HUD_SHORTCUT, PresenterFacade
from napari_cuda.client.qt.gl_renderer import GLRenderer
from napari_cuda.protocol import messages as m
from offline_window import OfflineWindow, decoded
from pictures import noisy_pan


class Stream:
    """Has one picture, and counts what becomes of it."""

    def __init__(self) -> None:
        self.frame: SubmittedFrame | None = None
        self.draws = 0
        self.shown = 0

    def draw(self, paint: Callable[[SubmittedFrame | None], object]) -> None:
        self.draws += 1
        paint(self.frame)

    def drawn(self) -> None:
        self.shown += 1


class Show:
    """A napari window with a facade."""

    def __init__(self) -> None:
        self.viewer = open_viewer()
        self.renderer = GLRenderer()
        self.text = "frames  58 /s"
        self.facade = PresenterFacade(
            self.viewer, self.renderer, hud_text=lambda: self.text, on_resized=lambda _size: None
        )
        self.stream = Stream()
        self.facade.attach(self.stream)
        self.canvas: QWidget = self.facade.adapter.native
        self.window: QWidget = self.viewer.window._qt_window
        QApplication.setActiveWindow(self.window)
        self.window.activateWindow()

    def labels(self) -> list[QLabel]:
        """Return what lies over the canvas."""
        return [label for label in self.canvas.findChildren(QLabel) if label.isVisible()]

    def present(self, frame: SubmittedFrame) -> np.ndarray:
        """Show a frame the way the stream does; return the canvas, (H, W, 3) uint8."""
        self.stream.frame = frame
        shown = self.stream.shown
        assert process_until(self.facade.request_draw), "a window just opened is exposed a moment later"
        assert process_until(lambda: self.stream.shown > shown)
        return np.ascontiguousarray(self.viewer.screenshot(canvas_only=True, flash=False)[..., :3])

    def noise(self, seed: int = 0) -> np.ndarray:
        width, height = self.facade.adapter.canvas_size_px
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)

    def close(self) -> None:
        self.facade.close()
        self.viewer.close()
        QApplication.processEvents()


@pytest.fixture(scope="module")
def shared_show() -> Iterator[Show]:
    show = Show()
    yield show
    show.close()


@pytest.fixture
def show(shared_show: Show) -> Iterator[Show]:
    yield shared_show
    shared_show.facade.hud_action.setChecked(False)
    shared_show.facade.show_state(None)
    shared_show.facade.set_intent_dispatcher(None)


# --- figures and banner ---------------------------------------------------------------------


def test_the_menu_switches_the_figures(show: Show) -> None:
    menu = show.viewer.window.view_menu
    assert show.facade.hud_action in menu.actions()
    assert show.labels() == []
    show.facade.hud_action.trigger()
    (label,) = show.labels()
    assert label.text() == show.text
    show.text = "frames  12 /s"
    assert process_until(lambda: label.text() == show.text)
    show.facade.hud_action.trigger()
    assert show.labels() == []


def test_the_key_switches_the_figures(show: Show) -> None:
    keys = (Qt.Key.Key_H, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert QKeySequence(HUD_SHORTCUT) == QKeySequence("Ctrl+Shift+H")
    assert process_until(lambda: show.window.isActiveWindow())
    QTest.keyClick(show.window.windowHandle(), *keys)
    assert process_until(lambda: len(show.labels()) == 1)


def test_napari_has_no_other_use_for_the_key(show: Show) -> None:
    wanted = QKeySequence(HUD_SHORTCUT).toString().lower()
    actions = [action for menu in show.window.menuBar().actions() for action in menu.menu().actions()]
    taken = [key.toString().lower() for action in actions for key in action.shortcuts()]
    assert taken.count(wanted) == 1
    assert wanted not in {str(key).lower() for keys in default_shortcuts.values() for key in keys}


def test_napari_may_build_its_menu_anew(show: Show) -> None:
    menu = show.viewer.window.view_menu
    menu.rebuild()
    menu.aboutToShow.emit()
    assert menu.actions().count(show.facade.hud_action) == 1
    show.facade.hud_action.trigger()
    assert len(show.labels()) == 1


def test_the_state_is_one_line_of_plain_text(show: Show) -> None:
    show.facade.show_state("<b>lost</b>: trying again in 2 s")
    (banner,) = show.labels()
    assert banner.text() == "<b>lost</b>: trying again in 2 s"
    assert banner.textFormat() == Qt.TextFormat.PlainText
    assert abs(banner.geometry().center().x() - show.canvas.width() / 2) <= 2
    show.facade.hud_action.trigger()
    hud = next(label for label in show.labels() if label is not banner)
    assert not hud.geometry().intersects(banner.geometry())
    show.facade.show_state(None)
    assert show.labels() == [hud]


def test_what_lies_over_the_picture_lets_the_mouse_through(show: Show) -> None:
    show.facade.show_state("trying again")
    show.facade.hud_action.trigger()
    presses: list[QPoint] = []

    class Watch(QObject):
        def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.MouseButtonPress:
                presses.append(event.position().toPoint())
            return False

    watch = Watch()
    show.canvas.installEventFilter(watch)
    for label in show.labels():
        middle = label.geometry().center()
        QTest.mouseClick(
            show.window.windowHandle(),
            Qt.MouseButton.LeftButton,
            pos=show.canvas.mapTo(show.window, middle),
        )
        assert process_until(lambda middle=middle: middle in presses)
    show.canvas.removeEventFilter(watch)


def test_figures_are_in_no_screenshot_and_nothing_the_server_hears_of(show: Show) -> None:
    sent: list[m.Intent] = []
    show.facade.set_intent_dispatcher(sent.extend)
    picture = show.noise()
    show.present(exact_frame(picture))
    show.facade.hud_action.trigger()
    uploads = show.renderer.uploads
    show.text = "a new text"
    assert process_until(lambda: show.labels()[0].text() == show.text)
    assert sent == []
    assert show.renderer.uploads == uploads
    assert show.facade.waiting_since_s is None
    assert np.array_equal(show.viewer.screenshot(canvas_only=True, flash=False)[..., :3], picture)


# --- intents, waiting, hiding ---------------------------------------------------------------


def test_intents_go_to_the_dispatcher_and_nowhere_without_one(show: Show) -> None:
    sent: list[m.Intent] = []
    show.facade.dispatch([m.SceneIntent(1, {"active": None})])
    show.facade.set_intent_dispatcher(sent.extend)
    show.facade.dispatch([m.SceneIntent(2, {"active": None})])
    assert sent == [m.SceneIntent(2, {"active": None})]


def test_a_playing_slider_waits_for_the_picture_that_includes_its_step(show: Show) -> None:
    show.facade.dispatch([m.DimsIntent(7, {"point": [1.0]})])
    header = exact_frame(show.noise()).header
    show.viewer.dims._play_ready = False
    show.facade.presented(replace(header, input_id=6))
    assert not show.viewer.dims._play_ready
    show.facade.presented(replace(header, input_id=7))
    assert show.viewer.dims._play_ready


def test_a_playing_slider_does_not_wait_for_a_step_of_another_viewer(show: Show) -> None:
    show.facade.dispatch([m.DimsIntent(7, {"point": [1.0]})])
    show.viewer.dims._play_ready = False
    show.facade.viewer_renewed()
    assert show.viewer.dims._play_ready, "the picture of the step before may never come"
    show.facade.dispatch([m.DimsIntent(1, {"point": [2.0]})])
    show.viewer.dims._play_ready = False
    show.facade.presented(replace(exact_frame(show.noise()).header, input_id=1))
    assert show.viewer.dims._play_ready


def test_a_picture_waits_from_its_announcement_until_it_is_drawn(show: Show) -> None:
    show.stream.frame = exact_frame(show.noise())
    assert show.facade.waiting_since_s is None
    show.facade.request_draw()
    since_s = show.facade.waiting_since_s
    show.facade.request_draw()
    assert show.facade.waiting_since_s == since_s is not None
    assert process_until(lambda: show.facade.waiting_since_s is None)


def test_a_hidden_window_draws_nothing_and_keeps_nothing_waiting(show: Show) -> None:
    show.facade.request_draw()
    show.window.hide()
    shown = show.stream.shown
    show.facade.window_hidden()
    assert show.stream.shown == shown + 1
    assert show.facade.waiting_since_s is None
    assert not show.facade.request_draw()
    show.window.show()
    assert process_until(lambda: show.canvas.isVisible())
    assert np.array_equal(show.present(exact_frame(show.noise(1))), show.noise(1))


def test_a_canvas_squeezed_to_nothing_stalls_nothing() -> None:
    size = (160, 120)
    pictures = decoded(noisy_pan(4, size))
    window = OfflineWindow(size)
    assert window.show(pictures[0], size)
    window.canvas.setFixedHeight(0)
    assert window.show(pictures[1], size), "acknowledged though nothing can be drawn"
    window.canvas.setFixedHeight(size[1])
    assert process_until(lambda: not window.canvas.visibleRegion().isEmpty())
    assert window.show(pictures[2], size)
    request = window.host.facade.request_draw

    def squeezed_after_it() -> bool:
        announced = request()
        window.canvas.setFixedHeight(0)
        return announced

    window.host.facade.request_draw = squeezed_after_it
    assert window.show(pictures[3], size), "the monitor looks after what was announced and never drawn"
    window.close()


# --- contexts -------------------------------------------------------------------------------


def test_the_canvas_may_move_to_another_window_and_back(show: Show) -> None:
    picture = show.noise(2)
    show.present(exact_frame(picture))
    show.facade.adapter.make_current()
    before = gl_objects()
    viewer_widget = show.viewer.window._qt_viewer
    home = show.window.centralWidget()
    for _ in range(3):
        other = QWidget()
        QVBoxLayout(other).addWidget(viewer_widget)
        other.resize(500, 400)
        other.show()
        assert process_until(lambda: show.canvas.isVisible())
        grey = np.full((60, 60, 3), 90, np.uint8)
        shown = show.present(exact_frame(grey))
        assert (shown[shown.shape[0] // 2, shown.shape[1] // 2] == 90).all()
        home.layout().addWidget(viewer_widget)
        other.deleteLater()
        assert process_until(lambda: show.canvas.isVisible())
        assert np.array_equal(show.present(exact_frame(show.noise(3))), show.noise(3))
    show.facade.adapter.make_current()
    assert gl_objects() == before


def test_closed_it_leaves_nothing_of_ours(show: Show) -> None:
    del show  # the shared window stays as it is: this one is closed
    other = Show()
    other.facade.adapter.make_current()
    other.canvas.repaint()
    other.present(exact_frame(other.noise()))
    with_video = gl_objects()
    other.facade.show_state("closing")
    actions = other.window.actions()
    other.facade.close()
    other.facade.close()
    other.facade.adapter.make_current()
    without = gl_objects()
    assert with_video["textures"] - without["textures"] == 2, "both textures of the exact picture"
    assert with_video["programs"] - without["programs"] == 1
    assert with_video["buffers"] - without["buffers"] == 1
    assert other.labels() == []
    assert set(actions) - set(other.window.actions()) == {other.facade.hud_action}
    assert other.facade.hud_action not in other.viewer.window.view_menu.actions()
    assert not other.facade.request_draw()
    other.viewer.close()


SCALED = """
import json, sys
from gl_window import Window, exact_frame
import numpy as np
window = Window()
width, height = window.adapter.canvas_size_px
picture = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
# Qt rounds an odd number of pixels up and vispy down: a row and a column at the top and right may be left over.
shown = window.show(exact_frame(picture))[-height:, :width]
native = window.adapter.native
print(json.dumps({"ratio": native.devicePixelRatioF(), "logical": [native.width(), native.height()],
                  "pixels": [width, height], "same": bool(np.array_equal(shown, picture))}))
window.close()
"""


@pytest.mark.parametrize("ratio", [1.5, 2.0])
def test_on_a_dense_screen_a_picture_pixel_is_a_pixel_of_the_screen(ratio: float) -> None:
    environment = os.environ | {"QT_SCALE_FACTOR": str(ratio), "PYTHONPATH": "tests"}
    command = [sys.executable, "-c", SCALED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["ratio"] == ratio
    assert told["pixels"] == [pytest.approx(side * ratio, abs=1) for side in told["logical"]]
    assert told["same"]
