"""SurfaceInput: what a viewer's hand does on a surface, as Qt's events for the widgets in it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QKeyCombination, QPoint, QPointF, Qt
from qtpy.QtGui import QAction, QCursor, QGuiApplication, QKeyEvent, QKeySequence, QMouseEvent, QShortcut, QWheelEvent
from qtpy.QtWidgets import QAbstractButton, QApplication, QWidget

from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.message_fields import Modifier

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
_CALLS_SHORTCUTS = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)


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
        QApplication.sendEvent(
            handle, QMouseEvent(_ACTIONS[event.action], here, here, place, button, self._buttons, self._modifiers)
        )

    def key(self, window: QWidget, event: s.SurfaceKey) -> None:
        """Press a key, or let it go, where `window` has its focus; a pop-up has it before any window."""
        receiver = QApplication.activePopupWidget() or window
        handle = receiver.windowHandle()
        if handle is None or _is_blocked(receiver):
            return
        self._modifiers = held = _modifiers(event.modifiers)
        if event.action == "press" and self._was_shortcut(receiver, event, held):
            return
        kind = QEvent.Type.KeyPress if event.action == "press" else QEvent.Type.KeyRelease
        QApplication.sendEvent(handle, QKeyEvent(kind, event.key, held, event.text, event.repeats))

    def focus(self, window: QWidget) -> None:
        """Give a window the keyboard."""
        if not _is_blocked(window):
            self._activate(window)

    def _activate(self, window: QWidget) -> None:
        passive = Qt.WindowType.Popup, Qt.WindowType.ToolTip
        if window.windowType() not in passive and not window.isActiveWindow():
            window.activateWindow()

    def _was_shortcut(self, window: QWidget, event: s.SurfaceKey, held: Qt.KeyboardModifier) -> bool:
        """Return whether the key was somebody's shortcut, which is done then; a focused widget may have it first."""
        focused = window.focusWidget()
        if focused is not None:
            wanted = QKeyEvent(QEvent.Type.ShortcutOverride, event.key, held, event.text, event.repeats)
            wanted.ignore()
            QApplication.sendEvent(focused, wanted)
            if wanted.isAccepted():
                return False
        if not held & _CALLS_SHORTCUTS and not Qt.Key.Key_F1 <= event.key <= Qt.Key.Key_F35:
            return False
        sequence = QKeySequence(QKeyCombination(held, Qt.Key(event.key)))
        for shortcut in window.findChildren(QShortcut):
            if shortcut.isEnabled() and shortcut.key() == sequence:
                shortcut.activated.emit()
                return True
        for action in [*window.actions(), *window.findChildren(QAction)]:
            if action.isEnabled() and sequence in action.shortcuts():
                action.trigger()
                return True
        for button in window.findChildren(QAbstractButton):
            if button.isVisible() and button.isEnabled() and button.shortcut() == sequence:
                button.click()
                return True
        return False


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
