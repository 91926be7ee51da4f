"""ViewerMirror: a napari viewer model that shows, and steers, the scene on the server."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_cuda import conversion
from napari_cuda.client.control.cadence import INTERVAL_S, Cadence
from napari_cuda.client.control.control_state import LAYER_PREFIX, Restore, layer_object
from napari_cuda.client.loop_state import ClientLoopState
from napari_cuda.client.mirror import remote_layers
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.packet import CameraPose
from napari_cuda.protocol.properties import scope_properties
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.session import AckTimedOut, SessionEvent
from napari_cuda.protocol.wire_types import Wire

log = logging.getLogger(__name__)

SMALLEST_CANVAS_PX = 16
"""What the property table allows; a canvas that a splitter has closed is not drawn smaller."""


class MirrorHost(Protocol):
    """What the mirror needs of the loop's host."""

    def notify(self, text: str) -> None:
        """Tell the user one line."""

    def post(self, call: Callable[[], None]) -> object:
        """Run `call` after what runs now."""

    def call_at(self, due_s: float, call: Callable[[], None]) -> None:
        """Run `call` at `due_s` (perf_counter)."""


class ViewerMirror:
    """Owner: GUI thread.

    `send` takes what the user's changes became. With `own_canvas` the canvas size is the window's
    and only travels to the server; and as a hand can move faster than anybody draws, changes are
    sent together, at most every `INTERVAL_S`. A script's are sent at once.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        state: ClientLoopState,
        host: MirrorHost,
        *,
        send: Callable[[list[m.Intent]], object],
        own_canvas: bool,
    ) -> None:
        self._viewer = viewer
        self._control = state.control
        self._host = host
        self._send = send
        self._own_canvas = own_canvas
        self._cadence = Cadence(INTERVAL_S if own_canvas else 0.0)
        self._layers: dict[str, Layer] = {}
        self._canvas_size: tuple[int, int] | None = None
        self._applying = 0
        self._flush_due = False
        self._dims_moving = False
        self._connect()

    def _connect(self) -> None:
        viewer = self._viewer
        viewer.dims.events.connect(self._on_dims)
        # The group does not forward every change of a step.
        viewer.dims.events.current_step.connect(self._on_dims)
        viewer.dims.events.ndisplay.connect(self._on_view)
        viewer.canvas.events.size.connect(self._on_view)
        viewer.scene.camera.events.connect(self._on_camera)
        for event in (viewer.dims.events.order, viewer.dims.events.ndisplay):
            # In between napari fits its camera. The server's napari does the same: that is no wish of the user.
            event.connect(self._on_dims_moving, position="first")
            event.connect(self._on_dims_moved, position="last")
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.reordered.connect(self._on_scene)
        viewer.layers.selection.events.connect(self._on_scene)

    # --- from the server ----------------------------------------------------------------

    def handle(self, message: SessionEvent) -> None:
        """Show what a message of the server says."""
        with self._apply():
            match message:
                case m.SceneSnapshot():
                    self._begin(message)
                case m.SceneResumed(_, updates):
                    for update in updates:
                        self._follow(update)
                case m.Ack():
                    self._restore(self._control.acked(message))
                case AckTimedOut(intents):
                    self._restore(self._control.timed_out(intents))
                case m.Error(_, text):
                    self._host.notify(text)
                case m.Status(text):
                    self._viewer.status = text
                case m.LayerThumbnail():
                    self._show_thumbnail(message)
                case _ if isinstance(message, m.Delta):
                    self._follow(message)
        if isinstance(message, m.SceneSnapshot) and self._canvas_size is not None:
            self._send_canvas_size(self._canvas_size, fit=True)
        self.flush()

    def _follow(self, delta: m.Delta) -> None:
        match delta:
            case m.SceneUpdate():
                self._update_scene(delta)
            case m.LayerUpdate():
                self._update_layer(delta)
            case m.CameraUpdate(revision, values):
                self._control.mirror(Scope.CAMERA, values, revision)
                self._show(Scope.CAMERA, self._viewer.scene.camera)
            case m.DimsUpdate(revision, values) | m.ViewUpdate(revision, values):
                self._control.mirror(Scope.DIMS if isinstance(delta, m.DimsUpdate) else Scope.VIEW, values, revision)
                # Setting dims or ndisplay moves napari's camera; the server's pose is the truth.
                self._show_model()

    def camera_pose(self) -> CameraPose:
        """Return where the camera is here."""
        return conversion.camera_pose(self._viewer)

    def flush(self) -> None:
        """Send what was set and not sent yet."""
        self._flush_due = False
        self._cadence.taken(time.perf_counter())
        intents = self._control.take_intents()
        if intents:
            self._send(intents)

    def _flush_soon(self) -> None:
        """Flush now, or together with what follows, when it is time."""
        now_s = time.perf_counter()
        waits = self._cadence.due_s is not None
        due_s = self._cadence.note(now_s)
        if due_s <= now_s:
            self.flush()
        elif not waits:
            self._host.call_at(due_s, self.flush)

    def set_canvas_size(self, size_px: tuple[int, int]) -> None:
        """The window's canvas is now (width, height): have the server draw that size.

        The first time what the server showed is kept in view, as if it had been fitted here;
        later a resize leaves the zoom alone, as in napari.
        """
        first = self._canvas_size is None
        self._canvas_size = size_px
        if self._control.begun:
            self._send_canvas_size(size_px, fit=first)

    def _send_canvas_size(self, size_px: tuple[int, int], *, fit: bool) -> None:
        width, height = (max(SMALLEST_CANVAS_PX, side) for side in size_px)
        served_height, served_width = self._control.known(Scope.VIEW).get("size", (height, width))
        if fit:
            scene_height, scene_width = self._scene_size()
            self._viewer.scene.camera.zoom *= min(height / scene_height, width / scene_width) / min(
                served_height / scene_height, served_width / scene_width
            )
        if self._control.set_local(Scope.VIEW, "size", [height, width]):
            self.flush()

    def _scene_size(self) -> tuple[float, float]:
        """Return (height, width) in world units of what the layers fill; (1, 1) if nothing."""
        if not self._viewer.layers:
            return 1.0, 1.0
        extent = self._viewer.layers.extent
        size = (extent.world[1] - extent.world[0] + extent.step)[list(self._viewer.dims.displayed)]
        height, width = np.nan_to_num(size[-2:], nan=1.0)
        return max(float(height), 1e-9), max(float(width), 1e-9)

    def _begin(self, snapshot: m.SceneSnapshot) -> None:
        self._control.begin(snapshot)
        for layer in list(self._viewer.layers):
            self._viewer.layers.remove(layer)
        self._layers.clear()
        for state in snapshot.layers:
            self._add(state)
        self._show_scene()
        self._show_model()

    def _update_scene(self, update: m.SceneUpdate) -> None:
        for layer_id in update.removed:
            self._control.forget(layer_object(layer_id))
            layer = self._layers.pop(layer_id, None)
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        for state in update.added:
            shown = self._control.mirror(layer_object(state.spec.layer), state.values, update.revision)
            known = self._layers.get(state.spec.layer)
            if known is None:
                self._add(state)
            else:  # heard of just before the connection was lost
                remote_layers.place(known, state.spec)
                remote_layers.show(known, shown)
        self._control.mirror(Scope.SCENE, update.values, update.revision)
        self._show_scene()
        self._keep_model()

    def _update_layer(self, update: m.LayerUpdate) -> None:
        layer = self._layers.get(update.layer)
        shown = self._control.mirror(layer_object(update.layer), update.values, update.revision)
        if layer is None:
            return
        if update.spec is not None:
            remote_layers.place(layer, update.spec)
            self._keep_model()
        remote_layers.show(layer, shown)

    def _add(self, state: m.LayerState) -> None:
        layer: Any = remote_layers.build(state)
        self._layers[state.spec.layer] = layer
        self._viewer.add_layer(layer)
        layer.attach(self._on_layer_set, self._on_layer_command)

    def _show_scene(self) -> None:
        known = self._control.known(Scope.SCENE)
        layers = self._viewer.layers
        wanted = [self._layers[layer_id] for layer_id in known.get("order", []) if layer_id in self._layers]
        for index, layer in enumerate(wanted):
            if layer in layers and layers.index(layer) != index:
                layers.move(layers.index(layer), index)
        chosen = {self._layers[layer_id] for layer_id in known.get("selection", []) if layer_id in self._layers}
        if set(layers.selection) != chosen:
            layers.selection = chosen
        active = self._layers.get(known.get("active") or "")
        if layers.selection.active is not active and (active is None or active in layers):
            layers.selection.active = active

    def _keep_model(self) -> None:
        """Undo what napari did to dims and camera, unless layers came or went that change the dimensions."""
        if self._layers_fit_dims():
            self._show_model()

    def _layers_fit_dims(self) -> bool:
        """Return whether the dims that the server told are those of the layers here.

        If not, what the server makes of the change is on its way: dims of another length would
        not fit these layers, and what napari makes of it here is not the user's wish.
        """
        return bool(self._control.known(Scope.DIMS).get("ndim") == self._viewer.layers.ndim)

    def _show_model(self) -> None:
        self._show(Scope.DIMS, self._viewer.dims)
        self._show(Scope.VIEW, self._viewer)
        # Twice: a change of ndisplay moves the point of the dimension that was rolled in.
        self._show(Scope.DIMS, self._viewer.dims)
        self._show(Scope.CAMERA, self._viewer.scene.camera)

    def _show(self, scope: Scope, root: object) -> None:
        known = self._control.known(scope)
        for name, row in scope_properties(scope).items():
            if name not in known or (self._own_canvas and name == "size"):
                continue
            if conversion.read(root, row) != known[name]:
                conversion.write(root, row, known[name])

    def _show_thumbnail(self, message: m.LayerThumbnail) -> None:
        layer = self._layers.get(message.layer)
        if layer is not None:
            picture = np.frombuffer(message.rgba, np.uint8).reshape(message.height, message.width, 4)
            layer.thumbnail = picture

    def _restore(self, restores: Iterable[Restore]) -> None:
        for restore in restores:
            for reason in restore.reasons:
                self._host.notify(reason)
            if restore.target == Scope.SCENE:
                self._show_scene()
            elif restore.target.startswith(LAYER_PREFIX):
                layer = self._layers.get(restore.target.removeprefix(LAYER_PREFIX))
                if layer is not None:
                    remote_layers.show(layer, restore.values)
            elif restore.target:
                self._keep_model()

    # --- from the user ------------------------------------------------------------------

    def _on_layer_set(self, layer: RemoteLayer, row: Property, value: Wire) -> None:
        if self._control.set_local(layer_object(layer.remote_id), row.name, value):
            self._flush_soon()

    def _on_layer_command(self, layer: RemoteLayer, name: str) -> None:
        if self._control.begun:
            self._control.command(name, {"layer": layer.remote_id})
            self.flush()

    def _on_dims(self, _event: Any = None) -> None:
        if self._layers_fit_dims():
            self._note(Scope.DIMS, self._viewer.dims)

    def _on_dims_moving(self, _event: Any = None) -> None:
        self._dims_moving = True

    def _on_dims_moved(self, _event: Any = None) -> None:
        self._dims_moving = False

    def _on_camera(self, _event: Any = None) -> None:
        if not self._dims_moving:
            self._note(Scope.CAMERA, self._viewer.scene.camera)

    def _on_view(self, _event: Any = None) -> None:
        self._note(Scope.VIEW, self._viewer)

    def _note(self, scope: Scope, root: object) -> None:
        if self._applying:
            return
        changed = False
        for name, row in scope_properties(scope).items():
            if row.writable and not (self._own_canvas and name == "size"):
                changed |= self._control.set_local(scope, name, conversion.read(root, row))
        if changed:
            self._flush_soon()

    def _on_scene(self, _event: Any = None) -> None:
        if self._applying:
            return
        selection = self._viewer.layers.selection
        active: Any = selection.active
        ids = [layer.remote_id for layer in self._viewer.layers if isinstance(layer, RemoteLayer)]
        chosen = sorted(layer.remote_id for layer in selection if isinstance(layer, RemoteLayer))
        changed = self._control.set_local(Scope.SCENE, "selection", chosen)
        changed |= self._control.set_local(Scope.SCENE, "active", getattr(active, "remote_id", None))
        if len(ids) == len(self._layers):
            changed |= self._control.set_local(Scope.SCENE, "order", ids)
        if changed and not self._flush_due:
            # napari empties a selection before it fills it again: send what comes of it, once.
            self._flush_due = True
            self._host.post(self.flush)

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        if self._applying or not isinstance(layer, RemoteLayer):
            return
        self._layers.pop(layer.remote_id, None)
        self._control.command("layer.remove", {"layer": layer.remote_id})
        self.flush()

    def _on_inserted(self, event: Any) -> None:
        if self._applying or isinstance(event.value, RemoteLayer):
            return
        layer = event.value

        def take_back() -> None:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
            self._host.notify(f"{layer.name!r} was not added: layers are made on the server, open the data there")

        # After napari is done inserting it.
        self._host.post(take_back)

    @contextmanager
    def _apply(self) -> Iterator[None]:
        self._applying += 1
        try:
            yield
        finally:
            self._applying -= 1
