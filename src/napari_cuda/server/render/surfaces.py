"""Surfaces: the windows of Qt's in this process (docks, dialogs, pop-ups), as the viewers see and use them."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from msgspec.structs import replace
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt
from qtpy.QtGui import QColor, QFont, QGuiApplication, QImage, QPainter, QRegion
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.server.render.napari_adapter import application
from napari_cuda.server.render.surface_feed import SurfaceFeed
from napari_cuda.server.render.surface_input import SurfaceInput
from napari_cuda.server.render.surface_picture import SurfacePicture, Words

log = logging.getLogger(__name__)

MOST_QUERIES = 256
"""Of one viewer, between two turns. One on its way per surface is all that an honest viewer has."""

NO_CANVAS = "Not shown here: this widget draws with OpenGL, which a server has for the canvas of the viewer only."

DOCKS_AT = QPoint(1400, 300)
"""Where docks are on a screen, each on one of those that there are not: so pop-ups have room on all sides."""

TABBED = "napari_cuda_tabbed"
"""A dock's property: the script wants it to lie on another one. Qt forgets that of a window of its own."""

_MOVES_WINDOWS = frozenset(
    {
        QEvent.Type.Show,
        QEvent.Type.Hide,
        QEvent.Type.Move,
        QEvent.Type.Resize,
        QEvent.Type.WindowTitleChange,
        QEvent.Type.LayoutRequest,
        QEvent.Type.ParentChange,
    }
)
_AREAS = {
    "left": Qt.DockWidgetArea.LeftDockWidgetArea,
    "right": Qt.DockWidgetArea.RightDockWidgetArea,
    "top": Qt.DockWidgetArea.TopDockWidgetArea,
    "bottom": Qt.DockWidgetArea.BottomDockWidgetArea,
}


@dataclass(slots=True)
class _Window:
    """A window of Qt's that is a surface."""

    surface: str
    window: QWidget
    content: QWidget
    """What is shown of it: of a dock not its title."""
    kind: s.SurfaceKind
    picture: SurfacePicture = field(default_factory=SurfacePicture)
    stale: bool = True


@dataclass(slots=True)
class _Watcher:
    """A viewer that is told of surfaces."""

    pixel_ratio: float
    feed: SurfaceFeed
    cursor: str = ""


class Surfaces(QObject):
    """Owner: render thread; `note` from any.

    Docks are windows of their own here, whose size is what their viewer has room for. Nothing is painted for viewers
    that are not there.
    """

    def __init__(
        self,
        deliver: Callable[[str, Sequence[m.ServerMessage]], None],
        complain: Callable[[str], None],
    ) -> None:
        """`deliver` tells one viewer something, `complain` all of them one line."""
        super().__init__()
        self._deliver = deliver
        self._complain = complain
        self._input = SurfaceInput()
        self._host: QMainWindow | None = None
        self._hosts: list[QMainWindow] = []
        self._windows: dict[QWidget, _Window] = {}
        self._count = self._docks = 0
        self._watchers: dict[str, _Watcher] = {}
        self._asked: dict[str, deque[s.SurfaceQuery]] = {}
        self._lock = threading.Lock()
        self._moved = True
        """Whether windows came, went, or are elsewhere."""
        self._quiet = False
        """Whether nothing has happened since the viewers were told."""
        self._hand = ""
        """The viewer who did something last."""
        self._used: _Window | None = None
        """On what."""
        self._held: s.SurfacePointer | None = None
        """The last of an event of the hand whose buttons are down."""
        self._canvases: set[QWidget] = set()
        self.dress: Callable[[str], None] = lambda theme: None
        """Gives napari's windows a theme."""
        app = application()
        # A caret that blinks would keep an idle session at work.
        app.setCursorFlashTime(0)
        app.installEventFilter(self)
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.dataChanged.connect(self._tell_copied)

    # --- from any thread ----------------------------------------------------------------

    def note(self, viewer: str, query: s.SurfaceQuery) -> None:
        """Take what a viewer says beside its intents; then have the render thread take its turn."""
        with self._lock:
            self._asked.setdefault(viewer, deque(maxlen=MOST_QUERIES)).append(query)

    # --- the windows that there are -----------------------------------------------------

    def add_host(self, host: QMainWindow) -> None:
        """A main window, never shown itself, whose docks are shown once it is turned to."""
        self._hosts.append(host)
        self._moved = True

    def turn_to(self, host: QMainWindow | None) -> None:
        """Show the docks of this main window, and those of no other."""
        self._host = host
        self._moved = True

    def remove_host(self, host: QMainWindow) -> None:
        """A main window goes, with all that is in it."""
        self._hosts.remove(host)
        if self._host is host:
            self.turn_to(None)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """See which windows come, go, move or are painted anew; keeps no event from anybody."""
        if watched is None or event is None or not self._watchers:
            return False
        kind = event.type()
        if kind == QEvent.Type.UpdateRequest:
            window = self._windows.get(watched) if isinstance(watched, QWidget) else None
            if window is not None:
                window.stale, self._quiet = True, False
        elif kind in _MOVES_WINDOWS and isinstance(watched, QWidget):
            if kind == QEvent.Type.Show:
                self._note_canvases([watched])
            if watched.isWindow():
                self._moved, self._quiet = True, False
        return False

    def _note_canvases(self, widgets: Iterable[QWidget]) -> None:
        """Look which of these widgets draw with OpenGL, and tell of those that are new."""
        for widget in widgets:
            if widget.inherits("QOpenGLWidget") and widget not in self._canvases:
                self._canvases.add(widget)
                self._complain("A widget of the script or a plugin draws with OpenGL: that is not shown at the client")

    def _look(self) -> None:
        """Know which windows there are; a widget may be deleted without a word."""
        alive = all(_is_alive(one.window) and _is_alive(one.content) for one in self._windows.values())
        if self._moved or not alive:
            self._find()

    def _find(self) -> None:
        """Look which windows there are."""
        self._moved = False
        self._undock()
        found: dict[QWidget, _Window] = {}
        for widget in QApplication.topLevelWidgets():
            kind = self._kind(widget)
            content = widget.widget() if isinstance(widget, QDockWidget) else widget
            if kind is None or content is None or content.size().isEmpty():
                continue
            known = self._windows.get(widget)
            if known is None or known.content is not content:
                self._count += 1
                known = _Window(f"S{self._count}", widget, content, kind)
                self._note_canvases(content.findChildren(QWidget))
            found[widget] = known
        self._windows = dict(sorted(found.items(), key=lambda item: int(item[1].surface[1:])))
        self._canvases = {canvas for canvas in self._canvases if _is_alive(canvas)}

    def _undock(self) -> None:
        """Have each dock be a window of its own, whatever the script has just done with it."""
        if self._host is None:
            return
        for dock in self._host.findChildren(QDockWidget):
            if dock.isFloating() or dock.isHidden():
                continue
            content = dock.widget()
            dock.setFloating(True)
            # Not on the first, where the main windows are: Qt asks which window is at a place.
            screens = QGuiApplication.screens()[1:] or QGuiApplication.screens()
            self._docks += 1
            dock.move(screens[self._docks % len(screens)].geometry().topLeft() + DOCKS_AT)
            if content is not None:
                _give_room(dock, content, content.sizeHint().width(), content.sizeHint().height())

    def _kind(self, widget: QWidget) -> s.SurfaceKind | None:
        """Return what a window is to the viewers; None if it is nothing to them."""
        if widget in self._hosts or not widget.isVisible():
            return None
        if widget.testAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen):
            return None
        if isinstance(widget, QDockWidget):
            return "dock" if widget.parentWidget() is self._host else None
        kind = widget.windowType()
        if kind == Qt.WindowType.Popup:
            return "popup"
        return "tooltip" if kind == Qt.WindowType.ToolTip else "dialog"

    # --- what the viewers do ------------------------------------------------------------

    def apply(self, viewer: str, intent: s.SurfaceIntent) -> dict[str, str]:
        """Do what a viewer's hand did; whatever a widget's callback raises passes through."""
        self._quiet = False
        if isinstance(intent, s.SurfacePaste):
            self._paste(intent.text)
            return {}
        if isinstance(intent, s.SurfaceTheme):
            self.dress(intent.theme)
            return {}
        if isinstance(intent, s.SurfaceFocus) and not intent.surface:
            self._let_go_of_keyboard()
            return {}
        self._look()
        found = next((one for one in self._windows.values() if one.surface == intent.surface), None)
        if found is None:
            return {}  # it has just gone: no fault of the hand's
        self._used = found
        match intent:
            case s.SurfacePointer():
                self._point(viewer, found, intent)
            case s.SurfaceKey():
                self._hand = viewer
                self._input.key(found.window, intent)
            case s.SurfaceFocus():
                self._input.focus(found.window)
            case s.SurfaceResize():
                _give_room(found.window, found.content, *intent.size)
            case s.SurfaceClose():
                # napari's docks are closed for good by the cross; all else is as by the window's own.
                getattr(found.window, "destroyOnClose", found.window.close)()
        return {}

    def let_go(self, viewer: str) -> None:
        """A viewer's connection is gone, and its hand off all buttons."""
        held = self._held
        if viewer == self._hand and held is not None:
            for button in held.buttons:
                self.apply(viewer, replace(held, action="release", button=button, buttons=[]))

    def forget(self, viewer: str) -> None:
        """Tell a viewer nothing more: it is not there."""
        self._watchers.pop(viewer, None)
        with self._lock:
            self._asked.pop(viewer, None)
        self._quiet = False

    def _let_go_of_keyboard(self) -> None:
        """Have no widget have the keyboard: what was typed into a field counts then."""
        if self._host is not None and QApplication.activePopupWidget() is None:
            self._host.activateWindow()

    def _point(self, viewer: str, found: _Window, event: s.SurfacePointer) -> None:
        if self._held is not None and viewer != self._hand:
            return  # one hand at a time
        if event.action != "leave":
            self._hand = viewer
        self._held = event if event.buttons else None
        self._input.pointer(found.window, found.content, event)

    # --- what the viewers are told ------------------------------------------------------

    def tell(self) -> None:
        """Tell the viewers what changed; once per turn."""
        self._answer()
        if not self._watchers or (self._quiet and not self._moved):
            return
        self._quiet = True
        self._look()
        finest = max(watcher.pixel_ratio for watcher in self._watchers.values())
        for window in self._windows.values():
            ratio = min(finest, s.LARGEST_PX / max(window.content.width(), window.content.height()))
            if window.stale or window.picture.pixel_ratio != ratio:
                window.stale = False
                news = window.picture.show(self._grab(window, ratio), ratio)
                for watcher in self._watchers.values():
                    watcher.feed.damaged(window.surface, news)
        surfaces = [self._surface(window) for window in self._windows.values()]
        pictures = {window.surface: window.picture for window in self._windows.values()}
        cursor = self._cursor()
        for viewer, watcher in self._watchers.items():
            own = [replace(one, grabs=one.kind == "popup" and viewer == self._hand) for one in surfaces]
            messages: list[m.ServerMessage] = list(watcher.feed.due(own, pictures))
            if viewer == self._hand and cursor != watcher.cursor:
                watcher.cursor = cursor
                messages.append(s.SurfaceCursor(cursor))
            if messages:
                self._deliver(viewer, messages)

    def _answer(self) -> None:
        """Take in what the viewers said beside their intents."""
        with self._lock:
            asked, self._asked = self._asked, {}
        self._quiet &= not asked
        for viewer, queries in asked.items():
            for query in queries:
                if isinstance(query, s.SurfaceWatch):
                    self._moved |= not self._watchers
                    self._watchers[viewer] = _Watcher(query.pixel_ratio, SurfaceFeed())
                elif viewer in self._watchers:
                    self._watchers[viewer].feed.acked(query)

    def _surface(self, window: _Window) -> s.Surface:
        widget, content = window.window, window.content
        parent = self._parent(widget)
        corner = content.mapToGlobal(QPoint())
        if parent is not None:
            corner -= parent.content.mapToGlobal(QPoint())
        smallest = content.minimumSize()
        if window.kind == "dock":
            smallest = smallest.expandedTo(content.minimumSizeHint())
        about = s.Surface(
            window.surface,
            window.kind,
            _lengths(content.width(), content.height()),
            widget.windowTitle(),
            "" if parent is None else parent.surface,
            (corner.x(), corner.y()) if parent is not None else (0, 0),
            _lengths(smallest.width(), smallest.height()),
            _lengths(content.maximumWidth(), content.maximumHeight()),
            modal=widget.isModal(),
        )
        if not isinstance(widget, QDockWidget) or self._host is None:
            return about
        area = self._host.dockWidgetArea(widget)
        return replace(
            about,
            tabbed=bool(widget.property(TABBED)),
            area=next((name for name, one in _AREAS.items() if one == area), "right"),
            areas=[name for name, one in _AREAS.items() if widget.allowedAreas() & one],
        )

    def _parent(self, widget: QWidget) -> _Window | None:
        above = widget.parentWidget()
        while above is not None:
            found = self._windows.get(above)
            if found is not None:
                return found
            above = above.parentWidget()
        # A menu without a parent is for where the hand is.
        passing = widget.windowType() in (Qt.WindowType.Popup, Qt.WindowType.ToolTip)
        used = self._used
        return used if passing and used is not None and used.window in self._windows else None

    def _grab(self, window: _Window, ratio: float) -> Words:
        """Return what a surface looks like, in so many pixels to one of Qt's."""
        widget, content = window.window, window.content
        image = QImage(
            math.ceil(content.width() * ratio), math.ceil(content.height() * ratio), QImage.Format.Format_RGB32
        )
        image.setDevicePixelRatio(ratio)
        image.fill(widget.palette().window().color())
        place = QRect(content.mapTo(widget, QPoint()), content.size())
        widget.render(image, QPoint(), QRegion(place))
        self._cover_canvases(image, content)
        return _words(image)

    def _cover_canvases(self, image: QImage, content: QWidget) -> None:
        for canvas in self._canvases:
            if not content.isAncestorOf(canvas) or not canvas.isVisibleTo(content):
                continue
            place = QRect(canvas.mapTo(content, QPoint()), canvas.size())
            painter = QPainter(image)
            painter.fillRect(place, QColor("black"))
            painter.setPen(QColor("white"))
            painter.setFont(QFont(content.font()))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, NO_CANVAS)
            painter.end()

    def _cursor(self) -> str:
        over = QGuiApplication.overrideCursor()
        if over is not None:
            return over.shape().name
        under = QApplication.widgetAt(self._input.place)
        return Qt.CursorShape.ArrowCursor.name if under is None else under.cursor().shape().name

    # --- the clipboard ------------------------------------------------------------------

    def _paste(self, text: str) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None and clipboard.text() != text:
            clipboard.blockSignals(True)
            clipboard.setText(text)
            clipboard.blockSignals(False)

    def _tell_copied(self) -> None:
        clipboard = QGuiApplication.clipboard()
        text = "" if clipboard is None else clipboard.text()
        if not text or self._hand not in self._watchers:
            return
        if len(text) > s.LONGEST_TEXT:
            self._complain(f"What was copied on the server is too long for the clipboard here: {len(text)} characters")
            return
        self._deliver(self._hand, [s.SurfaceCopied(text)])


def _give_room(window: QWidget, content: QWidget, width: int, height: int) -> None:
    """Have the content of a window be of this size, or as near to it as it can."""
    around = window.size() - content.size()
    window.resize(max(1, width + around.width()), max(1, height + around.height()))


def _lengths(width: int, height: int) -> tuple[int, int]:
    return min(max(width, 0), s.LARGEST_PX), min(max(height, 0), s.LARGEST_PX)


def _words(image: QImage) -> Words:
    """Return the pixels of a picture of four bytes each."""
    bits: Any = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())  # of one binding: it does not know itself
    words: Words = np.frombuffer(bits, np.uint32).reshape(image.height(), image.bytesPerLine() // 4)
    return words[:, : image.width()].copy()


def _is_alive(widget: QWidget) -> bool:
    """Return whether Qt still has a widget."""
    try:
        widget.isVisible()
    except RuntimeError:
        return False
    return True
