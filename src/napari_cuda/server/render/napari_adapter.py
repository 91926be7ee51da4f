"""napari's canvas without a window: the private names of napari that drawing needs.

It does what `napari._qt.qt_viewer.QtViewer` does for a canvas, minus the widgets. Import after
`settings.prepare_headless_process` and `egl.require_egl`.
"""

from __future__ import annotations

import functools
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
from napari._vispy import create_vispy_layer
from napari._vispy.utils.qt_font import QtFontManager
from napari._vispy.visuals.volume import Volume
from napari.components import ViewerModel
from napari.components.overlays import CanvasOverlay, Overlay
from napari.layers import Image, Labels, Layer, Surface
from napari.utils.events import disconnect_events
from napari.utils.key_bindings import KeymapHandler
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication
from vispy.scene import Node, ViewBox

from napari_cuda.conversion import camera_pose
from napari_cuda.layer_lookup import find_layers_quickly
from napari_cuda.layered_canvas import LayeredCanvas
from napari_cuda.overlays import burnt_in, drawn_by_window
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import StartupError
from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server.config import LARGEST_PX
from napari_cuda.server.render.detail import FULL, Detail
from napari_cuda.server.render.egl import EglContext
from napari_cuda.server.render.listeners import Listeners
from napari_cuda.server.render.margin import STEP_PX
from napari_cuda.server.render.napari_model import Tools, UnderCursor
from napari_cuda.server.render.napari_slices import Slices, place_of, plane_of
from napari_cuda.server.render.opaque_images import SparinglyBlendedImage
from napari_cuda.server.render.vispy_backend import CanvasBackend, HeadlessApp, SplitScene
from napari_cuda.server.render.volume_level import HARDWARE, SOFTWARE, Planes, planes_between

PRIVATE_NAMES = (
    "napari._vispy.create_vispy_layer",
    "napari._vispy.utils.qt_font.QtFontManager",
    "napari._vispy.visuals.volume.Volume",
    "napari._vispy.visuals.volume.Volume.interpolation",
    "napari._vispy.visuals.volume.Volume.relative_step_size",
    "canvas._layer_overlay_to_visual",
    "canvas._on_mouse_move",
    "canvas._current_viewbox_size",
    "canvas._last_viewbox_size",
    "canvas._on_vispy_size_change",
    "canvas._scene_canvas",
    "canvas._scene_canvas._draw_order",
    "canvas._scene_canvas._generate_draw_order",
    "canvas._scene_canvas._process_mouse_event",
    "canvas._viewer_overlay_to_visual",
    "canvas.camera._3D_camera.depth_value",
    "canvas.grid_cameras",
    "canvas.layer_to_visual",
    "canvas.native",
    "visual.node",
)
"""Every private name of napari used here: a path from a module, or from a live `canvas`,
`viewer`, `layer` (an Image) or `visual` (its vispy layer). Checked by the contract test.
Those that need no canvas are in `napari_model.py`."""

LONGEST_GRAB_S = 5.0
MOST_DRAWS = 4
"""For a picture that a script asks for: data that takes longer is missing in it, as napari raises then."""

COLLECT_AFTER_S = 2.0
"""After the last draw garbage is looked for, if a layer went: it takes seconds where there are hundreds."""

MANY_LAYERS = 64
"""Each costs a draw a quarter of a millisecond, and twice that with another program."""

# Vispy builds the frustum in float32: beyond this the far plane is lost and volumes turn black.
_MAX_DEPTH = 2.0 / (10.0 * float(np.finfo(np.float32).eps))


@functools.cache
def application() -> QApplication:
    """Return the process's QApplication, on the `offscreen` platform. Owner: render thread.

    Kept for good: Qt aborts at the next font or cursor once it is collected. Raises
    StartupError if the process has an application that is not ours to use.
    """
    app = QApplication.instance() or QApplication(["napari-cuda"])
    if not isinstance(app, QApplication) or QGuiApplication.platformName() != "offscreen":
        raise StartupError("the process already has a Qt application with windows; start the server in its own process")
    return app


class HeadlessCanvas:
    """napari's canvas drawn into memory. Owner: render (main) thread.

    Call `initialise_napari()` before making the viewer. Slices are made on napari's slicer
    thread; when one is there `wake` is called *on that thread*, and the next `pump` shows it.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        size_px: tuple[int, int],
        gl: EglContext,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """Build the canvas of `viewer`, `size_px` (width, height), in the open context `gl`."""
        self._app = application()
        self._viewer = viewer
        self.under_cursor = UnderCursor(viewer)
        self.tools = Tools(viewer)
        self._slices = Slices(viewer, wake, SOFTWARE if gl.software else HARDWARE, self._seen)
        self._detail = self.detail_at_rest = FULL
        self._own_steps: weakref.WeakKeyDictionary[Volume, float] = weakref.WeakKeyDictionary()
        self._closed = False
        self._depth_changed = True
        self._garbage = False
        self._drawn_s = 0.0
        self._keymap = KeymapHandler()
        find_layers_quickly(viewer.layers)
        self._canvas = LayeredCanvas(
            viewer=viewer,
            key_map_handler=self._keymap,
            font_manager=QtFontManager(),
            font_family=QGuiApplication.font().family(),
            app=HeadlessApp(gl),
            autoswap=False,
            size=size_px,
        )
        # It is the whole picture, but while there is a grid, whose views clip: for each pixel nobody has to ask.
        self._canvas.view.scene.clip_children = False
        self._backend: CanvasBackend = self._canvas.native
        self._backend.grab = self.grab
        self._backend.announce_size()
        self._split = SplitScene(self._canvas._scene_canvas, lambda: self._overlay_nodes(drawn_by_window))
        self._leave_pointer_to_tools()
        self._connect()
        for layer in viewer.layers:
            self._add_layer(layer)
            if not layer.loaded:
                # Its slice may have come before we listened, and is then lost: ask again.
                layer.refresh()
        self._on_active_change()
        self.listeners = Listeners(viewer)

    def _connect(self) -> None:
        viewer = self._viewer
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.dims.events.ndisplay):
            event.connect(self._on_depth_change)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        viewer.layers.selection.events.active.connect(self._on_active_change)
        # Connected last, so called first: napari's emitters run the newest callback first.
        viewer.layers.events.inserted.connect(self._on_layer_inserted)

    def _leave_pointer_to_tools(self) -> None:
        """Have napari's tools see every event, and nothing else: the camera follows the clients' only."""
        scene_canvas = self._canvas._scene_canvas
        events = scene_canvas.events
        for emitter in (events.mouse_press, events.mouse_release, events.mouse_wheel, events.touch):
            # vispy moves the camera here, and draws a picture to find out what is under the pointer.
            emitter.disconnect(scene_canvas._process_mouse_event)
        # All of it: napari's own is throttled, a stroke would have holes; the brush is shown by the clients.
        events.mouse_move.disconnect()
        events.mouse_move.connect(self._canvas._on_mouse_move)

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the canvas in logical pixels."""
        height, width = self._canvas.size
        return width, height

    @property
    def full_size_px(self) -> tuple[int, int]:
        """(width, height) of the canvas in pixels of the picture in full detail."""
        return self._backend.full_size_px

    @property
    def physical_size_px(self) -> tuple[int, int]:
        """(width, height) of the picture that `draw_into` fills: the canvas times the detail's scale."""
        return self._backend.physical_size_px

    @property
    def needs_draw(self) -> bool:
        """True if a new picture would differ, or slices wait for `pump`."""
        return self._backend.needs_draw or bool(self._slices)

    @property
    def settled(self) -> bool:
        """True if the last picture is final: nothing to draw, and no visible layer still loading."""
        return not self.needs_draw and all(layer.loaded for layer in self._viewer.layers if layer.visible)

    @property
    def awaiting(self) -> bool:
        """True while a visible layer shows nothing yet, not even coarsely, of what it was last asked for."""
        return any(layer.visible and self._slices.awaited(layer) for layer in self._viewer.layers)

    def has_volume(self) -> bool:
        """True if a volume is ray-cast: three displayed dimensions and a visible image or labels layer."""
        return self._viewer.dims.ndisplay == 3 and any(
            layer.visible and isinstance(layer, (Image, Labels)) for layer in self._viewer.layers
        )

    def has_sharp_color(self) -> bool:
        """True if a visible layer has edges between colours: all but images and surfaces do."""
        return any(layer.visible and not isinstance(layer, (Image, Surface)) for layer in self._viewer.layers)

    def camera_pose(self) -> CameraPose:
        """Return the camera of the next picture, in logical pixels."""
        return camera_pose(self._viewer)

    @property
    def pixel_ratio(self) -> float:
        """How many pixels a picture in full detail has for one of the canvas."""
        return self._backend.pixel_ratio

    def set_pixel_ratio(self, ratio: float) -> None:
        """Have that many pixels for one of the canvas; fewer if the picture would be larger than any may be."""
        self._backend.pixel_ratio = min(ratio, LARGEST_PX / max(self.size_px))

    def pointer(self, event: m.InputPointer) -> None:
        """Have napari's tools see an event at its place on this canvas; whatever a tool raises passes through.

        One for listeners only the user's callbacks see.
        """
        self._catch_up()
        with self.listeners.without_own() if event.listeners else nullcontext():
            self._backend.pointer(event)

    def hears_key(self, key: str) -> bool:
        """Return whether code of the user's listens to a key, of the viewer or the active layer."""
        return self.listeners.hears_key(key)

    def press_key(self, key: str) -> None:
        """Have napari see a key pressed; whatever is bound to it may raise."""
        self._keymap.press_key(key)

    def release_key(self, key: str) -> None:
        """Have napari see a key let go; whatever is bound to it may raise."""
        self._keymap.release_key(key)

    def give_up_slices(self) -> None:
        """Leave what layers wait for: they keep what they show. CommandError if too much that was left goes on."""
        self._slices.give_up()

    def wait_for_active_slice(self, timeout_s: float) -> None:
        """Show slices until the active layer has the one that it was last asked for, or `timeout_s` are over."""
        until_s = time.monotonic() + timeout_s
        active = self._viewer.layers.selection.active
        while active is not None and not active.loaded and (left_s := until_s - time.monotonic()) > 0:
            self._slices.wait(left_s)
            self._slices.show()

    def resize(self, width: int, height: int) -> None:
        """Set the canvas size in logical pixels. Raises ValueError if it is empty."""
        if width < 1 or height < 1:
            raise ValueError(f"canvas of {width} x {height} pixels is empty")
        self._canvas.size = (height, width)

    @contextmanager
    def enlarged(self, margin: int) -> Iterator[None]:
        """Have the body draw a picture with `margin` logical pixels more on each side: the same camera sees more.

        Only for that: models, tools and cursors know the canvas as it is.
        """
        if margin == 0:
            yield
            return
        width, height = self.size_px
        self._set_extent(width + 2 * margin, height + 2 * margin)
        try:
            yield
        finally:
            asked = self._backend.needs_draw
            self._set_extent(width, height)
            self._backend.needs_draw = asked

    def _set_extent(self, width: int, height: int) -> None:
        resized = self._canvas._scene_canvas.events.resize
        with resized.blocker(self._canvas._on_vispy_size_change):
            self._backend.resize(width, height)
        # Else only after the next picture: napari keeps the zoom of the model, vispy what is in view.
        for camera in (self._canvas.camera, *self._canvas.grid_cameras):
            camera.on_draw(None)
        # Nor are overlays to be placed anew, which asks for another picture.
        self._canvas._last_viewbox_size = self._canvas._current_viewbox_size

    def can_show_more(self) -> bool:
        """True if a picture of a larger canvas shows all in its place, and more: in 2D, without a grid.

        What the server itself draws on the canvas would be moved to the edge; and the canvas is to be in the
        middle to the pixel.
        """
        viewer = self._viewer
        return (
            viewer.dims.ndisplay == 2
            and not viewer.canvas.grid.enabled
            and (STEP_PX * self.pixel_ratio).is_integer()
            and not any(
                isinstance(overlay, CanvasOverlay) and visual.node.visible and not drawn_by_window(overlay, viewer)
                for overlay, visual in self._overlay_visuals()
            )
        )

    def prepare_exact(self, longest_s: float) -> bool:
        """Do part of what the first exact picture needs, for about so long; True once nothing of it is left."""
        return self._backend.prepare_exact(longest_s)

    @property
    def drew_exactly(self) -> bool:
        """True if the picture drawn last cannot differ in a pixel from stock napari's of the same detail."""
        return self._backend.drew_exactly

    @property
    def has_many_layers(self) -> bool:
        """True if to draw once more takes long, whatever there is to see: hands would wait for it."""
        return len(self._viewer.layers) > MANY_LAYERS

    def set_detail(self, detail: Detail = FULL, *, exact: bool = True) -> None:
        """Draw in this detail from now on; the layer models are not changed.

        If not `exact` it is quicker, and a pixel in a hundred thousand may be off by one; this alone asks for no
        other picture.
        """
        self._backend.exact = exact
        if detail == self._detail:
            return
        self._detail = detail
        self._backend.set_scale(detail.scale)
        self._backend.request_draw()

    def request_draw(self) -> None:
        """Ask for a new picture."""
        self._backend.request_draw()

    def pump(self) -> bool:
        """Show the slices that arrived, and let Qt run what is due; True if a slice was shown.

        Call once per turn of the loop.
        """
        arrived = self._slices.show()
        self._app.processEvents()
        # Qt deletes widgets only inside exec(), which nobody calls here.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        if self._garbage and time.monotonic() - self._drawn_s > COLLECT_AFTER_S:
            self._collect()
        return arrived

    def _collect(self) -> None:
        """Free what removed layers had: their data and their OpenGL objects, which are in cycles."""
        self._garbage = False
        gc.collect()
        self._canvas._scene_canvas.set_current()
        self._canvas._scene_canvas.context.flush_commands()

    def draw_into(self, rgba: npt.NDArray[np.uint8]) -> None:
        """Draw the scene into `rgba`: (height, width, 4) uint8 of the physical size, contiguous.

        Top row first, alpha 255, without the overlays that windows draw. A change of multiscale
        level comes after the picture, so `needs_draw` may be True again. Raises ValueError if the
        buffer does not fit; whatever a layer's drawing raises passes through.
        """
        self._check_buffer(rgba)
        self._draw(None)
        self._backend.read(rgba)

    @property
    def napari_canvas(self) -> LayeredCanvas:
        """napari's own canvas, for what scripts ask of it."""
        return self._canvas

    def grab(self) -> npt.NDArray[np.uint8]:
        """Return the picture with all overlays, (H, W, 4) uint8, as a window would show it once all is there.

        That is in `detail_at_rest`: for others to set.

        Owner: render thread, outside of a draw. What the loop still has to draw it still has to.
        """
        detail, exact, asked = self._detail, self._backend.exact, False
        self.set_detail(self.detail_at_rest)
        until_s = time.monotonic() + LONGEST_GRAB_S
        width, height = self.physical_size_px
        rgba = np.empty((height, width, 4), np.uint8)
        for _ in range(MOST_DRAWS):  # a draw may choose another level of a pyramid
            while not self._visible_loaded() and (left_s := until_s - time.monotonic()) > 0:
                self._slices.wait(min(left_s, 0.5))
                self._slices.show()
            self._slices.show()
            asked |= self._backend.needs_draw
            self.draw_into(rgba)
            if not self.needs_draw or time.monotonic() > until_s:
                break
        self.draw_overlays_into(rgba)
        self.set_detail(detail, exact=exact)
        self._backend.needs_draw |= asked
        return rgba

    def _visible_loaded(self) -> bool:
        return all(layer.loaded for layer in self._viewer.layers if layer.visible)

    def draw_rows(self, first: int, end: int) -> None:
        """Draw physical rows of the scene, counted from the bottom; `read_into` gives all that were drawn."""
        self._draw((first, end))

    def read_into(self, rgba: npt.NDArray[np.uint8]) -> None:
        """Copy what was drawn into `rgba`, as `draw_into` does."""
        self._check_buffer(rgba)
        self._backend.read(rgba)

    def _draw(self, rows: tuple[int, int] | None) -> None:
        self._catch_up()
        self._apply_detail()
        self._backend.draw(rows)
        self._drawn_s = time.monotonic()

    def _catch_up(self) -> None:
        """Have the canvas show what became of layers, grid and dimensions since the last draw."""
        self._canvas.catch_up()
        if self._depth_changed:
            self._depth_changed = False
            self._update_camera_depth()

    @property
    def has_overlays(self) -> bool:
        """True if there are overlays that `draw_into` leaves to the windows."""
        return any(
            visual.node.visible for overlay, visual in self._overlay_visuals() if burnt_in(overlay, self._viewer)
        )

    def draw_overlays_into(self, rgba: npt.NDArray[np.uint8]) -> None:
        """Draw the picture that `draw_into` drew last, and these overlays over it, into `rgba` as there."""
        self._check_buffer(rgba)
        self._split.draw_over(self._overlay_nodes(burnt_in))
        self._backend.read(rgba)

    def _check_buffer(self, rgba: npt.NDArray[np.uint8]) -> None:
        width, height = self.physical_size_px
        if rgba.shape != (height, width, 4) or rgba.dtype != np.uint8 or not rgba.flags.c_contiguous:
            raise ValueError(f"the buffer {rgba.dtype} {rgba.shape} is not a contiguous uint8 ({height}, {width}, 4)")

    def _overlay_visuals(self) -> Iterator[tuple[Overlay, Any]]:
        """Return the overlays that are on the canvas, each with its visuals."""
        for overlay, visuals in self._canvas._viewer_overlay_to_visual.items():
            yield from ((overlay, visual) for visual in visuals)
        for of_layer in self._canvas._layer_overlay_to_visual.values():
            yield from of_layer.items()

    def _overlay_nodes(self, choose: Callable[[Overlay, ViewerModel], bool]) -> set[Node]:
        chosen = [visual for overlay, visual in self._overlay_visuals() if choose(overlay, self._viewer)]
        return {node for visual in chosen for node in (visual.node, getattr(visual, "box", None)) if node is not None}

    def close(self) -> None:
        """Free the canvas; close the `EglContext` after it. The viewer can slice no more."""
        if self._closed:
            return
        self._closed = True
        viewer = self._viewer
        self._slices.close()
        for events in (viewer.layers.events, viewer.dims.events, viewer.layers.selection.events):
            disconnect_events(events, self)
        self._keymap.keymap_providers = []
        self._canvas.delete()
        self._canvas._scene_canvas.close()
        self._app.processEvents()
        # Visuals are in cycles: they must go while the context is alive, not at exit.
        gc.collect()

    def _seen(self, layer: Layer) -> Planes | None:
        """Return what the camera sees a layer in, in three dimensions; None where units make that unclear."""
        viewer = self._viewer
        if viewer.dims.ndisplay != 3 or viewer.layers.extent.units is None:
            return None
        visual = self._canvas.layer_to_visual.get(layer)
        # In the grid each cell is a view of its own.
        view = None if visual is None or visual.node.parent is None else visual.node.parent.parent
        if not isinstance(view, ViewBox):
            return None
        to_view = view.scene.transform
        width, height = view.rect.size
        corners = [(0, 0), (width, 0), (width, height), (0, height)]
        ends = np.array([[to_view.imap([x, y, depth, 1]) for x, y in corners] for depth in (0, 1)])
        return planes_between((ends[..., :3] / ends[..., 3:])[..., ::-1])

    def _on_layer_inserted(self, event: Any) -> None:
        self._add_layer(event.value)

    def _on_layer_removed(self, event: Any) -> None:
        self._slices.forget(event.value)
        self._garbage = True

    def _on_depth_change(self) -> None:
        self._depth_changed = True
        self._backend.request_draw()

    def _add_layer(self, layer: Layer) -> None:
        self._slices.adopt(layer)
        create = SparinglyBlendedImage if isinstance(layer, Image) else create_vispy_layer
        visual = create(layer, font_info=self._canvas.font_info())
        self._canvas.add_layer_visual_mapping(layer, visual)

    def _on_active_change(self) -> None:
        active = self._viewer.layers.selection.active
        self._keymap.keymap_providers = [self._viewer] if active is None else [active, self._viewer]

    def _update_camera_depth(self) -> None:
        """Fit the 3D cameras' depth to the data, as the desktop does: 128 diameters, bounded."""
        if self._viewer.dims.ndisplay == 2:
            return
        extent = self._viewer.layers.extent
        size = extent.world[1] - extent.world[0] + extent.step
        diameter = float(np.linalg.norm(size[list(self._viewer.dims.displayed)]))
        for camera in (self._canvas.camera, *self._canvas.grid_cameras):
            camera._3D_camera.depth_value = min(128 * diameter, _MAX_DEPTH)

    def _apply_detail(self) -> None:
        """Make the volume nodes follow the detail, also those that napari made since."""
        for layer, visual in self._canvas.layer_to_visual.items():
            node = visual.node
            if not isinstance(node, Volume):
                continue
            step = self._detail.volume_step
            if str(layer.depiction) == "plane":
                step = None  # vispy makes the plane thinner by it: of one voxel nothing is left
                self._place_plane(layer, node)
            if step is not None:
                self._own_steps.setdefault(node, node.relative_step_size)
            elif node in self._own_steps:
                step = self._own_steps.pop(node)
            if step is not None and step != node.relative_step_size:
                node.relative_step_size = step
            if isinstance(layer, Image):
                node.interpolation = "nearest" if self._detail.nearest else str(layer.interpolation3d)

    @staticmethod
    def _place_plane(layer: Layer, node: Volume) -> None:
        """Have the plane where the layer says, in voxels of its finest level: napari takes those of the one shown."""
        if not layer.multiscale:
            return
        plane = plane_of(layer).within(*place_of(layer))
        if not np.isfinite(plane.position).all() or not np.isfinite(plane.normal).all():
            return
        wanted = (*plane.position, *plane.normal, plane.thickness)
        if not np.array_equal(wanted, (*node.plane_position, *node.plane_normal, node.plane_thickness)):
            node.plane_position, node.plane_normal = tuple(plane.position), tuple(plane.normal)
            node.plane_thickness = plane.thickness
