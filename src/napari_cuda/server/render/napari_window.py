"""napari's window without a window, for scripts: the private names of napari that this needs.

`napari.Viewer` stays napari's own; only the `Window` that it makes for itself, and the event loop, are ours. What a
script puts into the window (dock widgets, menus) lives in a real main window that Qt keeps off screen, what it asks of
the canvas (pictures, figures) the server's canvas does, by napari's own functions.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any, Protocol

import napari
import napari.window
from napari import _event_loop
from napari._app_model import get_app_model
from napari._qt import qt_event_loop
from napari._qt._qapp_model.qactions import add_dummy_actions, init_qactions
from napari._qt.dialogs.qt_activity_dialog import QtActivityDialog
from napari._qt.dialogs.qt_notification import NapariQtNotification
from napari._qt.layer_controls import QtLayerControlsContainer
from napari._qt.qt_event_loop import get_qapp
from napari._qt.qt_main_window import TaskStatusManager, Window, _QtMainWindow
from napari._qt.qt_resources import get_stylesheet
from napari._qt.qt_viewer import QtViewer
from napari._qt.widgets.qt_dims import QtDims
from napari._qt.widgets.qt_viewer_status_bar import ViewerStatusBar
from napari.components import ViewerModel
from napari.settings import get_settings
from napari.utils.notifications import Notification, notification_manager, show_console_notification
from napari.utils.theme import available_themes, get_system_theme
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QSize
from qtpy.QtGui import QImage, QPainter, QShowEvent
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget

from napari_cuda.server.render.napari_adapter import HeadlessCanvas, application
from napari_cuda.server.render.qt_messages import pass_over_platform
from napari_cuda.server.render.qt_windows import TABBED

PRIVATE_NAMES = (
    "napari._app_model.get_app_model",
    "napari._event_loop.run",
    "napari._qt._qapp_model.qactions.add_dummy_actions",
    "napari._qt._qapp_model.qactions.init_qactions",
    "napari._qt.dialogs.qt_activity_dialog.QtActivityDialog",
    "napari._qt.dialogs.qt_notification.NapariQtNotification.show_notification",
    "napari._qt.qt_event_loop.get_qapp",
    "napari._qt.qt_event_loop.run",
    "napari._qt.qt_main_window.TaskStatusManager",
    "napari._qt.qt_main_window.Window._add_menus",
    "napari._qt.qt_main_window.Window._screenshot",
    "napari._qt.qt_main_window._QtMainWindow._instances",
    "napari._qt.qt_main_window._QtMainWindow.current_viewer",
    "napari._qt.qt_resources.get_stylesheet",
    "napari._qt.qt_viewer.QtViewer._screenshot",
    "napari._qt.qt_viewer.QtViewer._unwrap_if_weakref",
    "napari._qt.qt_viewer.QtViewer._weakref_if_possible",
    "napari._qt.qt_viewer.QtViewer.add_to_console_backlog",
    "napari._qt.qt_viewer.QtViewer.clipboard",
    "napari._qt.qt_viewer.QtViewer.console_backlog",
    "napari._qt.layer_controls.QtLayerControlsContainer._add",
    "napari._qt.qt_viewer.QtViewer.dockConsole",
    "napari._qt.qt_viewer.QtViewer.dockLayerControls",
    "napari._qt.qt_viewer.QtViewer.dockLayerList",
    "napari._qt.qt_viewer.QtViewer.export_figure",
    "napari._qt.qt_viewer.QtViewer.export_rois",
    "napari._qt.qt_viewer.QtViewer.layerButtons",
    "napari._qt.qt_viewer.QtViewer.layers",
    "napari._qt.qt_viewer.QtViewer.resize_canvas",
    "napari._qt.qt_viewer.QtViewer.screenshot",
    "napari._qt.qt_viewer.QtViewer.viewerButtons",
    "napari._qt.widgets.qt_dims.QtDims",
    "napari._qt.widgets.qt_viewer_status_bar.ViewerStatusBar",
    "viewer._layer_slicer.wait_until_idle",
    "viewer.layers._ctx",
)
"""Every private name of napari used here, as in `napari_adapter.py`. Checked by the contract test."""


class WindowHost(Protocol):
    """The server, as the windows of viewers see it. Owner: render thread."""

    def enter(self, viewer: Viewer) -> HeadlessCanvas:
        """A viewer was made: show it, and return its canvas."""

    def furnish(self, viewer: Viewer, window: OffscreenWindow) -> None:
        """A viewer has its window, in which there may be dock widgets."""

    def to_front(self, viewer: Viewer) -> None:
        """Show a viewer that was made before."""

    def leave(self, viewer: Viewer) -> None:
        """A viewer was closed."""

    def run(self, *, force: bool = False, max_loop_level: int = 1) -> None:
        """Serve until all viewers are closed: napari's event loop."""

    def notify(self, notification: Notification) -> None:
        """Napari, the script or a plugin tells the user something."""


def stage_windows(host: WindowHost, *, prints: bool) -> None:
    """Have every `napari.Viewer` of this process appear on the server, and napari's event loop be the server's.

    Call once, after `initialise_napari` and before the script. Unless it `prints` what it tells the user, only
    the clients have that: the output of a server is not a user's console.
    """
    application()
    pass_over_platform()
    get_qapp()  # napari sets up here what its threads and magicgui's widgets need of Qt
    notification_manager.notification_ready.disconnect(NapariQtNotification.show_notification)
    notification_manager.notification_ready.connect(host.notify)
    if not prints:
        notification_manager.notification_ready.disconnect(show_console_notification)

    class HostedWindow(ScriptWindow):
        def __init__(self, viewer: Viewer, *, show: bool = True, show_welcome_screen: bool = True) -> None:
            super().__init__(viewer, host)

    def run(*, force: bool = False, max_loop_level: int = 1, **_options: object) -> None:
        host.run(force=force, max_loop_level=max_loop_level)

    def execute(*_arguments: object) -> int:
        host.run(force=True)
        return 0

    napari.window.Window = HostedWindow
    for module in (napari, _event_loop, qt_event_loop):
        module.run = run
    # A script that enters Qt's own loop means the same.
    for name in ("exec", "exec_"):
        setattr(QApplication, name, staticmethod(execute))


def run_contributed(command: str, viewer: ViewerModel, widget: str = "") -> None:
    """Run a command that a plugin contributed, as its entry in a menu does, with `viewer` as the current one.

    If that makes a `widget`, it is seen afterwards: the entry would put away one that is there, for everybody.
    """
    init_qactions()
    if not isinstance(viewer, Viewer):
        with _current(viewer):
            get_app_model().commands.execute_command(command).result()
        return
    window: ScriptWindow = viewer.window  # with this the viewer has one, and is the current viewer
    if not window.shows(widget):
        get_app_model().commands.execute_command(command).result()


@contextmanager
def _current(viewer: ViewerModel) -> Iterator[None]:
    """Within this a viewer without a window is napari's current one, for all that is injected."""
    before = vars(_QtMainWindow)["current_viewer"]
    _QtMainWindow.current_viewer = classmethod(lambda _cls: viewer)
    try:
        yield
    finally:
        _QtMainWindow.current_viewer = before


class ScriptWindow(Window):
    """What a script has as `viewer.window`: napari's own class, around a main window that is never on a screen.

    Owner: render thread.
    """

    def __init__(self, viewer: Viewer, host: WindowHost) -> None:
        self._host = host
        self._viewer = weakref.ref(viewer)
        self._wrapped_dock_widgets: Any = weakref.WeakValueDictionary()
        self._unnamed_dockwidget_count = 1
        self._pref_dialog = None
        self._task_status_manager = TaskStatusManager()
        canvas = host.enter(viewer)
        self._qt_window = OffscreenWindow(CanvasView(viewer, canvas), self)
        host.furnish(viewer, self._qt_window)
        init_qactions()  # once in a process: what napari's actions, and magicgui's functions, are given

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_menu") and "main_menu" not in self.__dict__ and "_qt_window" in self.__dict__:
            add_dummy_actions(self._qt_viewer.viewer.layers._ctx)
            self._add_menus()  # hardly any script asks for them
            return getattr(self, name)
        raise AttributeError(f"a window on a server has no {name!r}")

    def show(self, *, block: bool = False) -> None:
        """Have the clients see this viewer; with `block`, serve until it is closed."""
        self.activate()
        if block:
            self._host.run(force=True)

    def activate(self) -> None:
        """Have the clients see this viewer."""
        viewer = self._viewer()
        if viewer is None or "_qt_window" not in self.__dict__:
            raise RuntimeError("This viewer has already been closed and deleted. Please create a new one.")
        self._qt_window.to_front()
        self._host.to_front(viewer)

    def resize(self, width: int, height: int) -> None:
        """Give the canvas a size, until a client's window gives it that of its own."""
        self._qt_window.resize(width, height)
        self._qt_window.view.canvas.size = (height, width)

    def set_geometry(self, left: int, top: int, width: int, height: int) -> None:
        """As `resize`: there is no screen to be placed on."""
        self.resize(width, height)

    def geometry(self) -> tuple[int, int, int, int]:
        """Return 0, 0 and the size of the canvas."""
        height, width = self._qt_window.view.canvas.size
        return 0, 0, width, height

    def shows(self, title: str) -> bool:
        """Return whether there is a dock of that title, and it is not hidden."""
        dock = self._wrapped_dock_widgets.get(title)
        return dock is not None and not dock.isHidden()

    def add_dock_widget(self, *arguments: Any, **options: Any) -> Any:
        """As napari's: the widget lives here, on the server, and is shown to the clients (`surfaces.py`)."""
        dock = super().add_dock_widget(*arguments, **options)
        dock.setProperty(TABBED, bool(options.get("tabify")))
        self._qt_window.show()
        return dock

    def close(self) -> None:
        """Take the viewer from the clients; harmless when repeated."""
        if "_qt_window" not in self.__dict__:
            return
        window = self._qt_window
        viewer = self._viewer()
        if viewer is not None:
            self._host.leave(viewer)
        window.leave()
        del self._qt_window

    def _screenshot(
        self,
        size: tuple[int, int] | None = None,
        scale: float | None = None,
        flash: bool = True,
        canvas_only: bool = False,
        fit_to_data_extent: bool = False,
    ) -> QImage:
        window = self._qt_window
        with nullcontext() if canvas_only else window.showing_canvas():
            picture: QImage = super()._screenshot(size, scale, False, canvas_only, fit_to_data_extent)
        return picture

    def _update_theme(self, event: object = None, extra_variables: object = None) -> None:
        """A window of the clients has its own theme."""


class OffscreenWindow(QMainWindow):
    """The Qt window of a script's viewer, with its dock widgets. Owner: render thread.

    napari looks for the current viewer in a list of its own main windows: this one is in it.
    """

    def __init__(self, view: CanvasView, window: ScriptWindow) -> None:
        super().__init__()
        self._qt_viewer = view
        self._window = window
        self.view = view
        height, width = view.canvas.size
        self._picture: QImage | None = None
        self._place = _CanvasPlace(QSize(width, height), lambda: self._picture)
        self.setCentralWidget(self._place)
        self._theme = ""
        self._toggle_menubar_visibility = False
        self._activity_dialog = QtActivityDialog(self._place)
        self._activity_dialog.hide()
        status_bar = ViewerStatusBar(self)
        self.setStatusBar(status_bar)
        self.resize(width, height + status_bar.sizeHint().height())
        _QtMainWindow._instances.append(self)

    def to_front(self) -> None:
        """Be the current window: that of `napari.current_viewer()`."""
        instances = _QtMainWindow._instances
        if self in instances:
            instances.append(instances.pop(instances.index(self)))

    def showEvent(self, event: QShowEvent | None) -> None:
        """Have napari's looks by the time there is something to see."""
        if not self._theme:
            self.dress(get_settings().appearance.theme)
        super().showEvent(event)

    def dress(self, theme: str) -> None:
        """Have the looks of one of napari's themes; of one that is not there, those of before."""
        if theme == self._theme or theme not in available_themes():
            return
        self._theme = theme
        known = get_system_theme() if theme == "system" else theme
        size = f"{get_settings().appearance.font_size}pt"
        self.setStyleSheet(get_stylesheet(known, extra_variables={"font_size": size}))

    def leave(self) -> None:
        """Be none of napari's windows any more; the widgets in it go."""
        if self in _QtMainWindow._instances:
            _QtMainWindow._instances.remove(self)
        self.close()
        self.deleteLater()

    def _stop_worker_threads(self) -> None:
        """napari asks its windows for this at exit; there is no thread of a status bar here."""
        self.view.close()

    @contextmanager
    def showing_canvas(self) -> Iterator[None]:
        """Have the picture of the canvas in its place while the whole window is grabbed."""
        self.show()
        self._picture = self.view.canvas.screenshot()
        # Docks that are shown to clients are windows of their own.
        docks = [(dock, dock.geometry()) for dock in self.findChildren(QDockWidget) if dock.isFloating()]
        for dock, _place in docks:
            dock.setFloating(False)
        try:
            yield
        finally:
            self._picture = None
            for dock, place in docks:
                dock.setFloating(True)
                dock.setGeometry(place)


class _CanvasPlace(QWidget):
    """Where the canvas is in the window."""

    def __init__(self, size: QSize, picture: Callable[[], QImage | None]) -> None:
        super().__init__()
        self._size = size
        self._picture = picture

    def sizeHint(self) -> QSize:
        """Return the size of the canvas."""
        return self._size

    def paintEvent(self, event: QEvent | None) -> None:
        """Paint the canvas, if it is asked for."""
        picture = self._picture()
        if picture is not None:
            painter = QPainter(self)
            painter.drawImage(self.rect(), picture)
            painter.end()


class _NoWelcome:
    """There is no welcome screen in a canvas on the server: the clients' windows have their own."""

    def isVisible(self) -> bool:
        return False

    def set_tips(self, tips: object) -> None: ...


class CanvasView:
    """What `QtViewer` is to a window, for a canvas without one: napari's own functions on it. Owner: render thread.

    Their widgets are made when a script asks for them.
    """

    screenshot = QtViewer.screenshot
    _screenshot = QtViewer._screenshot
    resize_canvas = QtViewer.resize_canvas
    export_figure = QtViewer.export_figure
    export_rois = QtViewer.export_rois
    clipboard = QtViewer.clipboard
    add_to_console_backlog = QtViewer.add_to_console_backlog
    console_backlog = QtViewer.console_backlog
    _weakref_if_possible = QtViewer._weakref_if_possible
    _unwrap_if_weakref = QtViewer._unwrap_if_weakref
    layers = QtViewer.layers
    layerButtons = QtViewer.layerButtons
    viewerButtons = QtViewer.viewerButtons
    dockConsole = QtViewer.dockConsole
    dockLayerControls = QtViewer.dockLayerControls
    dockLayerList = QtViewer.dockLayerList
    layer_to_visual = QtViewer.layer_to_visual

    def __init__(self, viewer: Viewer, canvas: HeadlessCanvas) -> None:
        self.viewer = viewer
        self.canvas = canvas.napari_canvas
        self.show_welcome_screen = False
        self._console = None
        self._console_backlog: list[dict[str, Any]] = []
        self._controls: Any = None
        self._layers = self._layersButtons = self._viewerButtons = None
        self._dockConsole = self._dockLayerControls = self._dockLayerList = None
        self._dims: QtDims | None = None
        self._welcome_widget = _NoWelcome()

    @property
    def controls(self) -> Any:
        """napari's layer controls."""
        if self._controls is None:
            self._controls = QtLayerControlsContainer(self.viewer)
            for layer in self.viewer.layers:  # in a window they are there before any layer
                self._controls._add(SimpleNamespace(value=layer))
        return self._controls

    @property
    def dims(self) -> Any:
        """napari's sliders, which play."""
        if self._dims is None:
            self._dims = QtDims(self.viewer.dims)
        return self._dims

    def _ensure_connect(self) -> None:
        """There is no console to connect."""

    def devicePixelRatio(self) -> float:
        """Return how many pixels of the picture one of the canvas is."""
        return 1.0

    def keyPressEvent(self, event: Any) -> None:
        """Leave a key that a dock widget did not want."""
        event.ignore()

    def keyReleaseEvent(self, event: Any) -> None:
        """Leave a key that a dock widget did not want."""
        event.ignore()

    def set_welcome_tips(self, tips: object) -> None:
        """There is no welcome screen."""

    def close(self) -> None:
        """Stop what plays."""
        if self._dims is not None:
            self._dims.stop()
