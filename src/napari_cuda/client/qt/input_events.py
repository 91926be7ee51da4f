"""Qt's mouse events as messages: places in logical pixels of the canvas, buttons, modifiers.

Owner: none (pure functions); any Qt 6 binding.
"""

from __future__ import annotations

from typing import Literal

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeyEvent, QMouseEvent, QSinglePointEvent, QWheelEvent
from qtpy.QtWidgets import QWidget

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.message_fields import Modifier

UNNUMBERED = 0
"""The `intent` of an event until it is put in line with all else that the user does."""

# napari and vispy number the buttons so.
_BUTTONS = ((Qt.MouseButton.LeftButton, 1), (Qt.MouseButton.RightButton, 2), (Qt.MouseButton.MiddleButton, 3))
_MODIFIERS: tuple[tuple[Qt.KeyboardModifier, Modifier], ...] = (
    (Qt.KeyboardModifier.ShiftModifier, "shift"),
    (Qt.KeyboardModifier.ControlModifier, "control"),
    (Qt.KeyboardModifier.AltModifier, "alt"),
    (Qt.KeyboardModifier.MetaModifier, "meta"),
)
_NOTCH = 120
"""Eighths of a degree that a wheel turns with one."""

_ACTIONS: dict[QEvent.Type, Literal["press", "move", "release", "double"]] = {
    QEvent.Type.MouseButtonPress: "press",
    QEvent.Type.MouseMove: "move",
    QEvent.Type.MouseButtonRelease: "release",
    QEvent.Type.MouseButtonDblClick: "double",
}


def message_of(event: QEvent, canvas: QWidget) -> m.InputPointer | None:
    """Return what a mouse event of the canvas says, without a number; None if it is none."""
    if isinstance(event, QWheelEvent):
        return m.InputPointer(
            UNNUMBERED,
            "wheel",
            *_place(event, canvas),
            modifiers=modifiers_of(event),
            delta=notches_of(event),
            inverted=event.inverted(),
        )
    if not isinstance(event, QMouseEvent) or event.type() not in _ACTIONS:
        return None
    return m.InputPointer(
        UNNUMBERED,
        _ACTIONS[event.type()],
        *_place(event, canvas),
        dict(_BUTTONS).get(event.button(), 0),
        buttons_of(event.buttons()),
        modifiers_of(event),
    )


def _place(event: QSinglePointEvent, canvas: QWidget) -> tuple[list[int], list[int]]:
    """Return where an event is, as vispy says it on a screen of any density, and the size of the canvas."""
    place = event.position().toPoint()
    return [place.x(), place.y()], [canvas.width(), canvas.height()]


def buttons_of(held: Qt.MouseButton) -> list[int]:
    """Return the numbers of buttons."""
    return [number for button, number in _BUTTONS if held & button]


def notches_of(event: QWheelEvent) -> tuple[float, float]:
    """Return how far a wheel was turned."""
    turned = event.angleDelta()
    return turned.x() / _NOTCH, turned.y() / _NOTCH


def modifiers_of(event: QSinglePointEvent | QKeyEvent) -> list[Modifier]:
    """Return which of the keys are held that go with others."""
    held = event.modifiers()
    return [name for modifier, name in _MODIFIERS if held & modifier]
