"""Qt's mouse events become messages."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QFocusEvent, QKeyEvent, QMouseEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_cuda.client.qt.input_events import message_of
from napari_cuda.protocol import messages as m

NONE = Qt.KeyboardModifier.NoModifier
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture(scope="module", autouse=True)
def application() -> Iterator[QApplication]:
    platform = [] if os.environ.get("DISPLAY") else ["-platform", "offscreen"]
    yield QApplication.instance() or QApplication(["tests", *platform])


class Canvas(QWidget):
    """A canvas on a screen of a density."""

    def __init__(self, ratio: float = 1.0) -> None:
        super().__init__()
        self.resize(300, 201)
        self._ratio = ratio

    def devicePixelRatioF(self) -> float:
        return self._ratio


def mouse(
    kind: QEvent.Type, x: float, y: float, buttons: Qt.MouseButton, modifiers: Qt.KeyboardModifier
) -> QMouseEvent:
    return QMouseEvent(kind, QPointF(x, y), QPointF(x, y), Qt.MouseButton.RightButton, buttons, modifiers)


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (QEvent.Type.MouseButtonPress, "press"),
        (QEvent.Type.MouseMove, "move"),
        (QEvent.Type.MouseButtonRelease, "release"),
        (QEvent.Type.MouseButtonDblClick, "double"),
    ],
)
def test_pointer(kind: QEvent.Type, action: str) -> None:
    held = Qt.MouseButton.LeftButton | Qt.MouseButton.MiddleButton
    message = message_of(mouse(kind, 3.4, 7.5, held, SHIFT | CONTROL), Canvas())
    assert message == m.InputPointer(0, action, [3, 8], [300, 201], 2, [1, 3], ["shift", "control"])  # type: ignore[arg-type]


def test_places_are_where_napari_s_own_tools_would_be_told_on_a_dense_screen() -> None:
    event = mouse(QEvent.Type.MouseMove, 3.25, 2.5, Qt.MouseButton.NoButton, NONE)
    message = message_of(event, Canvas(2.0))
    assert message is not None
    assert (message.position, message.canvas, message.buttons) == ([3, 3], [300, 201], [])
    assert tuple(message.position) == (event.pos().x(), event.pos().y()), "what vispy reads"


def test_what_is_no_pointer_is_no_message() -> None:
    key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, SHIFT, "A")
    for event in (QEvent(QEvent.Type.Paint), QFocusEvent(QEvent.Type.FocusIn), key):
        assert message_of(event, Canvas()) is None
