"""Qt's input events as messages: places in canvas pixels, buttons, modifiers, fractional wheel steps.

Owner: none (pure functions); any Qt 6 binding.
"""

from __future__ import annotations

from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QKeyEvent, QMouseEvent, QWheelEvent

from napari_cuda.client.control.input_queue import UNNUMBERED
from napari_cuda.protocol import messages as m

_ANGLE_PER_STEP = 120
"""Eighths of a degree in one notch of a mouse wheel, as Qt counts."""
_PIXELS_PER_STEP = 60
"""For touch pads that tell pixels only: Qt itself counts two eighths of a degree as a pixel."""

# napari and vispy number the buttons so.
_BUTTONS = ((Qt.MouseButton.LeftButton, 1), (Qt.MouseButton.RightButton, 2), (Qt.MouseButton.MiddleButton, 3))
_MODIFIERS = (
    (Qt.KeyboardModifier.ShiftModifier, "shift"),
    (Qt.KeyboardModifier.ControlModifier, "control"),
    (Qt.KeyboardModifier.AltModifier, "alt"),
    (Qt.KeyboardModifier.MetaModifier, "meta"),
)
_POINTER_ACTIONS = {
    QEvent.Type.MouseButtonPress: "press",
    QEvent.Type.MouseMove: "move",
    QEvent.Type.MouseButtonRelease: "release",
    QEvent.Type.MouseButtonDblClick: "double",
}
# By their numbers: bindings differ in what `Qt.Key` makes of one it does not know.
_KEY_NAMES = {int(key.value): key.name.removeprefix("Key_") for key in Qt.Key}
_KEY_ACTIONS = {QEvent.Type.KeyPress: "press", QEvent.Type.KeyRelease: "release"}


def message_of(event: QEvent, pixel_ratio: float) -> m.InputEvent | None:
    """Return what an event of the canvas says, without a number; None if it is not input.

    `pixel_ratio` is how many pixels of the canvas (as drawn by the server) a logical pixel of Qt has.
    """
    if isinstance(event, QMouseEvent) and event.type() in _POINTER_ACTIONS:
        position, modifiers = _place(event.position(), pixel_ratio), _modifiers(event.modifiers())
        held = [number for button, number in _BUTTONS if event.buttons() & button]
        return m.InputPointer(UNNUMBERED, _POINTER_ACTIONS[event.type()], position, held, modifiers)
    if isinstance(event, QWheelEvent):
        return m.InputWheel(
            UNNUMBERED, _place(event.position(), pixel_ratio), wheel_steps(event), _modifiers(event.modifiers())
        )
    # A held key repeats its press; the releases Qt puts in between are none.
    if isinstance(event, QKeyEvent) and event.type() in _KEY_ACTIONS:
        action = _KEY_ACTIONS[event.type()]
        if not (action == "release" and event.isAutoRepeat()):
            return m.InputKey(UNNUMBERED, action, key_name(event.key()), _modifiers(event.modifiers()), event.text())
    return None


def wheel_steps(event: QWheelEvent) -> list[float]:
    """Return how far the wheel was turned, [x, y] in notches; a touch pad turns it by fractions."""
    angle, pixels = event.angleDelta(), event.pixelDelta()
    if not angle.isNull():
        return [angle.x() / _ANGLE_PER_STEP, angle.y() / _ANGLE_PER_STEP]
    return [pixels.x() / _PIXELS_PER_STEP, pixels.y() / _PIXELS_PER_STEP]


def key_name(key: int) -> str:
    """Return Qt's name of a key without its prefix (`A`, `Left`, `BracketLeft`), or its number in hex."""
    return _KEY_NAMES.get(key, f"{key:#x}")


def _place(position: QPointF, pixel_ratio: float) -> list[int]:
    return [round(position.x() * pixel_ratio), round(position.y() * pixel_ratio)]


def _modifiers(held: Qt.KeyboardModifier) -> list[str]:
    return [name for modifier, name in _MODIFIERS if held & modifier]
