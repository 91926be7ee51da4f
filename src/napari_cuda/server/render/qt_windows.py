"""QtWindows: the windows of Qt's in this process that viewers are shown: which there are, where, and what changed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace
from qtpy.QtCore import QCoreApplication, QEvent, QObject, QPoint, QRect, QSize, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget, QWidgetItem

from napari_cuda.protocol import surface_messages as s
from napari_cuda.server.render.surface_picture import SurfacePicture

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
class ShownWindow:
    """A window of Qt's that is a surface."""

    surface: str
    window: QWidget
    content: QWidget
    """Of a dock the widget in it."""
    kind: s.SurfaceKind
    picture: SurfacePicture = field(default_factory=SurfacePicture)
    stale: bool = True
    """Whether it was painted since it was grabbed."""

    @property
    def area(self) -> QRect:
        """What is shown of the window: of a dock the widget in it."""
        return QRect(self.content.mapTo(self.window, QPoint()), self.content.size())

    @property
    def corner(self) -> QPoint:
        """Where that begins on the screen."""
        return self.window.mapToGlobal(self.area.topLeft())

    def give_room(self, size: QSize) -> None:
        """Have that be of this size, or as near to it as it can."""
        around = self.window.size() - self.area.size()
        self.window.resize((size + around).expandedTo(QSize(1, 1)))


class QtWindows(QObject):
    """Owner: render thread.

    Docks are windows of their own here, whose size is what their viewer has room for.
    """

    def __init__(self, complain: Callable[[str], None]) -> None:
        """`complain` tells all viewers one line."""
        super().__init__()
        self._complain = complain
        self.host: QMainWindow | None = None
        """The main window whose docks are shown."""
        self._hosts: list[QMainWindow] = []
        self._shown: dict[QWidget, ShownWindow] = {}
        self._count = self._docks = 0
        self._moved = True
        """Whether windows came, went, or are elsewhere."""
        self.watched = False
        """Whether anybody wants to know."""
        self.changed = True
        """Whether anything has happened since this was set to False."""
        self.canvases: set[QWidget] = set()
        """Widgets that draw with OpenGL, which there is none for."""
        self.used: ShownWindow | None = None
        """Where the hand was last."""

    def __iter__(self) -> Iterator[ShownWindow]:
        """Go through the windows, those below first."""
        return iter(self._shown.values())

    def find(self, surface: str) -> ShownWindow | None:
        """Return the window that is called so."""
        return next((one for one in self._shown.values() if one.surface == surface), None)

    def add_host(self, host: QMainWindow) -> None:
        """A main window, never shown itself, whose docks are shown once it is turned to."""
        self._hosts.append(host)
        self.look_again()

    def turn_to(self, host: QMainWindow | None) -> None:
        """Show the docks of this main window, and those of no other."""
        self.host = host
        self.look_again()

    def remove_host(self, host: QMainWindow) -> None:
        """A main window goes, with all that is in it."""
        self._hosts.remove(host)
        if self.host is host:
            self.turn_to(None)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """See which windows come, go, move or are painted anew; keeps no event from anybody."""
        if watched is None or event is None or not self.watched:
            return False
        kind = event.type()
        if kind == QEvent.Type.UpdateRequest:
            window = self._shown.get(watched) if isinstance(watched, QWidget) else None
            if window is not None:
                window.stale = self.changed = True
        elif kind in _MOVES_WINDOWS and isinstance(watched, QWidget):
            if kind == QEvent.Type.Show:
                self._note_canvases([watched])
            if watched.isWindow():
                self.look_again()
        return False

    def look_again(self) -> None:
        """Windows may have come or gone."""
        self._moved = self.changed = True

    def look(self) -> None:
        """Know which windows there are; a widget may be deleted without a word."""
        alive = all(_is_alive(one.window) and _is_alive(one.content) for one in self._shown.values())
        if self._moved or not alive:
            self._find()

    def describe(self, shown: ShownWindow) -> s.Surface:
        """Return what viewers are told of a window."""
        widget, content = shown.window, shown.content
        parent = self._parent(widget)
        corner = QPoint()
        if parent is not None:
            corner = shown.corner - parent.corner
        size, smallest, largest = shown.area.size(), content.minimumSize(), content.maximumSize()
        if shown.kind == "dock":
            # What a layout makes of the widget's own wishes: the layout of the dock at the client is to do the same.
            item = QWidgetItem(content)
            smallest, largest = item.minimumSize(), item.maximumSize()
        about = s.Surface(
            shown.surface,
            shown.kind,
            _lengths(size.width(), size.height()),
            widget.windowTitle(),
            "" if parent is None else parent.surface,
            (corner.x(), corner.y()),
            _lengths(smallest.width(), smallest.height()),
            _lengths(largest.width(), largest.height()),
            modal=widget.isModal(),
        )
        if not isinstance(widget, QDockWidget) or self.host is None:
            return about
        area = self.host.dockWidgetArea(widget)
        return replace(
            about,
            tabbed=bool(widget.property(TABBED)),
            area=next((name for name, one in _AREAS.items() if one == area), "right"),
            areas=[name for name, one in _AREAS.items() if widget.allowedAreas() & one],
        )

    def _parent(self, widget: QWidget) -> ShownWindow | None:
        above = widget.parentWidget()
        while above is not None:
            found = self._shown.get(above)
            if found is not None:
                return found
            above = above.parentWidget()
        # A menu without a parent is for where the hand is.
        passing = widget.windowType() in (Qt.WindowType.Popup, Qt.WindowType.ToolTip)
        used = self.used
        return used if passing and used is not None and used.window in self._shown else None

    def _find(self) -> None:
        self._moved = False
        docks = [] if self.host is None else self.host.findChildren(QDockWidget)
        self._undock(docks)
        # Qt has no order of its windows; docks come as the script made them, and below all else.
        others = [widget for widget in QApplication.topLevelWidgets() if widget not in docks]
        found: dict[QWidget, ShownWindow] = {}
        for widget in [*docks, *others]:
            kind = self._kind(widget)
            content = widget.widget() if isinstance(widget, QDockWidget) else widget
            if kind is None or content is None or content.size().isEmpty():
                continue
            known = self._shown.get(widget)
            if known is None or known.content is not content:
                self._count += 1
                known = ShownWindow(f"S{self._count}", widget, content, kind)
                self._note_canvases(content.findChildren(QWidget))
            found[widget] = known
        self._shown = dict(sorted(found.items(), key=lambda item: int(item[1].surface[1:])))
        self.canvases = {canvas for canvas in self.canvases if _is_alive(canvas)}

    def _undock(self, docks: Iterable[QDockWidget]) -> None:
        """Have each dock be a window of its own, whatever the script has just done with it."""
        for dock in docks:
            # Qt shows them in the active window, which only one of these is.
            dock.setAttribute(Qt.WidgetAttribute.WA_AlwaysShowToolTips)
            if dock.isFloating() or dock.isHidden():
                continue
            content = dock.widget()
            dock.setFloating(True)
            # Not on the first, where the main windows are: Qt asks which window is at a place.
            screens = QGuiApplication.screens()[1:] or QGuiApplication.screens()
            self._docks += 1
            dock.move(screens[self._docks % len(screens)].geometry().topLeft() + DOCKS_AT)
            if content is not None:
                ShownWindow("", dock, content, "dock").give_room(content.sizeHint())

    def _kind(self, widget: QWidget) -> s.SurfaceKind | None:
        """Return what a window is to the viewers; None if it is nothing to them."""
        if widget in self._hosts or not widget.isVisible():
            return None
        if widget.testAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen):
            return None
        if isinstance(widget, QDockWidget):
            return "dock" if widget.parentWidget() is self.host else None
        kind = widget.windowType()
        if kind == Qt.WindowType.Popup:
            return "popup"
        return "tooltip" if kind == Qt.WindowType.ToolTip else "dialog"

    def _note_canvases(self, widgets: Iterable[QWidget]) -> None:
        """Look which of these widgets draw with OpenGL, and tell of those that are new."""
        for widget in widgets:
            if widget.inherits("QOpenGLWidget") and widget not in self.canvases:
                self.canvases.add(widget)
                self._complain("A widget of the script or a plugin draws with OpenGL: that is not shown at the client")


def delete_windows() -> None:
    """Delete all windows of this process, with all that is in them.

    At exit PyQt goes through the objects that are left and deletes them one by one; what goes with one of them, a
    window with its widgets, is then gone from under it: one in three processes with a dialog crashed there.
    """
    for window in QApplication.topLevelWidgets():
        window.hide()
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()  # what Python alone still had


def _lengths(width: int, height: int) -> tuple[int, int]:
    return min(max(width, 0), s.LARGEST_PX), min(max(height, 0), s.LARGEST_PX)


def _is_alive(widget: QWidget) -> bool:
    """Return whether Qt still has a widget."""
    try:
        widget.isVisible()
    except RuntimeError:
        return False
    return True
