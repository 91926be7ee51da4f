"""Surfaces: widgets of scripts and plugins, as the viewers see and use them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.server.render.napari_adapter import application
from napari_cuda.server.render.qt_windows import QtWindows, ShownWindow
from napari_cuda.server.render.surface_feed import SurfaceFeed
from napari_cuda.server.render.surface_grab import grab
from napari_cuda.server.render.surface_input import SurfaceInput, writes_at

MOST_QUERIES = 256
"""Of one viewer, between two turns. One on its way per surface is all that an honest viewer has."""


@dataclass(slots=True)
class _Watcher:
    """A viewer that is told of surfaces."""

    pixel_ratio: float
    feed: SurfaceFeed
    cursor: str = ""
    caret: s.SurfaceCaret = field(default_factory=lambda: s.SurfaceCaret(""))


class Surfaces:
    """Owner: render thread; `note` from any. Nothing is painted for viewers that are not there."""

    def __init__(
        self,
        deliver: Callable[[str, Sequence[m.ServerMessage]], None],
        complain: Callable[[str], None],
    ) -> None:
        """`deliver` tells one viewer something, `complain` all of them one line."""
        self._deliver = deliver
        self._complain = complain
        self.windows = QtWindows(complain)
        self._input = SurfaceInput()
        self._watchers: dict[str, _Watcher] = {}
        self._asked: dict[str, deque[s.SurfaceQuery]] = {}
        self._lock = threading.Lock()
        self._hand = ""
        """The viewer who did something last."""
        self._held: s.SurfacePointer | None = None
        """The last event of the hand, while its buttons are down."""
        self.dress: Callable[[str], None] = lambda theme: None
        """Gives napari's windows a theme."""
        app = application()
        # A caret that blinks would keep an idle session at work.
        app.setCursorFlashTime(0)
        app.installEventFilter(self.windows)
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.dataChanged.connect(self._tell_copied)

    # --- from any thread ----------------------------------------------------------------

    def note(self, viewer: str, query: s.SurfaceQuery) -> None:
        """Take what a viewer says beside its intents; then have the render thread take its turn."""
        with self._lock:
            self._asked.setdefault(viewer, deque(maxlen=MOST_QUERIES)).append(query)

    # --- what the viewers do ------------------------------------------------------------

    def apply(self, viewer: str, intent: s.SurfaceIntent) -> dict[str, str]:
        """Do what a viewer's hand did; whatever a widget's callback raises passes through."""
        windows = self.windows
        windows.changed = True
        if isinstance(intent, s.SurfacePaste):
            self._paste(intent.text)
            return {}
        if isinstance(intent, s.SurfaceTheme):
            self.dress(intent.theme)
            return {}
        if isinstance(intent, s.SurfaceFocus) and not intent.surface:
            self._let_go_of_keyboard()
            return {}
        windows.look()
        found = windows.find(intent.surface)
        if found is None:
            return {}  # it has just gone: no fault of the hand's
        windows.used = found
        match intent:
            case s.SurfacePointer():
                self._point(viewer, found, intent)
            case s.SurfaceKey():
                self._hand = viewer
                left = self._input.key(found.window, intent)
                if left and found.kind == "dock" and viewer in self._watchers:
                    self._deliver(viewer, [s.SurfaceUnused(intent.number)])
            case s.SurfaceCompose():
                self._hand = viewer
                self._input.compose(found.window, intent)
            case s.SurfaceFocus():
                self._hand = viewer
                self._input.focus(found.window)
            case s.SurfaceResize():
                found.give_room(QSize(*intent.size))
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
        self.windows.changed = True  # the others may want it less fine
        self.windows.watched = bool(self._watchers)

    def _point(self, viewer: str, found: ShownWindow, event: s.SurfacePointer) -> None:
        if self._held is not None and viewer != self._hand:
            return  # one hand at a time
        if event.action != "leave":
            self._hand = viewer
        self._held = event if event.buttons else None
        self._input.pointer(found.window, found.corner, event)

    def _let_go_of_keyboard(self) -> None:
        """Have no widget have the keyboard: what was typed into a field counts then."""
        host = self.windows.host
        if host is not None and QApplication.activePopupWidget() is None:
            host.activateWindow()

    # --- what the viewers are told ------------------------------------------------------

    def tell(self) -> None:
        """Tell the viewers what changed; once per turn."""
        self._answer()
        windows = self.windows
        if not self._watchers or not windows.changed:
            return
        windows.changed = False
        windows.look()
        finest = max(watcher.pixel_ratio for watcher in self._watchers.values())
        for shown in windows:
            area = shown.area
            ratio = min(finest, s.LARGEST_PX / max(area.width(), area.height(), 1))
            if shown.stale or shown.picture.pixel_ratio != ratio:
                shown.stale = False
                news = shown.picture.show(grab(shown.window, area, ratio, windows.canvases), ratio)
                for watcher in self._watchers.values():
                    watcher.feed.damaged(shown.surface, news)
        surfaces = [windows.describe(shown) for shown in windows]
        pictures = {shown.surface: shown.picture for shown in windows}
        cursor, caret = self._cursor(), self._caret()
        for viewer, watcher in self._watchers.items():
            own = [replace(one, grabs=one.kind == "popup" and viewer == self._hand) for one in surfaces]
            messages: list[m.ServerMessage] = list(watcher.feed.due(own, pictures))
            if viewer == self._hand and cursor != watcher.cursor:
                watcher.cursor = cursor
                messages.append(s.SurfaceCursor(cursor))
            if viewer == self._hand and caret != watcher.caret:
                watcher.caret = caret
                messages.append(caret)
            if messages:
                self._deliver(viewer, messages)

    def _answer(self) -> None:
        """Take in what the viewers said beside their intents."""
        with self._lock:
            asked, self._asked = self._asked, {}
        self.windows.changed |= bool(asked)
        for viewer, queries in asked.items():
            for query in queries:
                if isinstance(query, s.SurfaceWatch):
                    if not self._watchers:
                        self.windows.watched = True
                        self.windows.look_again()
                        for shown in self.windows:
                            shown.stale = True  # nobody has looked since the last one left
                    self._watchers[viewer] = _Watcher(query.pixel_ratio, SurfaceFeed())
                elif viewer in self._watchers:
                    self._watchers[viewer].feed.acked(query)

    def _cursor(self) -> str:
        over = QGuiApplication.overrideCursor()
        if over is not None:
            return over.shape().name
        under = QApplication.widgetAt(self._input.place)
        return Qt.CursorShape.ArrowCursor.name if under is None else under.cursor().shape().name

    def _caret(self) -> s.SurfaceCaret:
        written = writes_at()
        if written is None:
            return s.SurfaceCaret("")
        widget, caret, hints = written
        shown = next((one for one in self.windows if one.window is widget.window()), None)
        if shown is None:
            return s.SurfaceCaret("")
        corner = widget.mapTo(shown.window, caret.topLeft()) - shown.area.topLeft()
        return s.SurfaceCaret(shown.surface, (corner.x(), corner.y(), caret.width(), caret.height()), hints)

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
