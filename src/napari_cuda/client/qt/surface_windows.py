"""SurfaceWindows: docks, dialogs and pop-ups here for those on the server."""

from __future__ import annotations

from typing import Literal

import napari
from qtpy.QtCore import QObject, QPoint, Qt
from qtpy.QtGui import QCloseEvent, QGuiApplication, QKeyEvent
from qtpy.QtWidgets import QDialog, QDockWidget, QVBoxLayout, QWidget

from napari_cuda.client.qt.napari_adapter import main_window
from napari_cuda.client.qt.surface_keys import SurfaceKeys
from napari_cuda.client.qt.surface_view import UNNUMBERED, SurfaceView
from napari_cuda.client.remote_session import RemoteSession
from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s


class SurfaceWindows(QObject):
    """Owner: GUI thread.

    Docks and dialogs are placed by the window here, and their widgets get the room that they have; pop-ups and tool
    tips are where the server has them beside the widget that they belong to.
    """

    def __init__(self, viewer: napari.Viewer, session: RemoteSession) -> None:
        super().__init__()
        self._viewer = viewer
        self._session = session
        self._window = main_window(viewer)
        self._views: dict[str, SurfaceView] = {}
        self._frames: dict[str, QDockWidget | SurfaceDialog] = {}
        self._ratio = 1.0
        """Pixels to one of Qt's in the pictures that were asked for."""
        self._keys = SurfaceKeys(self._window, self.send, self._frames.get)
        self._cursor = Qt.CursorShape.ArrowCursor
        self._theme_due = True
        self._of = ""
        """The session whose surfaces these are."""
        link = session.loop.link
        link.on_welcome = self._begin
        link.on_surfaces = self._take
        viewer.events.theme.connect(self._send_theme)

    def dock(self, title: str) -> QDockWidget | None:
        """Return the dock of the server that is called so, if there is one."""
        for surface, view in self._views.items():
            frame = self._frames.get(surface)
            if view.about.title == title and isinstance(frame, QDockWidget):
                return frame
        return None

    # --- from the server ----------------------------------------------------------------

    def _begin(self, welcome: m.Welcome) -> None:
        """A connection begins: ask for surfaces. Those of another session only have the same names."""
        if welcome.session != self._of:
            self._of = welcome.session
            self._arrange([])
        self._theme_due = True
        self._watch()

    def _watch(self) -> None:
        self._ratio = self._finest()
        self._session.loop.link.ask(s.SurfaceWatch(self._ratio))

    def _finest(self) -> float:
        """Return how many pixels of its screen one of Qt's is for the window, or for a dock on another screen."""
        ratios = [view.devicePixelRatioF() for view in self._views.values()]
        return min(max(self._window.devicePixelRatioF(), *ratios, 0.5), 4.0)

    def _take(self, news: s.SurfaceNews) -> None:
        match news:
            case s.SurfaceList(revision, surfaces):
                if self._theme_due and surfaces:
                    self._send_theme()
                self._arrange(surfaces)
                self._ack("", revision)
            case s.SurfaceUpdate(surface, revision):
                view = self._views.get(surface)
                try:
                    if view is not None:
                        view.show_update(news)
                finally:
                    self._ack(surface, revision)
            case s.SurfaceCursor(shape):
                self._cursor = getattr(Qt.CursorShape, shape, Qt.CursorShape.ArrowCursor)
                for view in self._views.values():
                    view.setCursor(self._cursor)
            case s.SurfaceCaret(surface):
                for name, view in self._views.items():
                    view.write_at(news if name == surface else None)
            case s.SurfaceUnused(number):
                self._keys.unused(number)
            case s.SurfaceCopied(text):
                clipboard = QGuiApplication.clipboard()
                if clipboard is not None and clipboard.text() != text:
                    clipboard.setText(text)

    def _ack(self, surface: str, revision: int) -> None:
        self._session.loop.link.ask(s.SurfaceAck(surface, revision))

    def _arrange(self, surfaces: list[s.Surface]) -> None:
        """Have a window for each of these surfaces, and none for others."""
        there = {about.surface for about in surfaces}
        for surface in [surface for surface in self._views if surface not in there]:
            self._remove(surface)
        for about in surfaces:
            view = self._views.get(about.surface)
            if view is None:
                self._open(about)
            elif view.about != about:
                self._change(view, about)
        if surfaces:
            self.density_changed()  # there may have been none to notice that the window went to another screen

    def _open(self, about: s.Surface) -> None:
        view = SurfaceView(about, self)
        view.fits = self._session.loop.state.role == "view"
        view.setCursor(self._cursor)
        self._views[about.surface] = view
        if about.kind == "dock":
            dock = self._viewer.window.add_dock_widget(
                view,
                name=about.title or about.surface,
                area=about.area,
                allowed_areas=about.areas or None,
                add_vertical_stretch=False,
                tabify=about.tabbed,
            )
            self._frames[about.surface] = dock
        elif about.kind == "dialog":
            self._frames[about.surface] = SurfaceDialog(view, self._window, self)
        else:
            # What another viewer opened is to be seen, and not to take the mouse and the keyboard.
            kind = Qt.WindowType.Popup if about.grabs else Qt.WindowType.ToolTip
            view.setParent(self._window, kind | Qt.WindowType.FramelessWindowHint)
            view.setAttribute(Qt.WidgetAttribute.WA_NoMouseReplay)
            view.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
            self._place(view)
            view.show()

    def _change(self, view: SurfaceView, about: s.Surface) -> None:
        before = view.about
        view.describe(about)
        frame = self._frames.get(about.surface)
        if frame is None:
            self._place(view)
        elif isinstance(frame, SurfaceDialog):
            frame.follow(before)
        elif about.title != before.title:
            frame.setWindowTitle(about.title)

    def _place(self, view: SurfaceView) -> None:
        """Put a pop-up where it belongs, as far as it is on a screen there."""
        about = view.about
        parent = self._views.get(about.parent) or self._window
        corner = parent.mapToGlobal(QPoint(*about.position))
        screen = QGuiApplication.screenAt(corner) or self._window.screen()
        if screen is not None:
            room = screen.availableGeometry()
            corner.setX(max(room.left(), min(corner.x(), room.right() + 1 - about.size[0])))
            corner.setY(max(room.top(), min(corner.y(), room.bottom() + 1 - about.size[1])))
        view.setGeometry(corner.x(), corner.y(), *about.size)

    def _remove(self, surface: str) -> None:
        view = self._views.pop(surface)
        view.gone = True
        frame = self._frames.pop(surface, None)
        if isinstance(frame, SurfaceDialog):
            frame.gone()
        elif frame is not None and view.parent() is not None:  # or the user has thrown it out already
            self._viewer.window.remove_dock_widget(frame)
        view.hide()
        view.deleteLater()

    def close(self) -> None:
        """The session is left; a window that stays has none of its widgets any more."""
        self._viewer.events.theme.disconnect(self._send_theme)
        if self._window.isVisible():
            self._arrange([])
        for view in self._views.values():
            view.gone = True

    # --- from the user ------------------------------------------------------------------

    def send(self, intent: s.SurfaceIntent) -> None:
        """Send what the user did; who may only look is told so when something is pressed, and no sooner."""
        presses = isinstance(intent, (s.SurfacePointer, s.SurfaceKey)) and intent.action == "press"
        if self._session.loop.state.role == "control" or presses:
            self._session.mirror.point(intent)

    def key(self, about: s.Surface, action: Literal["press", "release"], event: QKeyEvent) -> None:
        """Send a key for a surface; napari has it here if no widget wants it."""
        self._keys.send(about, action, event)

    def paste(self) -> None:
        """Tell the server what the clipboard has, should a widget want it next."""
        clipboard = QGuiApplication.clipboard()
        text = "" if clipboard is None else clipboard.text()
        if text and len(text) <= s.LONGEST_TEXT:
            self.send(s.SurfacePaste(UNNUMBERED, text))

    def view_at(self, place: QPoint) -> SurfaceView | None:
        """Return the view at a place of the screen, the uppermost pop-up first."""
        for view in reversed(self._views.values()):
            if view.isVisible() and view.rect().contains(view.mapFromGlobal(place)):
                return view
        return None

    def density_changed(self) -> None:
        """A screen may have other pixels now: then begin anew, in these."""
        if self._finest() != self._ratio:
            self._watch()

    def _send_theme(self, _event: object = None) -> None:
        self._theme_due = False
        self.send(s.SurfaceTheme(UNNUMBERED, self._viewer.theme))


class SurfaceDialog(QDialog):
    """A window of its own for a surface. Owner: GUI thread."""

    def __init__(self, view: SurfaceView, window: QWidget, windows: SurfaceWindows) -> None:
        super().__init__(window)
        self._view = view
        self._windows = windows
        self._gone = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(view)
        self.follow(None)
        self.show()
        self.activateWindow()
        view.setFocus(Qt.FocusReason.OtherFocusReason)

    def follow(self, before: s.Surface | None) -> None:
        """Be as large, and called as the widget's window is."""
        about = self._view.about
        self.setWindowTitle(about.title)
        self.setMaximumSize(*about.largest)
        if before is None or before.size != about.size:
            self.resize(*about.size)

    def gone(self) -> None:
        """The server has no such window any more."""
        self._gone = True
        self._view.setParent(None)
        self.close()
        self.deleteLater()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Have the server close its window: that may ask, or stay."""
        if event is not None and not self._gone:
            self._windows.send(s.SurfaceClose(UNNUMBERED, self._view.about.surface))
            event.ignore()

    def reject(self) -> None:
        """Escape is a key like others: the widget has it."""
