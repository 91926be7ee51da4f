"""StreamedViewer: the real napari window, its canvas showing the stream."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import napari
import numpy as np
import numpy.typing as npt
from napari.utils.notifications import show_warning
from pydantic import PrivateAttr
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QMainWindow

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.loop import ClientStreamLoop
from napari_cuda.client.loop_state import ClientLoopState
from napari_cuda.client.mirror.remote_layers import REMOTE_CLASSES
from napari_cuda.client.mirror.viewer_mirror import ViewerMirror
from napari_cuda.client.qt.bridge import CallProxy, WakeProxy
from napari_cuda.client.qt.gl_renderer import GLRenderer
from napari_cuda.client.qt.input_sender import InputSender
from napari_cuda.client.qt.napari_adapter import CanvasAdapter, main_window, register_null_visuals
from napari_cuda.client.qt.video_node import Viewport
from napari_cuda.client.remote_session import Connected, RemoteSession
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.packet import PacketHeader

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""Python's default of 5 ms lets a decoder thread hold up the GUI by that much (measured)."""


class StreamedViewer(Connected, napari.Viewer):
    """A napari viewer whose scene is on a server. Owner: GUI thread."""

    _session: RemoteSession = PrivateAttr()

    def exact_screenshot(self, timeout_s: float = 30.0) -> npt.NDArray[np.uint8]:
        """Return the exact picture of the present state, without overlays: (H, W, 4) uint8 RGBA."""
        return self._session.screenshot(timeout_s)

    def close(self) -> None:
        """Leave the server and close the window."""
        self.leave()
        super().close()


class QtHost:
    """The loop's host in a napari window. Owner: GUI thread; `post` and `schedule_wake` from any."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._loop: ClientStreamLoop | None = None
        self._session: RemoteSession | None = None
        self._renderer = GLRenderer()
        self._calls = CallProxy()
        self._wakes = WakeProxy(self._present, clock=time.perf_counter)
        self._adapter = CanvasAdapter(viewer, self._paint, on_drawn=self._drawn, on_resized=self._resized)
        self._adapter.hold_dims_play()
        self._window: QMainWindow = main_window(viewer)
        self._mirror: ViewerMirror | None = None
        self._input = InputSender(
            self._window, send_size=self._send_size, on_closed=self._on_window_closed, on_hidden=self._on_hidden
        )
        self._dims_intent = 0
        self._closed = False

    def attach(self, loop: ClientStreamLoop, mirror: ViewerMirror, session: RemoteSession) -> None:
        """Give the host the loop it shows."""
        self._loop, self._mirror, self._session = loop, mirror, session
        self._resized(self._adapter.canvas_size_px)

    def post(self, call: Callable[[], None]) -> object:
        """Run `call` on the GUI thread."""
        return self._calls.post(call)

    def schedule_wake(self, due_s: float) -> None:
        """Have the loop present at `due_s`."""
        self._wakes.wake_at(due_s)

    def request_draw(self) -> bool:
        """Have the canvas drawn; a window that shows nothing has nothing to draw on."""
        if self._closed or not self._visible():
            return False
        self._adapter.request_video_draw()
        return True

    def presented(self, header: PacketHeader) -> None:
        """A picture is on screen: a playing slider may go on if it shows its step."""
        if header.input_id >= self._dims_intent:
            self._adapter.allow_dims_play()

    def dims_sent(self, intent: int) -> None:
        """The slider moved: play waits for the picture that includes `intent`."""
        self._dims_intent = intent

    def notify(self, text: str) -> None:
        """Show one line in napari's notification area."""
        if not self._closed:
            show_warning(text)

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Run Qt's events until `done()`; False if it did not become so in time."""
        until_s = time.monotonic() + timeout_s
        # Not QApplication.processEvents: each call of PySide6 6.12's loses a reference to None.
        events = QEventLoop()
        tick = QTimer()
        tick.start(10)
        while not done():
            if time.monotonic() >= until_s:
                return False
            events.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        return True

    def close(self) -> None:
        """Give the canvas back to napari; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        self._input.close()
        self._wakes.close()
        self._calls.close()
        self._adapter.release_gl(self._renderer.close)
        self._adapter.close()

    def _present(self) -> None:
        if self._loop is not None:
            self._loop.present()

    def _paint(self, viewport: Viewport) -> None:
        if self._loop is not None:
            self._loop.draw(lambda frame: self._renderer.draw(frame, viewport, self._adapter.context_id))

    def _drawn(self) -> None:
        if self._loop is not None:
            self._loop.drawn()

    def _resized(self, size_px: tuple[int, int]) -> None:
        self._input.resized(size_px)

    def _send_size(self, size_px: tuple[int, int]) -> None:
        if self._mirror is not None:
            self._mirror.set_canvas_size(size_px)

    def _visible(self) -> bool:
        return self._window.isVisible() and not self._window.isMinimized()

    def _on_hidden(self) -> None:
        # What waits to be drawn never will be: acknowledge it, so that scripts go on.
        if self._loop is not None and not self._visible():
            self._loop.drawn()

    def _on_window_closed(self) -> None:
        if self._session is not None and not self._window.isVisible():
            self._session.close()


def connect_window(config: ClientConfig, *, timeout_s: float, client: str, show: bool = True) -> StreamedViewer:
    """Open the window and connect; ConnectError in one line if that fails (the window is gone then)."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    register_null_visuals(REMOTE_CLASSES.values())
    viewer = StreamedViewer(title=f"{urlsplit(config.base).netloc} — napari-cuda", show=show)
    host = QtHost(viewer)
    state = ClientLoopState()

    def send(intents: list[m.Intent]) -> None:
        loop.send(intents)
        for intent in intents:
            if isinstance(intent, m.DimsIntent):
                host.dims_sent(intent.intent)

    mirror = ViewerMirror(viewer, state.control, send=send, notify=host.notify, defer=host.post, own_canvas=True)
    loop = ClientStreamLoop(config, host, mirror, state, client=client)
    session = RemoteSession(loop, mirror, host)
    viewer.attach(session)
    host.attach(loop, mirror, session)
    try:
        session.open(timeout_s)
    except BaseException:
        viewer.close()
        raise
    return viewer
