"""InputSender: a window with a canvas and a text field; what reaches whom."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest
from qtpy.QtCore import QEvent, QEventLoop, QPointF, Qt
from qtpy.QtGui import QFocusEvent, QKeyEvent, QMouseEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from napari_cuda.client.control.cadence import INTERVAL_S
from napari_cuda.client.qt.input_sender import InputSender
from napari_cuda.protocol import messages as m

NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture(scope="module", autouse=True)
def application() -> Iterator[QApplication]:
    platform = [] if os.environ.get("DISPLAY") else ["-platform", "offscreen"]
    yield QApplication.instance() or QApplication(["tests", *platform])


class Canvas(QWidget):
    """Notes the keys that reach it, as napari's canvas does."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)  # as vispy
        self.keys: list[int] = []

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self.keys.append(event.key())


class Desk:
    """A window, and a sender with a clock of the test's own."""

    def __init__(self) -> None:
        self.window, self.canvas, self.text = QWidget(), Canvas(), QLineEdit()
        layout = QVBoxLayout(self.window)
        layout.addWidget(self.canvas)
        layout.addWidget(self.text)
        self.now_s = 10.0
        self.batches: list[list[m.InputEvent]] = []
        self.sizes: list[tuple[int, int]] = []
        self.closed = 0
        self.sender = InputSender(
            self.window,
            self.canvas,
            send_size=self.sizes.append,
            on_closed=self.note_closed,
            on_hidden=lambda: None,
            clock=lambda: self.now_s,
        )

    def note_closed(self) -> None:
        self.closed += 1

    def forward(self) -> None:
        self.sender.forward(self.batches.append, count(1).__next__)

    @property
    def sent(self) -> list[m.InputEvent]:
        return [event for batch in self.batches for event in batch]

    def key(self, kind: QEvent.Type, key: Qt.Key, text: str = "", widget: QWidget | None = None) -> None:
        QApplication.sendEvent(widget or self.canvas, QKeyEvent(kind, key, NONE, text))

    def move(self, x: float, buttons: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
        where = QPointF(x, 1.0)
        button = Qt.MouseButton.NoButton
        QApplication.sendEvent(self.canvas, QMouseEvent(QEvent.Type.MouseMove, where, where, button, buttons, NONE))

    def wait_for(self, timer_name: str) -> None:
        """Let a timer (it is real) run out, without the clock moving."""
        timer = getattr(self.sender, timer_name)
        assert timer.isActive()
        loop = QEventLoop()
        timer.timeout.connect(loop.quit)
        loop.exec()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.sender.close()
    desk.window.deleteLater()


def test_nothing_is_forwarded_until_it_is_asked_for(desk: Desk) -> None:
    desk.move(3)
    desk.key(QEvent.Type.KeyPress, Qt.Key.Key_A, "a")
    assert desk.sent == []
    assert desk.canvas.keys == [Qt.Key.Key_A]


def test_what_is_typed_into_a_text_field_stays_there(desk: Desk) -> None:
    desk.forward()
    for letter, key in (("0", Qt.Key.Key_0), ("v", Qt.Key.Key_V)):
        desk.key(QEvent.Type.KeyPress, key, letter, desk.text)
        desk.key(QEvent.Type.KeyRelease, key, letter, desk.text)
    desk.key(QEvent.Type.KeyPress, Qt.Key.Key_Left, "", desk.text)
    assert desk.text.text() == "0v"
    assert desk.text.cursorPosition() == 1
    assert desk.sent == []
    assert desk.canvas.keys == []


def test_keys_of_the_canvas_are_sent_and_still_reach_it(desk: Desk) -> None:
    desk.forward()
    desk.key(QEvent.Type.KeyPress, Qt.Key.Key_A, "a")
    assert desk.sent == [m.InputKey(1, "press", "A", [], "a")]
    assert desk.canvas.keys == [Qt.Key.Key_A]


def test_moves_go_out_120_times_a_second_and_the_last_always(desk: Desk) -> None:
    desk.forward()
    for x in range(10):
        desk.now_s += 0.0005
        desk.move(x)
    assert [event.position for event in desk.sent] == [[0, 1]]
    desk.wait_for("_due")
    assert [event.position for event in desk.sent] == [[0, 1], [9, 1]]
    assert [event.intent for event in desk.sent] == [1, 2]
    desk.now_s += INTERVAL_S
    desk.move(50)
    assert desk.sent[-1].position == [50, 1], "after a pause at once"


def test_held_keys_are_released_when_the_canvas_loses_the_focus(desk: Desk) -> None:
    desk.forward()
    desk.key(QEvent.Type.KeyPress, Qt.Key.Key_Space, " ")
    desk.now_s += 1
    QApplication.sendEvent(desk.canvas, QFocusEvent(QEvent.Type.FocusOut))
    assert [(event.action, event.key) for event in desk.sent] == [("press", "Space"), ("release", "Space")]


def test_kept_input_is_not_sent_late(desk: Desk) -> None:
    desk.forward()
    desk.move(1)
    desk.move(2)
    desk.sender.keep()
    assert not desk.sender._due.isActive()
    desk.forward()
    desk.now_s += 1
    desk.move(3)
    assert [event.position for event in desk.sent] == [[1, 1], [3, 1]]


def test_only_the_size_that_stays_is_sent(desk: Desk) -> None:
    for width in (100, 120, 140):
        desk.sender.resized((width, 50))
    desk.wait_for("_settled")
    desk.sender.resized((140, 50))
    assert not desk.sender._settled.isActive()
    assert desk.sizes == [(140, 50)]


def test_closing_the_window_is_noticed_after_napari_had_its_say(desk: Desk) -> None:
    QApplication.sendEvent(desk.window, QEvent(QEvent.Type.Close))
    assert desk.closed == 0
    QEventLoop().processEvents()
    assert desk.closed == 1
