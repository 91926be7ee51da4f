"""A script with widgets of all kinds, and the hands that use them through a client's window."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.utils.key_bindings import KeymapHandler
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QKeyEvent, QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_cuda.client.qt.surface_view import SurfaceView
from napari_cuda.client.qt.window import StreamedViewer
from served_script import wait_for

DUMP = '''
import json, sys
from pathlib import Path
from qtpy.QtCore import QPoint, QRect
from qtpy.QtWidgets import QApplication, QDockWidget, QWidget

FOLDER = Path(sys.argv[1])

def dump(viewer=None):
    """Write where all widgets are, and what each window looks like."""
    windows = {}
    for index, window in enumerate(QApplication.topLevelWidgets()):
        if not window.isVisible():
            continue
        content = window.widget() if isinstance(window, QDockWidget) else window
        area = QRect(content.mapTo(window, QPoint()), content.size())
        places = {}
        for child in [content, *content.findChildren(QWidget)]:
            corner = child.mapTo(window, QPoint()) - area.topLeft()
            name = child.objectName()
            text = child.text() if hasattr(child, "text") and callable(child.text) else ""
            if child.isVisible():
                kind = child.metaObject().className()
                number = sum(place.startswith(kind + " ") for place in places)
                place = [corner.x(), corner.y(), child.width(), child.height()]
                places[name] = places[str(text)] = places[f"{kind} {number}"] = place
        picture = FOLDER / f"window{index}.png"
        window.grab(area).save(str(picture))
        windows[window.windowTitle()] = {"places": places, "picture": str(picture)}
    (FOLDER / "dump.new").write_text(json.dumps(windows))
    (FOLDER / "dump.new").rename(FOLDER / "dump.json")
'''
"""To be put before a script: `dump`, to be bound to a key."""


class Hands:
    """What a user does on the surfaces of a window."""

    def __init__(self, viewer: StreamedViewer, folder: Path) -> None:
        self.viewer = viewer
        self.folder = folder
        host: Any = viewer._session._host
        self.windows = host.surfaces

    def view(self, title: str = "", kind: str = "") -> SurfaceView:
        """Return the newest view of that title and kind, once it is there and has its picture."""
        found: list[SurfaceView] = []

        def there() -> bool:
            found[:] = [
                view
                for view in self.windows._views.values()
                if (not title or view.about.title == title) and (not kind or view.about.kind == kind)
            ]
            return bool(found) and not found[-1].image.isNull()

        wait_for(self.viewer, there)
        return found[-1]

    def gone(self, kind: str) -> None:
        """Wait until there is no surface of a kind."""
        wait_for(self.viewer, lambda: not [v for v in self.windows._views.values() if v.about.kind == kind])

    def press_key(self, key: str) -> None:
        """Press a key of the viewer's."""
        keyboard = KeymapHandler()
        keyboard.keymap_providers = [self.viewer]
        wait_for(self.viewer, lambda: key.upper() in map(str, self.viewer.keymap))
        keyboard.press_key(key)
        keyboard.release_key(key)

    def dump(self) -> dict[str, Any]:
        """Return what the server says of its windows, by title."""
        file = self.folder / "dump.json"
        file.unlink(missing_ok=True)
        self.press_key("g")
        wait_for(self.viewer, file.exists)
        windows: dict[str, Any] = json.loads(file.read_text())
        return windows

    def rectangle(self, title: str, widget: str) -> list[int]:
        """Return where a widget is in a window: x, y, width, height."""
        found: list[int] = self.dump()[title]["places"][widget]
        return found

    def place(self, title: str, widget: str) -> QPoint:
        """Return the middle of a widget of a window."""
        x, y, width, height = self.rectangle(title, widget)
        return QPoint(x + width // 2, y + height // 2)

    def settle(self) -> None:
        """Wait until all that was done is done, and shown."""
        self.viewer.pump(0.01)
        self.viewer.sync(30)

    def move(self, view: SurfaceView, place: QPoint, *, held: bool = False) -> None:
        """Move the pointer there, with the left button held or not. (QTest's own moves hold no button.)"""
        button = Qt.MouseButton.LeftButton if held else Qt.MouseButton.NoButton
        where, none = QPointF(place), Qt.MouseButton.NoButton
        event = QMouseEvent(
            QEvent.Type.MouseMove, where, view.mapToGlobal(where), none, button, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(view, event)

    def wheel(self, view: SurfaceView, place: QPoint, notches: int) -> None:
        """Turn the wheel there."""
        where, none = QPointF(place), Qt.MouseButton.NoButton
        turned, phase = QPoint(0, 120 * notches), Qt.ScrollPhase.NoScrollPhase
        held = Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(
            view, QWheelEvent(where, view.mapToGlobal(where), QPoint(), turned, none, held, phase, False)
        )

    def click(self, title: str, widget: str, offset: QPoint | None = None, **options: Any) -> None:
        """Click on a widget."""
        view = self.view(title)
        place = self.place(title, widget) + (offset or QPoint())
        self.move(view, place)
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place, **options)
        self.settle()

    def type(self, title: str, text: str) -> None:
        """Type into what has the keyboard there."""
        for letter in text:  # QTest's own know no other letters than those of English
            for action in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                event = QKeyEvent(action, ord(letter.upper()), Qt.KeyboardModifier.NoModifier, letter)
                QApplication.sendEvent(self.view(title), event)
        self.settle()

    def key(self, title: str, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key for what has the keyboard there."""
        QTest.keyClick(self.view(title), key, held)
        self.settle()

    def choose(self, title: str, combo: str, steps: int) -> None:
        """Open a combo box, go so many entries down, and take that one."""
        self.click(title, combo)
        popup = self.view(kind="popup")
        for key in [Qt.Key.Key_Down] * steps + [Qt.Key.Key_Return]:
            QTest.keyClick(popup, key)
        self.gone("popup")
        self.settle()

    def drag(self, title: str, widget: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag with the left button from one place in a widget to another, in parts of its width and height."""
        x, y, width, height = self.rectangle(title, widget)
        places = [
            QPoint(x + round(width * (start[0] + part / 8 * (end[0] - start[0]))),
                   y + round(height * (start[1] + part / 8 * (end[1] - start[1]))))
            for part in range(9)
        ]  # fmt: skip
        view = self.view(title)
        self.move(view, places[0])
        QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=places[0])
        for place in places[1:]:
            self.move(view, place, held=True)
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=places[-1])
        self.settle()

    def save_as(self, title: str, button: str, file: Path) -> None:
        """Click on what asks for a file's name, type one, and press Return until it is taken.

        Qt's dialog lists the folder meanwhile, and what it then suggests, a pop-up, may come instead of the end.
        """
        self.click(title, button)
        dialog = self.view(kind="dialog")
        self.type(dialog.about.title, str(file))
        pressed_s = -math.inf

        def taken() -> bool:
            nonlocal pressed_s
            if not dialog.gone and time.monotonic() > pressed_s + 1:
                pressed_s = time.monotonic()
                popups = [view for view in self.windows._views.values() if view.about.kind == "popup"]
                QTest.keyClick(popups[-1] if popups else dialog, Qt.Key.Key_Return)
            return dialog.gone

        self.wait(taken)

    def wait(self, done: Callable[[], bool]) -> None:
        """Wait until that is so."""
        wait_for(self.viewer, done)

    def same_as_there(self, title: str) -> bool:
        """Return whether a view shows, pixel for pixel, what the server grabs."""
        until_s = time.monotonic() + 10
        while True:
            there = QImage(self.dump()[title]["picture"]).convertToFormat(QImage.Format.Format_RGB32)
            if self.view(title).image == there:
                return True
            if time.monotonic() > until_s:
                return False
            self.viewer.pump(0.05)
