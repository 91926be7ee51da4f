"""ScriptHost: the viewers that a script makes, before the clients of one server."""

from __future__ import annotations

import itertools
import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from napari import Viewer
from napari.utils.notifications import Notification, notification_manager

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.app import Server
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.server.render.napari_model import slice_in_background
from napari_cuda.server.render.napari_window import OffscreenWindow
from napari_cuda.server.render.nested_loops import NestedLoops
from napari_cuda.server.render.qt_wait import QtWait
from napari_cuda.server.render.qt_windows import delete_windows
from napari_cuda.server.render.stage import Stage

log = logging.getLogger(__name__)


class ScriptHost:
    """Owner: main (render) thread; `stop` from any.

    The server shows an empty scene until the script's first viewer, and the newest one, or the one that it brought to
    the front, from then on.
    """

    def __init__(self, server: Server, name: str) -> None:
        """`server` must have been started; `name` is the script's."""
        self._server = server
        server.interrupts.name = name
        self._empty = server.stage
        self._stages: dict[Viewer, Stage] = {}
        """Newest last."""
        self._names: dict[Viewer, str] = {}
        """What the clients call them; oldest first."""
        self._numbers = itertools.count(1)
        server.on_show_viewer(self._show)
        self._windows: dict[Viewer, OffscreenWindow] = {}
        self._theme = ""
        """Of the window that shows widgets; empty until there is one."""
        self._left: list[Stage] = []
        """Of viewers that were closed, perhaps by what their own canvas called: closed when that has returned."""
        self._over = threading.Event()
        self._running = False
        self._raise_after: BaseException | None = None
        self._idle = QtWait()
        self.surfaces = server.surfaces
        server.wait_in(self._idle)
        self.surfaces.dress = self._dress
        self._nested = NestedLoops(server.turn_within, lambda: self._running and self._over.is_set())
        slice_in_background(on=False)

    # --- what the script's windows ask --------------------------------------------------

    def enter(self, viewer: Viewer) -> HeadlessCanvas:
        """A viewer was made: show it, and return its canvas."""
        stage = self._stages[viewer] = self._server.add(viewer)
        self._names[viewer] = str(next(self._numbers))
        viewer.events.title.connect(self._tell_viewers)
        self._server.turn_to(stage)
        self._tell_viewers()
        return stage.canvas

    def furnish(self, viewer: Viewer, window: OffscreenWindow) -> None:
        """A viewer has its window, for dock widgets."""
        self._windows[viewer] = window
        if self._theme:
            window.dress(self._theme)
        self.surfaces.windows.add_host(window)
        self.surfaces.windows.turn_to(window)

    def _dress(self, theme: str) -> None:
        self._theme = theme
        for window in self._windows.values():
            window.dress(theme)

    def to_front(self, viewer: Viewer) -> None:
        """Show a viewer that was made before."""
        stage = self._stages.pop(viewer)
        self._stages[viewer] = stage
        self._server.turn_to(stage)
        self._tell_viewers()
        self.surfaces.windows.turn_to(self._windows.get(viewer))

    def leave(self, viewer: Viewer) -> None:
        """A viewer was closed: show the one before; with the last one the loop ends."""
        self._left.append(self._stages.pop(viewer))
        del self._names[viewer]
        viewer.events.title.disconnect(self._tell_viewers)
        if (window := self._windows.pop(viewer, None)) is not None:
            self.surfaces.windows.remove_host(window)
        before = next(reversed(self._stages), None)
        self._server.turn_to(self._empty if before is None else self._stages[before])
        self.surfaces.windows.turn_to(None if before is None else self._windows.get(before))
        self._tell_viewers()
        if not self._stages:
            self._over.set()
        self._server.post(self._close_left)

    def _show(self, name: str) -> None:
        """A client wants this viewer to be seen: as a click on its window would, it becomes the current one."""
        viewer = next((viewer for viewer, known in self._names.items() if known == name), None)
        if viewer is None:
            raise CommandError("this viewer has been closed")
        viewer.window.activate()

    def _tell_viewers(self, _event: object = None) -> None:
        shown = self._names[next(reversed(self._stages))] if self._stages else ""
        entries = [m.ScriptViewer(name, viewer.title) for viewer, name in self._names.items()]
        self._server.tell_viewers(m.ScriptViewers(entries, shown))

    def run(self, *, force: bool = False, max_loop_level: int = 1) -> None:
        """Serve until all viewers are closed, or the process is to end: napari's event loop."""
        if not self._stages and not force:
            warnings.warn("Refusing to run a QApplication with no topLevelWidgets.", stacklevel=3)
            return
        if self._running:
            warnings.warn(
                "A QApplication is already running with 1 event loop; on a server there is no other.", stacklevel=3
            )
            return
        self._over.clear()
        self._running = True
        try:
            slice_in_background(on=True)
            with notification_manager, self._server.interrupts.telling():
                self._server.run(self._over, self._idle)
        finally:
            slice_in_background(on=False)
            self._running = False
        if self._raise_after is not None:
            raise self._raise_after

    def notify(self, notification: Notification) -> None:
        """Tell all clients what napari, the script or a plugin tells the user."""
        self._server.notify(str(notification.severity), notification.message)

    # --- its end --------------------------------------------------------------------------

    def close(self) -> None:
        """The script has ended: free its viewers."""
        self._left += self._stages.values()
        self._stages.clear()
        self._server.turn_to(self._empty)
        self._close_left()
        delete_windows()

    def _close_left(self) -> None:
        left, self._left = self._left, []
        for stage in left:
            stage.canvas.close()

    @contextmanager
    def ended_by_signals(self) -> Iterator[Callable[[], None]]:
        """Have an interrupt or SIGTERM end the script as Python's own would; gives what does so from any thread."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            if number == signal.SIGINT and interrupts.handle(frame, in_loop=self._running):
                return
            ending: BaseException = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(0)
            if not self._running:
                raise ending
            # Not out of the middle of a turn: the loop ends, and the script's `napari.run()` raises.
            self._raise_after = ending
            self._over.set()
            self._server.wake()

        interrupts = self._server.interrupts
        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        interrupts.possible = True
        try:
            yield lambda: signal.raise_signal(signal.SIGTERM)
        finally:
            interrupts.possible = False
            for number, handler in before.items():
                signal.signal(number, handler)
