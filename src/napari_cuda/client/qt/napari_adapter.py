"""CanvasAdapter: the one client module that knows napari's and vispy's private canvas names.

Owner: GUI thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import napari
from napari._app_model import get_app_model
from napari._app_model.actions._layerlist_context_actions import LAYERLIST_CONTEXT_ACTIONS
from napari.components import LayerList
from qtpy.QtCore import Qt
from qtpy.QtGui import QOpenGLContext
from qtpy.QtWidgets import QMainWindow, QWidget
from vispy.scene import Node, ViewBox

from napari_cuda.client.control.placement import OwnCanvas, Rect
from napari_cuda.client.qt.video_node import VideoNode, Viewport
from napari_cuda.layered_canvas import LayeredCanvas
from napari_cuda.overlays import drawn_by_window, follows_pointer, split_draw_order
from napari_cuda.protocol.errors import NapariCudaError

log = logging.getLogger(__name__)

# Everything below that napari and vispy do not promise. `viewer.` paths are looked up on a
# live viewer, the others as module:name; tests/contract/test_client_canvas_names.py checks all.
PRIVATE_NAMES = (
    "viewer.window._qt_window",
    "viewer.window._qt_viewer.canvas.on_draw",
    "viewer.window._qt_viewer.canvas.enable_dims_play",
    "viewer.window._qt_viewer.canvas.native.frameSwapped",
    "viewer.window._qt_viewer.canvas.screenshot",
    "viewer.window._qt_viewer.canvas.size",
    "viewer.window._qt_viewer.canvas.camera.on_draw",
    "viewer.window._qt_viewer.canvas.camera._last_viewbox_size",
    "viewer.window._qt_viewer.canvas.grid_cameras",
    "viewer.window._qt_viewer.canvas.grid_views",
    "viewer.window._qt_viewer.canvas._layer_overlay_to_visual",
    "viewer.window._qt_viewer.canvas._viewer_overlay_to_visual",
    "viewer.window._qt_viewer.canvas._scene_canvas._generate_draw_order",
    "viewer.window._qt_viewer.canvas._scene_canvas.scene",
    "viewer.window._qt_viewer.canvas._scene_canvas.context.flush_commands",
    "viewer.window._qt_viewer.canvas._scene_canvas.context.shared.parser.env",
    "viewer.window._qt_viewer.canvas._scene_canvas.events.draw",
    "viewer.window._qt_viewer.canvas._scene_canvas.events.resize",
    "viewer.window._qt_viewer.canvas._scene_canvas.physical_size",
    "viewer.window._qt_viewer.canvas._scene_canvas.set_current",
    "viewer.window._qt_viewer.canvas._scene_canvas._update_pending",
    "viewer.window._qt_viewer.dims.is_playing",
    "viewer.window._qt_viewer._welcome_widget._label",
    "viewer.window._qt_viewer._open_from_list_of_urls_data",
    "viewer.window._qt_viewer._qt_open",
    "viewer.window._qt_viewer._update_camera_depth",
    "viewer.dims._play_ready",
    "viewer._previous_ndisplay",
    "napari._app_model:get_app_model",
    "napari._app_model.actions._layerlist_context_actions:LAYERLIST_CONTEXT_ACTIONS",
    "app_model.registries:CommandsRegistry.register_command",
)


class CanvasAdapter:
    """Shows the video in napari's own canvas and keeps pure video frames cheap.

    Owner: GUI thread. `paint(viewport)` is called in every draw with the canvas's context
    current: viewport is (x, y, width, height) in framebuffer pixels. `on_drawn()` is called
    after a picture with the video has reached the screen (the window's buffers were swapped),
    `on_resized(canvas)` with the canvas as it is now, `on_context_lost()`
    before the canvas's context goes (it is current then), to free what was made in it.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        paint: Callable[[Viewport], object],
        *,
        on_drawn: Callable[[], object] | None = None,
        on_resized: Callable[[OwnCanvas], object] | None = None,
        on_context_lost: Callable[[], object] | None = None,
    ) -> None:
        self._viewer = viewer
        self._canvas = LayeredCanvas.take_over(viewer.window._qt_viewer.canvas)
        self._scene_canvas = self._canvas._scene_canvas
        self._paint = paint
        self._on_drawn = on_drawn
        self._on_resized = on_resized
        self._on_context_lost = on_context_lost
        self._context = _ContextWatch(self._context_lost)
        self._gate = _DrawGate()
        self._complaint = ""
        self._closed = False
        self._dims_play_held = False
        events = self._scene_canvas.events
        events.draw.disconnect(self._canvas.on_draw)
        events.draw.connect(self._before_draw, position="first")
        events.draw.connect(self._after_draw, position="last")
        events.resize.connect(self._resized, position="last")
        fit_depth_after_dims(viewer)
        keep_commands_for_own_context(self._canvas)
        self._canvas.native.frameSwapped.connect(self._swapped)
        self._node = VideoNode(self._paint_video, parent=self._scene_canvas.scene)
        self._whole_order = self._scene_canvas._generate_draw_order
        self._scene_canvas._generate_draw_order = self._draw_order

    @property
    def own_canvas(self) -> OwnCanvas:
        """The canvas, as the server is to draw it."""
        width, height = self._scene_canvas.size
        return OwnCanvas((int(width), int(height)), self._canvas.native.devicePixelRatioF())

    @property
    def canvas_size_px(self) -> tuple[int, int]:
        """The canvas, (width, height) in framebuffer pixels."""
        width, height = self._scene_canvas.physical_size
        return int(width), int(height)

    def grid_cells_px(self) -> list[Rect]:
        """Return where the views of napari's grid are, in framebuffer pixels; none if it is not in use."""
        if not self._viewer.canvas.grid.enabled:
            return []
        ratio = self.own_canvas.pixel_ratio
        return [_rect_of(view, ratio) for view in self._canvas.grid_views]

    @property
    def context_id(self) -> int:
        """Changes whenever the canvas draws into a new OpenGL context; 0 before the first draw."""
        return self._context.count

    @property
    def native(self) -> QWidget:
        """The canvas's widget."""
        widget: QWidget = self._canvas.native
        return widget

    @property
    def napari_draws_skipped(self) -> int:
        """How many draws were pure video frames, in which napari had nothing to do."""
        return self._gate.skipped

    def request_video_draw(self) -> None:
        """Have the canvas drawn again soon because there is a new video frame to show."""
        if not self._closed:
            self._gate.video_pending = True
            # Qt's update and not vispy's: that would mark the whole scene as changed.
            self._canvas.native.update()

    def make_current(self) -> None:
        """Make the canvas's OpenGL context current, to free what was made in it."""
        self._scene_canvas.set_current()

    def can_make_current(self) -> bool:
        """Make the canvas's context current; False if the canvas, and all that was made in it, is gone."""
        try:
            self.make_current()
        except RuntimeError:
            log.debug("the canvas was destroyed before its OpenGL objects, which went with it")
            return False
        return QOpenGLContext.currentContext() is not None

    @property
    def playing(self) -> bool:
        """True while a slider plays."""
        return bool(self._viewer.window._qt_viewer.dims.is_playing)

    def hold_dims_play(self) -> None:
        """From now on a playing slider waits for `allow_dims_play`, not for any canvas draw."""
        if not self._dims_play_held:
            self._dims_play_held = True
            self._scene_canvas.events.draw.disconnect(self._canvas.enable_dims_play)

    def allow_dims_play(self) -> None:
        """Let a playing slider take its next step: a frame with its dims was shown."""
        self._viewer.dims._play_ready = True

    def settle_before_screenshots(self, settle: Callable[[], object], taken: Callable[[], object]) -> None:
        """Have napari call `settle()` before it takes a picture of the canvas, in whatever size, and `taken()` after.

        The canvas may be given another size for one picture. Its layout takes that back in any turn of Qt's events.
        """
        canvas = self._canvas
        take = canvas.screenshot

        def screenshot() -> object:
            size = canvas.size
            settle()
            if canvas.size != size:
                canvas.size = size
            try:
                return take()
            finally:
                taken()

        canvas.screenshot = screenshot

    def close(self) -> None:
        """Give napari its canvas back as it was; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        self._scene_canvas._generate_draw_order = self._whole_order
        self._canvas.__dict__.pop("screenshot", None)
        self._node.parent = None
        events = self._scene_canvas.events
        events.draw.disconnect(self._before_draw)
        events.draw.disconnect(self._after_draw)
        events.resize.disconnect(self._resized)
        events.draw.connect(self._canvas.on_draw, position="last")
        if self._dims_play_held:
            self._dims_play_held = False
            events.draw.connect(self._canvas.enable_dims_play)
            self.allow_dims_play()
        try:
            self._canvas.give_back()
            self._canvas.native.frameSwapped.disconnect(self._swapped)
            self._canvas.native.update()
        except RuntimeError:
            log.debug("the canvas was destroyed before its adapter was closed")

    def _before_draw(self, _event: object) -> None:
        if self._canvas.catch_up():
            self._viewer.window._qt_viewer._update_camera_depth()  # the cameras of a grid may be new ones
        if self._gate.begin(vispy_asked=self._scene_canvas._update_pending) and not self._camera_moves():
            # napari takes over the camera that the mouse moved only after drawing. The video
            # is placed by that camera, so it would be one draw behind the overlays.
            for camera in (self._canvas.camera, *self._canvas.grid_cameras):
                camera.on_draw(None)

    def _after_draw(self, event: object) -> None:
        if self._gate.end() and not self._camera_moves():
            self._canvas.on_draw(event)

    def _camera_moves(self) -> bool:
        """Return whether napari is about to take its camera to another number of dimensions.

        A slider that comes back has Qt paint before. What vispy's camera has then is of neither view: taken over, it
        has napari show the first slice after three dimensions.
        """
        return bool(self._viewer._previous_ndisplay != self._viewer.dims.ndisplay)

    def _draw_order(self, node: Node | None = None) -> list[tuple[Node, bool]]:
        """Return vispy's order of drawing, without what is in the video, or behind it.

        vispy asks for every child again: the root's order is the one that it draws by.
        """
        order: list[tuple[Node, bool]] = self._whole_order(node)
        return order if node is not None else split_draw_order(order, self._nodes_not_drawn(), inside=False)

    def _nodes_not_drawn(self) -> set[Node]:
        shown = [
            *((overlay, visual) for overlay, all_of_it in self._canvas._viewer_overlay_to_visual.items()
              for visual in all_of_it),
            *(pair for of_layer in self._canvas._layer_overlay_to_visual.values() for pair in of_layer.items()),
        ]  # fmt: skip
        in_video = [visual for overlay, visual in shown if not drawn_by_window(overlay, self._viewer)]
        nodes = [node for visual in in_video for node in (visual.node, getattr(visual, "box", None))]
        # napari forgets to take it away, but has the layers in front of it.
        nodes += [visual.box for overlay, visual in shown if follows_pointer(overlay, self._viewer)]
        return {node for node in nodes if node is not None}

    def _paint_video(self, viewport: Viewport) -> None:
        self._context.look()
        try:
            self._paint(viewport)
        except NapariCudaError as error:
            # Raised again in every draw until another picture comes: say it once.
            if str(error) != self._complaint:
                self._complaint = str(error)
                log.error("the video cannot be drawn: %s", error)
        else:
            self._complaint = ""
        finally:
            # vispy does not use the program again that it believes is current: none is.
            self._scene_canvas.context.shared.parser.env.pop("current_program", None)

    def _context_lost(self) -> None:
        if self._on_context_lost is not None and not self._closed and self.can_make_current():
            self._on_context_lost()

    def _swapped(self) -> None:
        # Also emitted when another widget of the window was repainted.
        if self._gate.take_painted() and self._on_drawn is not None and not self._closed:
            self._on_drawn()

    def _resized(self, _event: object) -> None:
        for camera in (self._canvas.camera, *self._canvas.grid_cameras):
            # napari keeps the zoom if the size differs from that of its draw before; not all draws here are napari's.
            camera._last_viewbox_size = (0, 0)
        if self._on_resized is not None:
            self._on_resized(self.own_canvas)


def _rect_of(view: ViewBox, ratio: float) -> Rect:
    left, top = view.transform.translate[:2]
    return left * ratio, top * ratio, view.rect.width * ratio, view.rect.height * ratio


class _DrawGate:
    """Decides whether a draw concerns napari. Owner: GUI thread.

    It does not if a video frame was the only reason for it. Draws nobody asked for here (an
    exposed window, a screenshot) do, as without us.
    """

    def __init__(self) -> None:
        self.video_pending = False
        self.skipped = 0
        self._for_napari = True
        self._painted = False

    def begin(self, *, vispy_asked: bool) -> bool:
        """Start a draw; True if it concerns napari."""
        self._for_napari = vispy_asked or not self.video_pending
        self.video_pending = False
        return self._for_napari

    def end(self) -> bool:
        """End the draw; True if it concerns napari."""
        self._painted = True
        if not self._for_napari:
            self.skipped += 1
        return self._for_napari

    def take_painted(self) -> bool:
        """Return True once after a draw."""
        painted, self._painted = self._painted, False
        return painted


class _ContextWatch:
    """Counts the OpenGL contexts the canvas was drawn in. Owner: GUI thread.

    Qt makes a new one when the canvas moves to another window. The old wrapper is kept, so
    that its address cannot be that of the next.
    """

    def __init__(self, on_lost: Callable[[], object]) -> None:
        self.count = 0
        self._on_lost = on_lost
        self._last: Any = None

    def look(self) -> None:
        """Compare the current context with the last one."""
        current = QOpenGLContext.currentContext()
        if current is not self._last:
            self._last = current
            self.count += 1
            if current is not None:
                current.aboutToBeDestroyed.connect(self._forget)

    def _forget(self) -> None:
        self._last = None
        self._on_lost()


def keep_commands_for_own_context(canvas: Any) -> None:
    """Have vispy's commands wait for the next draw while another OpenGL context than the canvas's is current; for good.

    napari has them carried out between draws too, when Qt's own context may be current. It shares its objects, and
    Mesa then draws the next picture without the vertex shader that was bound, which is a segmentation fault: it frees
    a deleted program's in the context that used it, and unbinds whatever is bound there without noting that.
    """
    context = canvas._scene_canvas.context
    flush, native = context.flush_commands, canvas.native

    def flush_in_own_context(event: object = None) -> None:
        own = native.context()
        if own is None or QOpenGLContext.currentContext() is own:
            flush(event)

    context.flush_commands = flush_in_own_context


def fit_depth_after_dims(viewer: napari.Viewer) -> None:
    """Have a window fit the depth of its 3D camera to the layers once dims are those of the layers.

    napari calls callbacks of its own modules first, and those of a viewer class of ours after them: the depth
    would be looked for in dimensions that went with a layer, which raises. The window's layer list would then
    not hear of the removal, and Qt draw what is not there.
    """
    depth = viewer.window._qt_viewer._update_camera_depth
    for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
        event.disconnect(depth)
        event.connect(lambda: depth(), position="last")


def wrap_menu_actions(around: Callable[[str, Callable[[LayerList], object], LayerList], object]) -> None:
    """Have every entry of napari's layer context menu call `around(id, its function, layer list)`. Once is enough."""
    commands = get_app_model().commands
    for action in LAYERLIST_CONTEXT_ACTIONS:
        known = commands[action.id]
        if not hasattr(known.callback, "wrapped_by_napari_cuda"):
            wrapped = _wrapped(action.id, known.callback, around)
            commands._commands.pop(action.id)
            commands.register_command(action.id, wrapped, known.title)


def _wrapped(
    action: str,
    run: Callable[[LayerList], object],
    around: Callable[[str, Callable[[LayerList], object], LayerList], object],
) -> Callable[[LayerList], None]:
    def act(ll: LayerList) -> None:
        around(action, run, ll)

    act.wrapped_by_napari_cuda = True  # type: ignore[attr-defined]
    return act


def set_welcome_text(viewer: napari.Viewer, text: str) -> None:
    """Have napari's welcome screen say `text` above its shortcuts; nothing if the window is gone."""
    try:
        label = viewer.window._qt_viewer._welcome_widget._label
        label.setTextFormat(Qt.TextFormat.PlainText)  # what a server says is never markup
        label.setText(text)
    except RuntimeError:
        log.debug("the window was destroyed before its welcome screen was changed")


def replace_commands(viewer: napari.Viewer, replacements: Mapping[str, Callable[[], object]]) -> None:
    """Have commands of napari's menus, by id, do something else while this viewer's window is the current one.

    The commands are the process's: in all other windows they do what they did.
    """
    window: Any = viewer.window
    # Kept by the window itself: they hold it, and a table of all windows would keep it for ever.
    window.replaced_commands = {**getattr(window, "replaced_commands", {}), **replacements}
    app = get_app_model()
    for command_id in replacements:
        before = app.commands[command_id]
        if not isinstance(before.callback, _Dispatch):
            command = type(before)(command_id, _Dispatch(command_id, before), before.title, app.injection_store)
            app.commands._commands[command_id] = command


class _Dispatch:
    """A menu's command: the current window's own, or napari's."""

    def __init__(self, command_id: str, before: Any) -> None:
        self._id = command_id
        self._before = before

    def __call__(self) -> object:
        viewer = napari.current_viewer()
        own = getattr(viewer.window, "replaced_commands", {}).get(self._id) if viewer is not None else None
        return own() if own is not None else self._before.run_injected()


def replace_opening(viewer: napari.Viewer, dropped: Callable[..., object], opened: Callable[..., object]) -> None:
    """Have a window call `dropped(urls, stack, choose_plugin)` when something is, or else `opened(names, stack)`."""
    qt_viewer = viewer.window._qt_viewer
    qt_viewer._open_from_list_of_urls_data = dropped
    qt_viewer._qt_open = opened


def main_window(viewer: napari.Viewer) -> QMainWindow:
    """Return the window of a viewer."""
    window: QMainWindow = viewer.window._qt_window
    return window
