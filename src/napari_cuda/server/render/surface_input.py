"""SurfaceInput: what a viewer's hand does on a surface, as Qt's events for the widgets in it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt
from qtpy.QtGui import (
    QCursor,
    QGuiApplication,
    QInputMethodEvent,
    QKeyEvent,
    QMouseEvent,
    QTextCharFormat,
    QWheelEvent,
)
from qtpy.QtWidgets import QApplication, QWidget

from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.message_fields import Modifier
from napari_cuda.shortcut_keys import shortcut_of

_NOTCH = 120
"""Eighths of a degree that a wheel turns with one."""

_BUTTONS = {1: Qt.MouseButton.LeftButton, 2: Qt.MouseButton.RightButton, 3: Qt.MouseButton.MiddleButton}
_MODIFIERS: dict[Modifier, Qt.KeyboardModifier] = {
    "shift": Qt.KeyboardModifier.ShiftModifier,
    "control": Qt.KeyboardModifier.ControlModifier,
    "alt": Qt.KeyboardModifier.AltModifier,
    "meta": Qt.KeyboardModifier.MetaModifier,
}
_ACTIONS = {
    "press": QEvent.Type.MouseButtonPress,
    "move": QEvent.Type.MouseMove,
    "release": QEvent.Type.MouseButtonRelease,
    "double": QEvent.Type.MouseButtonDblClick,
}


class SurfaceInput:
    """Owner: render thread.

    Events go to the window of Qt's, as from a window system: which widget gets them, who holds the mouse, what a pop-up
    does with a press beside it, context menus and tool tips are then Qt's own doing.
    """

    def __init__(self) -> None:
        self.place = QPoint()
        """Of the pointer, on the screen that there is not."""
        self._modifiers = Qt.KeyboardModifier.NoModifier
        self._buttons = Qt.MouseButton.NoButton
        self._tell_scripts()

    def _tell_scripts(self) -> None:
        """Have code that asks Qt for the state of mouse and keyboard be told of the hands that there are."""
        for application in (QGuiApplication, QApplication):
            for name in ("keyboardModifiers", "queryKeyboardModifiers"):
                setattr(application, name, staticmethod(lambda: self._modifiers))
            setattr(application, "mouseButtons", staticmethod(lambda: self._buttons))  # noqa: B010 -- no assignment to a method
        setattr(QCursor, "pos", staticmethod(lambda *_screen: QPoint(self.place)))  # noqa: B010

    def pointer(self, window: QWidget, corner: QPoint, event: s.SurfacePointer) -> None:
        """Do what the pointer did on what begins at `corner` of the screen, in `window`."""
        handle = window.windowHandle()
        if handle is None or _is_blocked(window):
            return
        self.place = corner + QPoint(*event.position)
        self._modifiers = _modifiers(event.modifiers)
        if event.action == "leave":
            QApplication.sendEvent(handle, QEvent(QEvent.Type.Leave))
            return
        before, here, place = self._buttons, QPointF(window.mapFromGlobal(self.place)), QPointF(self.place)
        self._buttons = _buttons(event.buttons)
        if event.action == "wheel":
            turned = QPoint(*(round(_NOTCH * notches) for notches in event.delta))
            phase = Qt.ScrollPhase.NoScrollPhase
            QApplication.sendEvent(
                handle, QWheelEvent(here, place, QPoint(), turned, self._buttons, self._modifiers, phase, False)
            )
            return
        if event.action == "press" and not before:
            self._activate(window)
        button = _BUTTONS.get(event.button, Qt.MouseButton.NoButton)
        popup = QApplication.activePopupWidget()
        QApplication.sendEvent(
            handle, QMouseEvent(_ACTIONS[event.action], here, here, place, button, self._buttons, self._modifiers)
        )
        if popup is None and QApplication.activePopupWidget() is not None:
            # A window system says so when a pop-up takes the mouse; else what opened it would stay lit.
            QApplication.sendEvent(handle, QEvent(QEvent.Type.Leave))

    def key(self, window: QWidget, event: s.SurfaceKey) -> bool:
        """Press a key, or let it go, where `window` has its focus; a pop-up has it before any window.

        Return whether it is left over: no widget wanted it, and no pop-up or dialog keeps it.
        """
        receiver = QApplication.activePopupWidget() or window
        handle = receiver.windowHandle()
        if handle is None or _is_blocked(receiver):
            return False
        self._modifiers = held = _modifiers(event.modifiers)
        if event.action == "press" and not _is_claimed(receiver, event, held):
            act = shortcut_of(receiver, event.key, held, receiver.focusWidget())
            if act is not None:
                act()
                return False
            if event.shortcut:
                return receiver is window
        kind = QEvent.Type.KeyPress if event.action == "press" else QEvent.Type.KeyRelease
        key = QKeyEvent(kind, event.key, held, event.text, event.repeats)
        QApplication.sendEvent(handle, key)
        return receiver is window and not key.isAccepted()

    def compose(self, window: QWidget, event: s.SurfaceCompose) -> None:
        """Write what an input method put together, and what it is at, where `window` or a pop-up has its focus."""
        receiver = QApplication.activePopupWidget() or window
        focused = receiver.focusWidget() or receiver
        if _is_blocked(receiver) or not focused.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled):
            return
        kinds = QInputMethodEvent.AttributeType
        looks = QTextCharFormat()
        looks.setFontUnderline(True)
        length = len(event.composing.encode("utf-16-le")) // 2  # as Qt counts
        attributes = [
            QInputMethodEvent.Attribute(kinds.Cursor, min(event.caret, length), 1, None),
            QInputMethodEvent.Attribute(kinds.TextFormat, 0, length, looks),
        ]
        composed = QInputMethodEvent(event.composing, attributes)
        composed.setCommitString(event.text, *event.replaces)
        QApplication.sendEvent(focused, composed)

    def focus(self, window: QWidget) -> None:
        """Give a window the keyboard."""
        if not _is_blocked(window):
            self._activate(window)

    def _activate(self, window: QWidget) -> None:
        passive = Qt.WindowType.Popup, Qt.WindowType.ToolTip
        if window.windowType() not in passive and not window.isActiveWindow():
            window.activateWindow()


def writes_at() -> tuple[QWidget, QRect, int] | None:
    """Return the widget that text is written into, its caret, and Qt's hints of what it is for; None if none is."""
    popup = QApplication.activePopupWidget()
    focused = QApplication.focusWidget() if popup is None else popup.focusWidget()
    if focused is None or not focused.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled):
        return None
    place = focused.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle)
    caret = place.toRect() if isinstance(place, QRectF) else place
    hints: Any = focused.inputMethodHints().value  # an int, whatever the binding's types say
    return focused, caret if isinstance(caret, QRect) else QRect(), hints


def _is_claimed(window: QWidget, event: s.SurfaceKey, held: Qt.KeyboardModifier) -> bool:
    """Return whether the focused widget has a key before it is anybody's shortcut."""
    focused = window.focusWidget()
    if focused is None:
        return False
    wanted = QKeyEvent(QEvent.Type.ShortcutOverride, event.key, held, event.text, event.repeats)
    wanted.ignore()
    QApplication.sendEvent(focused, wanted)
    return wanted.isAccepted()


def _is_blocked(window: QWidget) -> bool:
    """Return whether a modal dialog keeps input from a window."""
    modal = QApplication.activeModalWidget()
    if modal is None or window.windowType() == Qt.WindowType.Popup:
        return False
    above: QWidget | None = window
    while above is not None and above is not modal:
        above = above.parentWidget()
    return above is None


def _buttons(numbers: list[int]) -> Qt.MouseButton:
    held = Qt.MouseButton.NoButton
    for number in numbers:
        held |= _BUTTONS.get(number, Qt.MouseButton.NoButton)
    return held


def _modifiers(names: list[Modifier]) -> Qt.KeyboardModifier:
    held = Qt.KeyboardModifier.NoModifier
    for name in names:
        held |= _MODIFIERS[name]
    return held
