"""Qt's input events become messages."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_cuda.client.qt.input_events import key_name, message_of
from napari_cuda.protocol import messages as m

NONE = Qt.KeyboardModifier.NoModifier
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture(scope="module", autouse=True)
def application() -> Iterator[QApplication]:
    platform = [] if os.environ.get("DISPLAY") else ["-platform", "offscreen"]
    yield QApplication.instance() or QApplication(["tests", *platform])


def mouse(
    kind: QEvent.Type, x: float, y: float, buttons: Qt.MouseButton, modifiers: Qt.KeyboardModifier
) -> QMouseEvent:
    return QMouseEvent(kind, QPointF(x, y), QPointF(x, y), Qt.MouseButton.LeftButton, buttons, modifiers)


def wheel(angle: tuple[int, int], pixels: tuple[int, int] = (0, 0)) -> QWheelEvent:
    phase = Qt.ScrollPhase.NoScrollPhase
    where = QPointF(10, 20)
    return QWheelEvent(where, where, QPoint(*pixels), QPoint(*angle), Qt.MouseButton.NoButton, CONTROL, phase, False)


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
    message = message_of(mouse(kind, 3.4, 7.5, held, SHIFT | CONTROL), 1.0)
    assert message == m.InputPointer(0, action, [3, 8], [1, 3], ["shift", "control"])


def test_places_are_pixels_of_the_canvas_on_a_dense_screen() -> None:
    message = message_of(mouse(QEvent.Type.MouseMove, 3.25, 7.5, Qt.MouseButton.NoButton, NONE), 2.0)
    assert message == m.InputPointer(0, "move", [6, 15], [], [])


@pytest.mark.parametrize(
    ("angle", "pixels", "steps"),
    [
        ((0, 120), (0, 0), [0.0, 1.0]),
        ((0, -240), (0, 0), [0.0, -2.0]),
        ((15, 3), (0, 0), [0.125, 0.025]),
        ((0, 4), (0, 2), [0.0, 4 / 120]),
        ((0, 0), (6, -3), [0.1, -0.05]),
    ],
)
def test_wheel_steps_may_be_fractions(angle: tuple[int, int], pixels: tuple[int, int], steps: list[float]) -> None:
    assert message_of(wheel(angle, pixels), 1.0) == m.InputWheel(0, [10, 20], steps, ["control"])


def test_keys() -> None:
    press = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, SHIFT, "A")
    release = QKeyEvent(QEvent.Type.KeyRelease, Qt.Key.Key_Space, NONE, " ")
    assert message_of(press, 1.0) == m.InputKey(0, "press", "A", ["shift"], "A")
    assert message_of(release, 1.0) == m.InputKey(0, "release", "Space", [], " ")


def test_a_held_key_repeats_its_press_only() -> None:
    press = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Left, NONE, "", True)
    release = QKeyEvent(QEvent.Type.KeyRelease, Qt.Key.Key_Left, NONE, "", True)
    assert message_of(press, 1.0) == m.InputKey(0, "press", "Left", [], "")
    assert message_of(release, 1.0) is None


def test_every_key_has_a_name() -> None:
    assert key_name(int(Qt.Key.Key_BracketLeft)) == "BracketLeft"
    assert key_name(0x7FFF_1234) == "0x7fff1234"


def test_what_is_no_input_is_no_message() -> None:
    for event in (QEvent(QEvent.Type.Paint), QFocusEvent(QEvent.Type.FocusIn)):
        assert message_of(event, 1.0) is None
