"""StreamedViewer: the real napari window, its canvas showing the stream."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence

import napari
import numpy as np
import numpy.typing as npt
import pint
from napari.utils.notifications import show_warning
from pydantic import PrivateAttr
from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QMainWindow

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.control.camera import difference
from napari_cuda.client.control.placement import OwnCanvas, Placement, Size, placements
from napari_cuda.client.decode.vt_darwin import IOSurfaceBinder
from napari_cuda.client.hud import HudSampler, hud_lines
from napari_cuda.client.loop import ClientStreamLoop
from napari_cuda.client.loop_state import LoopPhase
from napari_cuda.client.mirror.remote_layers import REMOTE_CLASSES
from napari_cuda.client.mirror.remote_tools import ask_for_layer_actions
from napari_cuda.client.mirror.viewer_mirror import ViewerMirror
from napari_cuda.client.playout.surface import SurfaceKind
from napari_cuda.client.qt.bridge import CallProxy, WakeProxy
from napari_cuda.client.qt.data_actions import DataActions
from napari_cuda.client.qt.event_loop_monitor import EventLoopMonitor
from napari_cuda.client.qt.exact_mark import ExactMark
from napari_cuda.client.qt.facade import PresenterFacade
from napari_cuda.client.qt.furniture import WindowFurniture
from napari_cuda.client.qt.gl_renderer import GLRenderer, letterboxed
from napari_cuda.client.qt.input_sender import InputSender
from napari_cuda.client.qt.layer_actions import ask_for_layers_menu, ask_for_menu_actions
from napari_cuda.client.qt.many_layers import prepare_for_many_layers
from napari_cuda.client.qt.napari_adapter import main_window
from napari_cuda.client.qt.null_visuals import register_null_visuals
from napari_cuda.client.qt.surface_windows import SurfaceWindows
from napari_cuda.client.remote_session import Connected, RemoteSession
from napari_cuda.edge_on import survive_edge_on
from napari_cuda.grid_cells import find_cells_at_once
from napari_cuda.lean_events import make_events_lean
from napari_cuda.lean_transforms import make_transforms_lean
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import ConnectError
from napari_cuda.protocol.packet import PacketHeader

log = logging.getLogger(__name__)

SCREENSHOT_WAITS_S = 20.0
"""A figure of another size is drawn, and sent in full, meanwhile."""


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

    def __init__(self, viewer: napari.Viewer, renderer: GLRenderer | None = None) -> None:
        self._loop: ClientStreamLoop | None = None
        self._session: RemoteSession | None = None
        self._hud: HudSampler | None = None
        self._monitor: EventLoopMonitor | None = None
        self._renderer = renderer or GLRenderer()
        self._calls = CallProxy()
        self._wakes = WakeProxy(self._wake, clock=time.perf_counter)
        self._mirror: ViewerMirror | None = None
        self.facade = PresenterFacade(
            viewer, self._renderer, hud_text=self._hud_text, on_resized=self._resized, interrupt=self._interrupt
        )
        self._window: QMainWindow = main_window(viewer)
        self._input = InputSender(
            self._window,
            self.facade.adapter.native,
            send_size=self._send_size,
            send_pointer=self._send_pointer,
            tool_is_remote=lambda: self._mirror is not None and self._mirror.tool_is_remote,
            listened_to=lambda: frozenset() if self._mirror is None else self._mirror.input.pointer,
            on_closed=self._on_window_closed,
            on_hidden=self.facade.window_hidden,
        )
        self.facade.adapter.settle_before_screenshots(self._settle_for_screenshot, self._input.let_go_of_size)
        self._exact_mark = ExactMark(self._window)
        self.furniture: WindowFurniture | None = None
        self.data_actions: DataActions | None = None
        self.surfaces: SurfaceWindows | None = None
        self._closed = False

    def attach(self, loop: ClientStreamLoop, mirror: ViewerMirror, session: RemoteSession) -> None:
        """Give the host the loop it shows."""
        self._loop, self._mirror, self._session = loop, mirror, session
        self._hud = HudSampler(loop.metrics)
        self._monitor = EventLoopMonitor(loop.metrics, waiting_since_s=self._waiting_since_s, kick=self._kick)
        self._renderer.on_upload = lambda seconds: loop.metrics.observe("upload", seconds)
        loop.metrics.watch("gui_calls", lambda: len(self._calls))
        self.facade.attach(loop, self._place)
        self.facade.set_intent_dispatcher(self._send)
        self._resized(self.facade.adapter.own_canvas)

    def post(self, call: Callable[[], None]) -> object:
        """Run `call` on the GUI thread."""
        return self._calls.post(call)

    def schedule_wake(self, due_s: float) -> None:
        """Have the loop present at `due_s`."""
        self._wakes.wake_at(due_s)

    def call_at(self, due_s: float, call: Callable[[], None]) -> None:
        """Run `call` at `due_s`, unless the window is closed by then."""
        # By the proxy: what is raised in a timer's slot would abort the process.
        # Precise: a coarse timer of seconds may come early.
        wait_ms = math.ceil(1e3 * max(0.0, due_s - time.perf_counter()))
        QTimer.singleShot(wait_ms, Qt.TimerType.PreciseTimer, lambda: self._calls.post(call))

    def request_draw(self) -> bool:
        """Have the canvas drawn; a window that shows nothing has nothing to draw on."""
        return self.facade.request_draw()

    def presented(self, header: PacketHeader) -> None:
        """A picture is on screen."""
        self.facade.presented(header)
        self._show_exact()

    def viewer_renewed(self) -> None:
        """The server made another viewer for this one."""
        self.facade.viewer_renewed()

    def show_state(self, text: str | None) -> None:
        """Show one line about the connection over the picture; None takes it away."""
        state = self._loop.state if self._loop is not None else None
        busy = state is not None and bool(state.busy) and state.busy == text
        self.facade.show_state(text, interrupts=busy and state is not None and state.role == "control")

    def notify(self, text: str) -> None:
        """Show one line in napari's notification area."""
        if not self._closed:
            show_warning(text)

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Run Qt's events until `done()`, those that wait in any case; False if it did not become so in time."""
        until_s = time.monotonic() + timeout_s
        # Not QApplication.processEvents: each call of PySide6 6.12's loses a reference to None.
        events = QEventLoop()
        events.processEvents(QEventLoop.ProcessEventsFlag.AllEvents)
        tick = QTimer()
        tick.start(10)
        try:
            while not done():
                if time.monotonic() >= until_s:
                    return False
                events.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        finally:
            tick.stop()  # whoever keeps this frame, a traceback say, would keep the window busy
        return True

    def close(self) -> None:
        """Give the canvas back to napari; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        if self.data_actions is not None:
            self.data_actions.close()
        if self.surfaces is not None:
            self.surfaces.close()
        if self._monitor is not None:
            self._monitor.close()
        self._input.close()
        self._wakes.close()
        self._calls.close()
        self.facade.close()

    def _settle_for_screenshot(self) -> None:
        """Wait for the exact picture in the canvas's present size: napari takes its screenshots and figures next."""
        session, adapter = self._session, self.facade.adapter
        self._input.hold_size(adapter.own_canvas)
        if session is None or session.loop.state.phase is not LoopPhase.STREAMING or adapter.playing:
            return  # what is shown, then
        try:
            session.screenshot(SCREENSHOT_WAITS_S)
        except ConnectError as error:
            self.notify(f"The screenshot shows what was here: {error}")

    def _interrupt(self) -> None:
        if self._session is not None:
            self._session.interrupt()

    def _wake(self) -> None:
        if self._loop is not None:
            self._loop.metrics.count("wakes")
            self._loop.present()

    def _waiting_since_s(self) -> float | None:
        # Announced and not drawn, or due and not even taken.
        if self.facade.waiting_since_s is not None or self._loop is None:
            return self.facade.waiting_since_s
        return self._loop.presenter.next_due_s()

    def _kick(self) -> None:
        if self._loop is not None:
            self._loop.present()
            if not self.facade.request_draw():
                self.facade.window_hidden()

    def _hud_text(self) -> str:
        if self._hud is None or self._loop is None or self._mirror is None:
            return ""
        state = self._loop.state
        snapshot = self._hud.look(
            time.perf_counter(),
            revision=state.shown.revision,
            exact=state.shown.exact,
            camera=state.camera.difference(self._mirror.camera_view()),
            decoder=self._loop.pipeline.name,
            quality=state.quality,
        )
        return "\n".join(hud_lines(snapshot))

    def _place(self, header: PacketHeader, viewport: Size) -> Sequence[Placement]:
        """Return where a picture goes, that may be of another place of the camera."""
        if self._mirror is None:
            return letterboxed(header, viewport)
        moved = difference(header.camera, self._mirror.camera_view())
        own = self._mirror.canvas_is_own
        cells = self.facade.adapter.grid_cells_px() if own else ()
        return placements(header.canvas_size, viewport, moved, fitted=not own, cells=cells)

    def _send(self, intents: list[m.Intent]) -> None:
        if self._loop is not None:
            steps = all(isinstance(intent, m.DimsIntent) for intent in intents)
            self._loop.send(intents, playing=steps and self.facade.adapter.playing)
            self._show_exact()

    def _show_exact(self) -> None:
        if self._loop is not None:
            self._exact_mark.show(self._loop.state.shown.exact)

    def _resized(self, canvas: OwnCanvas) -> None:
        self._input.resized(canvas)

    def _send_size(self, canvas: OwnCanvas) -> None:
        if self._mirror is not None:
            self._mirror.set_canvas(canvas)

    def _send_pointer(self, event: m.InputPointer) -> None:
        if self._mirror is not None:
            self._mirror.point(event)

    def _on_window_closed(self) -> None:
        if self._session is not None and not self._window.isVisible():
            self._session.close()


def connect_window(config: ClientConfig, *, timeout_s: float, client: str, show: bool = True) -> StreamedViewer:
    """Open the window and connect; ConnectError in one line if that fails (the window is gone then)."""
    survive_edge_on()
    make_transforms_lean()
    make_events_lean()
    find_cells_at_once()
    register_null_visuals(REMOTE_CLASSES.values())
    ask_for_layer_actions()
    ask_for_menu_actions()
    # Reads the definitions of all units, which takes 0.2 s: else the window stood still for it at its first layer.
    pint.application_registry.pixel  # noqa: B018
    viewer = StreamedViewer(show=show)
    prepare_for_many_layers(viewer)
    binders = {SurfaceKind.IOSURFACE: IOSurfaceBinder()}
    host = QtHost(viewer, GLRenderer(binders, gl_safe=config.gl_safe))
    session = RemoteSession(config, viewer, host, client=client, own_canvas=True, dispatch=host.facade.dispatch)
    viewer.attach(session)
    host.attach(session.loop, session.mirror, session)
    host.surfaces = surfaces = SurfaceWindows(viewer, session)
    ask_for_layers_menu(viewer)
    host.data_actions = DataActions(
        viewer, session.data, host.notify, in_session=lambda: session.loop.state.phase is not LoopPhase.STOPPED
    )
    host.furniture = WindowFurniture(
        viewer,
        session,
        figures=host.facade.hud_action,
        show_roots=host.data_actions.show_roots,
        surface_dock=surfaces.dock,
    )
    try:
        session.open(timeout_s)
    except BaseException:  # an interrupt too: neither window nor thread may stay
        viewer.close()
        raise
    return viewer
