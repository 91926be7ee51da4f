"""Shortcuts of a window: what Qt's own map of them does with a key, for keys that no window system brings to it.

Owner: the thread of Qt's widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from qtpy.QtCore import QKeyCombination, Qt
from qtpy.QtGui import QAction, QKeySequence, QShortcut
from qtpy.QtWidgets import QAbstractButton, QMainWindow, QMenu, QMenuBar, QWidget

_HELD = (
    Qt.KeyboardModifier.ShiftModifier
    | Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.MetaModifier
)


def shortcut_of(
    window: QWidget, key: int, held: Qt.KeyboardModifier, focused: QWidget | None
) -> Callable[[], object] | None:
    """Return what a key does as a shortcut in a window that is active; None if it is none there.

    One that several have does nothing, as in Qt. Sequences of several keys are not known.
    """
    for sequence in _sequences(key, held & _HELD):
        found = list(_having(window, sequence, focused))
        if found:
            return found[0] if len(found) == 1 else _nothing
    return None


def _sequences(key: int, held: Qt.KeyboardModifier) -> Iterator[QKeySequence]:
    """Go through what a key may be called: Shift only gave a sign its place on the keyboard."""
    shift = Qt.KeyboardModifier.ShiftModifier
    yield QKeySequence(QKeyCombination(held, Qt.Key(key)))
    if held & shift and key < 0x80 and not chr(key).isalnum():
        yield QKeySequence(QKeyCombination(held & ~shift, Qt.Key(key)))


def _nothing() -> None:
    """Do nothing: nobody knows which of several is meant."""


def _having(window: QWidget, sequence: QKeySequence, focused: QWidget | None) -> Iterator[Callable[[], object]]:
    for shortcut in window.findChildren(QShortcut):
        parent = shortcut.parent()
        widget = parent if isinstance(parent, QWidget) else None
        if shortcut.isEnabled() and sequence in shortcut.keys() and _hears(widget, shortcut.context(), window, focused):
            yield shortcut.activated.emit
    for action in dict.fromkeys([*window.actions(), *window.findChildren(QAction)]):
        if action.isEnabled() and sequence in action.shortcuts() and _is_heard(action, window, focused):
            yield action.trigger
    for button in window.findChildren(QAbstractButton):
        if button.shortcut() == sequence and button.isVisible() and button.isEnabled():
            yield button.click
    bar = window.menuBar() if isinstance(window, QMainWindow) else None
    if bar is not None and not bar.isNativeMenuBar():
        for title in bar.actions():
            if title.isEnabled() and QKeySequence.mnemonic(title.text()) == sequence:
                yield partial(bar.setActiveAction, title)


def _is_heard(action: QAction, window: QWidget, focused: QWidget | None) -> bool:
    """Return whether one of the widgets that have an action is where its shortcut is heard."""
    for holder in action.associatedObjects():
        if isinstance(holder, QMenu):
            above = holder.menuAction()
            if above is not None and above is not action and above.isVisible() and above.isEnabled():
                if _is_heard(above, window, focused):
                    return True
        elif isinstance(holder, QWidget) and _hears(holder, action.shortcutContext(), window, focused):
            return True
    return False


def _hears(widget: QWidget | None, context: Qt.ShortcutContext, window: QWidget, focused: QWidget | None) -> bool:
    if widget is None or not widget.isEnabled() or widget.window() is not window:
        return False
    if not widget.isVisible() and not (isinstance(widget, QMenuBar) and widget.isNativeMenuBar()):
        return False
    if context == Qt.ShortcutContext.WidgetShortcut:
        return widget is focused
    if context == Qt.ShortcutContext.WidgetWithChildrenShortcut:
        return focused is not None and (widget is focused or widget.isAncestorOf(focused))
    return True
