"""What a user does on the dock widgets of stock napari: the same hands as `surface_scripts.Hands`, without a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialog, QWidget


class StockHands:
    """The widgets are found by the names that the dump of `surface_scripts` gives them."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer

    def wait(self, done: Callable[[], bool]) -> None:
        """Wait until that is so."""
        until_s = time.monotonic() + 30
        while not done():
            assert time.monotonic() < until_s, "it did not become so in time"
            QTest.qWait(20)

    def settle(self) -> None:
        """Let Qt do what is due."""
        QTest.qWait(10)

    def content(self, title: str) -> QWidget:
        """Return the widget in a dock, once it is seen."""
        docks = self.viewer.window._wrapped_dock_widgets
        self.wait(lambda: title in docks and docks[title].isVisible())
        content: QWidget = docks[title].widget()
        return content

    def find(self, title: str, name: str) -> QWidget:
        """Return a widget of a dock."""
        content = self.content(title)
        kind, _, number = name.rpartition(" ")
        of_kind = []
        for child in [content, *content.findChildren(QWidget)]:
            if child.isVisible():
                text = getattr(child, "text", None)
                if name in (child.objectName(), str(text()) if callable(text) else None):
                    return child
                if child.metaObject().className() == kind:
                    of_kind.append(child)
        return of_kind[int(number)]

    def click(self, title: str, widget: str, offset: QPoint | None = None) -> None:
        """Click on a widget, or on what lies in it there."""
        found = self.find(title, widget)
        place = found.rect().center() + (offset or QPoint())
        within = found.childAt(place) or found
        QTest.mouseClick(within, Qt.MouseButton.LeftButton, pos=within.mapFrom(found, place))
        within.setFocus()
        QTest.qWait(50)

    def type(self, title: str, text: str) -> None:
        """Type into what has the keyboard."""
        QTest.keyClicks(self._focused(), text)

    def key(self, title: str, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key for what has the keyboard."""
        QTest.keyClick(self._focused(), key, held)

    def _focused(self) -> QWidget:
        focused = self.viewer.window._qt_window.focusWidget()
        assert focused is not None
        return focused

    def choose(self, title: str, combo: str, steps: int) -> None:
        """Open a combo box, go so many entries down, and take that one."""
        self.click(title, combo)
        self.wait(lambda: QApplication.activePopupWidget() is not None)
        popup = QApplication.activePopupWidget()
        receiver = popup.focusWidget() or popup
        for key in [Qt.Key.Key_Down] * steps + [Qt.Key.Key_Return]:
            QTest.keyClick(receiver, key)
        self.wait(lambda: QApplication.activePopupWidget() is None)

    def drag(self, title: str, widget: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag with the left button from one place in a widget to another, in parts of its width and height."""
        found = self.find(title, widget)
        parts = [[start[axis] + part / 8 * (end[axis] - start[axis]) for axis in (0, 1)] for part in range(9)]
        places = [QPoint(round(x * found.width()), round(y * found.height())) for x, y in parts]
        QTest.mousePress(found, Qt.MouseButton.LeftButton, pos=places[0])
        for place in places[1:]:
            where, left = QPointF(place), Qt.MouseButton.LeftButton
            held, glob = Qt.KeyboardModifier.NoModifier, found.mapToGlobal(QPointF(place))
            QApplication.sendEvent(
                found, QMouseEvent(QEvent.Type.MouseMove, where, glob, Qt.MouseButton.NoButton, left, held)
            )
        QTest.mouseRelease(found, Qt.MouseButton.LeftButton, pos=places[-1])
        QTest.qWait(50)

    def save_as(self, title: str, button: str, file: Path) -> None:
        """Click on what asks for a file's name, type one, and press Return until it is taken.

        Qt's dialog lists the folder meanwhile, and what it then suggests may come instead of the end (5 of 40 dialogs
        of Qt's alone on busy cores).
        """

        def answer() -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QDialog):
                QTimer.singleShot(100, answer)
                return
            QTest.keyClicks(dialog.focusWidget(), str(file))
            press_return(20)

        def press_return(tries: int) -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QDialog):
                return
            if not tries:
                dialog.reject()  # the test fails where it looks for the file, and does not hang here
                return
            QTest.keyClick(QApplication.activePopupWidget() or dialog.focusWidget(), Qt.Key.Key_Return)
            QTimer.singleShot(1000, lambda: press_return(tries - 1))

        QTimer.singleShot(100, answer)
        self.click(title, button)
