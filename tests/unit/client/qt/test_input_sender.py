"""InputSender: a window with a canvas and a text field; what reaches whom."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from qtpy.QtCore import QEvent, QEventLoop, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from napari_cuda.client.control.placement import OwnCanvas
from napari_cuda.client.qt.input_sender import InputSender
from napari_cuda.protocol import messages as m

NONE = Qt.KeyboardModifier.NoModifier
PRESS, MOVE, RELEASE = QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.MouseButtonRelease


@pytest.fixture(scope="module", autouse=True)
def application() -> Iterator[QApplication]:
    platform = [] if os.environ.get("DISPLAY") else ["-platform", "offscreen"]
    yield QApplication.instance() or QApplication(["tests", *platform])


class Desk:
    """A window with a canvas and a text field."""

    def __init__(self) -> None:
        self.window, self.canvas, self.text = QWidget(), QWidget(), QLineEdit()
        self.canvas.setMouseTracking(True)  # as vispy
        layout = QVBoxLayout(self.window)
        layout.addWidget(self.canvas)
        layout.addWidget(self.text)
        self.tool = False
        self.listened: frozenset[str] = frozenset()
        self.sent: list[m.InputPointer] = []
        self.sizes: list[tuple[int, int]] = []
        self.closed = 0
        self.sender = InputSender(
            self.window,
            self.canvas,
            send_size=self.sizes.append,
            send_pointer=self.sent.append,
            tool_is_remote=lambda: self.tool,
            listened_to=lambda: self.listened,
            on_closed=self.note_closed,
            on_hidden=lambda: None,
        )

    def note_closed(self) -> None:
        self.closed += 1

    def mouse(self, kind: QEvent.Type, x: float, *, held: bool, widget: QWidget | None = None) -> None:
        where = QPointF(x, 1.0)
        button = Qt.MouseButton.NoButton if kind == MOVE else Qt.MouseButton.LeftButton
        buttons = Qt.MouseButton.LeftButton if held else Qt.MouseButton.NoButton
        QApplication.sendEvent(widget or self.canvas, QMouseEvent(kind, where, where, button, buttons, NONE))

    def wheel(self, notches: int, *, inverted: bool = False) -> None:
        at, phase = QPointF(2.0, 1.0), Qt.ScrollPhase.NoScrollPhase
        turned = QPoint(0, 120 * notches)
        QApplication.sendEvent(
            self.canvas, QWheelEvent(at, at, QPoint(), turned, Qt.MouseButton.NoButton, NONE, phase, inverted)
        )

    @property
    def story(self) -> list[tuple[str, int]]:
        return [(event.action, event.position[0]) for event in self.sent]

    def wait_for(self, timer_name: str) -> None:
        """Let a timer (it is real) run out."""
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


def test_while_no_tool_is_remote_the_pointer_is_napari_s_own(desk: Desk) -> None:
    for kind, held in ((MOVE, False), (PRESS, True), (MOVE, True), (RELEASE, False)):
        desk.mouse(kind, 3, held=held)
    assert desk.sent == []


def test_every_move_of_a_drag_is_sent(desk: Desk) -> None:
    desk.tool = True
    desk.mouse(MOVE, 0, held=False)
    desk.mouse(PRESS, 1, held=True)
    for x in range(2, 9):
        desk.mouse(MOVE, x, held=True)
    desk.mouse(RELEASE, 9, held=False)
    assert desk.story == [("move", 0), ("press", 1), *(("move", x) for x in range(2, 9)), ("release", 9)]


def test_a_drag_goes_on_where_it_began(desk: Desk) -> None:
    """As in napari: a key that changes the mode in the middle of it changes what the next press does."""
    desk.tool = True
    desk.mouse(PRESS, 1, held=True)
    desk.tool = False
    desk.mouse(MOVE, 2, held=True)
    desk.mouse(RELEASE, 3, held=False)
    desk.mouse(MOVE, 4, held=False)
    assert desk.story == [("press", 1), ("move", 2), ("release", 3)]
    desk.sent.clear()
    desk.mouse(PRESS, 1, held=True)
    desk.tool = True
    desk.mouse(MOVE, 2, held=True)
    assert desk.sent == []


@pytest.mark.parametrize(
    ("listened", "sent"),
    [
        ({"drag"}, ["press", "move", "release"]),
        ({"move"}, ["move"]),
        ({"drag", "move"}, ["move", "press", "move", "release"]),
        ({"wheel", "double"}, []),
    ],
)
def test_what_callbacks_listen_to_is_sent_for_them_only(desk: Desk, listened: set[str], sent: list[str]) -> None:
    desk.listened = frozenset(listened)
    for kind, held in ((MOVE, False), (PRESS, True), (MOVE, True), (RELEASE, False)):
        desk.mouse(kind, 3, held=held)
    assert [event.action for event in desk.sent] == sent
    assert all(event.listeners for event in desk.sent)


def test_a_tool_s_events_are_for_callbacks_too(desk: Desk) -> None:
    desk.tool, desk.listened = True, frozenset({"drag", "move"})
    for kind, held in ((MOVE, False), (PRESS, True), (RELEASE, False)):
        desk.mouse(kind, 3, held=held)
    assert [(event.action, event.listeners) for event in desk.sent] == [
        ("move", False), ("press", False), ("release", False)
    ]  # fmt: skip


def test_the_wheel_is_sent_to_callbacks_only(desk: Desk) -> None:
    desk.tool = True
    desk.wheel(1)
    assert desk.sent == []
    desk.listened = frozenset({"wheel"})
    desk.wheel(-2, inverted=True)
    (event,) = desk.sent
    assert (event.action, event.delta, event.inverted, event.listeners) == ("wheel", (0, -2), True, True)


def test_only_the_canvas_is_watched(desk: Desk) -> None:
    desk.tool = True
    desk.mouse(PRESS, 3, held=True, widget=desk.text)
    assert desk.sent == []
    desk.sender.close()
    desk.mouse(PRESS, 3, held=True)
    assert desk.sent == []


def test_only_the_size_that_stays_is_sent(desk: Desk) -> None:
    for width in (100, 120, 140):
        desk.sender.resized(OwnCanvas((width, 50)))
    desk.wait_for("_settled")
    desk.sender.resized(OwnCanvas((140, 50)))
    assert not desk.sender._settled.isActive()
    desk.sender.resized(OwnCanvas((140, 50), 2.0))
    desk.wait_for("_settled")
    assert desk.sizes == [OwnCanvas((140, 50)), OwnCanvas((140, 50), 2.0)], "on another screen"


def test_closing_the_window_is_noticed_after_napari_had_its_say(desk: Desk) -> None:
    QApplication.sendEvent(desk.window, QEvent(QEvent.Type.Close))
    assert desk.closed == 0
    QEventLoop().processEvents()
    assert desk.closed == 1
