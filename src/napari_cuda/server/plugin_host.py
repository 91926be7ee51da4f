"""PluginHost: what the plugins of a server without a script find of a window, and what its viewers see of that."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from napari import Viewer
from napari.utils.notifications import Notification, notification_manager

from napari_cuda.server.app import Server
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.server.render.napari_window import OffscreenWindow
from napari_cuda.server.render.nested_loops import NestedLoops
from napari_cuda.server.render.qt_wait import QtWait
from napari_cuda.server.render.qt_windows import delete_windows


class PluginHost:
    """Owner: render thread.

    Widgets, dialogs and notifications of plugins, for the one viewer that there is. The loop waits in Qt's from the
    first window or dialog on, and not before: what is served without any of that is not to pay for it.
    """

    def __init__(self, server: Server, over: threading.Event) -> None:
        """`server` must have been started; `over` says that it is to end."""
        self._server = server
        self._window: OffscreenWindow | None = None
        self._theme = ""
        self._idle = QtWait()
        server.surfaces.dress = self._dress
        self._nested = NestedLoops(self._turn_within, over.is_set)

    def enter(self, viewer: Viewer) -> HeadlessCanvas:
        """The viewer gets its window: return its canvas."""
        if viewer is not self._server.viewer:
            raise RuntimeError("this server shows one viewer; those that a script makes are shown by `napari-cuda run`")
        return self._server.stage.canvas

    def furnish(self, viewer: Viewer, window: OffscreenWindow) -> None:
        """The viewer has its window, for dock widgets."""
        self._window = window
        self._dress(self._theme)
        self._server.wait_in(self._idle)
        windows = self._server.surfaces.windows
        windows.add_host(window)
        windows.turn_to(window)

    def to_front(self, viewer: Viewer) -> None:
        """It always is."""

    def leave(self, viewer: Viewer) -> None:
        """It never does."""

    def run(self, *, force: bool = False, max_loop_level: int = 1) -> None:
        """It runs already: a plugin that calls `napari.run()` goes on, as it would in napari."""

    def close(self) -> None:
        """The server has ended: its widgets go."""
        delete_windows()

    def notify(self, notification: Notification) -> None:
        """Tell all clients what napari or a plugin tells the user."""
        self._server.notify(str(notification.severity), notification.message)

    @contextmanager
    def telling_errors(self) -> Iterator[None]:
        """Within this, what a plugin raises where Qt called it is told, as napari does; PyQt would end the process."""
        before = sys.excepthook

        def on_raised(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            before(kind, error, trace)  # the log has the traceback
            if not isinstance(error, KeyboardInterrupt):
                notification_manager.receive_error(kind, error, trace)

        sys.excepthook = on_raised
        try:
            yield
        finally:
            sys.excepthook = before

    def _dress(self, theme: str) -> None:
        self._theme = theme
        if self._window is not None and theme:
            self._window.dress(theme)

    def _turn_within(self) -> float:
        self._server.wait_in(self._idle)
        return self._server.turn_within()
