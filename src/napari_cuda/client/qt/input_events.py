"""Qt's mouse events as messages: places in logical pixels of the canvas, buttons, modifiers.

Owner: none (pure functions); any Qt 6 binding.
"""

from __future__ import annotations

from typing import Literal

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QWidget

from napari_cuda.protocol import messages as m

UNNUMBERED = 0
"""The `intent` of an event until it is put in line with all else that the user does."""

# napari and vispy number the buttons so.
_BUTTONS = ((Qt.MouseButton.LeftButton, 1), (Qt.MouseButton.RightButton, 2), (Qt.MouseButton.MiddleButton, 3))
_MODIFIERS: tuple[tuple[Qt.KeyboardModifier, m.Modifier], ...] = (
    (Qt.KeyboardModifier.ShiftModifier, "shift"),
    (Qt.KeyboardModifier.ControlModifier, "control"),
    (Qt.KeyboardModifier.AltModifier, "alt"),
    (Qt.KeyboardModifier.MetaModifier, "meta"),
)
_ACTIONS: dict[QEvent.Type, Literal["press", "move", "release", "double"]] = {
    QEvent.Type.MouseButtonPress: "press",
    QEvent.Type.MouseMove: "move",
    QEvent.Type.MouseButtonRelease: "release",
    QEvent.Type.MouseButtonDblClick: "double",
}


def message_of(event: QEvent, canvas: QWidget) -> m.InputPointer | None:
    """Return what a mouse event of the canvas says, without a number; None if it is none."""
    if not isinstance(event, QMouseEvent) or event.type() not in _ACTIONS:
        return None
    buttons, modifiers = event.buttons(), event.modifiers()
    place = event.position().toPoint()  # where vispy says that it is, on a screen of any density
    return m.InputPointer(
        UNNUMBERED,
        _ACTIONS[event.type()],
        [place.x(), place.y()],
        [canvas.width(), canvas.height()],
        dict(_BUTTONS).get(event.button(), 0),
        [number for button, number in _BUTTONS if buttons & button],
        [name for modifier, name in _MODIFIERS if modifiers & modifier],
    )
