"""ViewerMirror: a napari viewer model that shows, and steers, the scene on the server."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from napari.components import ViewerModel

from napari_cuda import conversion
from napari_cuda.client.control.cadence import INTERVAL_S, Cadence
from napari_cuda.client.control.camera import CameraView
from napari_cuda.client.control.control_state import LAYER_PREFIX, Restore
from napari_cuda.client.control.placement import OwnCanvas
from napari_cuda.client.loop_state import ClientLoopState, LoopPhase
from napari_cuda.client.mirror.layer_list import LayerListMirror
from napari_cuda.client.mirror.napari_adapter import set_canvas_theme, sliced_once
from napari_cuda.client.mirror.remote_input import RemoteInput
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.client.mirror.unsent_layers import Senders
from napari_cuda.client.rate_limit import RateLimit
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.commands import check_command
from napari_cuda.protocol.layer_rows import PLACEMENT
from napari_cuda.protocol.properties import scope_properties
from napari_cuda.protocol.property import Scope
from napari_cuda.protocol.roles import VIEW_ONLY, permits, refusal
from napari_cuda.protocol.session import SessionEvent, Unanswered
from napari_cuda.protocol.viewer_rows import OWN_CANVAS
from napari_cuda.protocol.wire_types import Wire
from napari_cuda.view import View

log = logging.getLogger(__name__)

REMIND_EVERY_S = 10.0
"""Who may only look, and turns a wheel, is told so once and not for each step."""


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
        self.view = View.of(viewer)
        self._state = state
        self._control = state.control
        self._host = host
        self._send = send
        self._own_canvas = own_canvas
        self._cadence = Cadence(INTERVAL_S if own_canvas else 0.0)
        self._layers = LayerListMirror(viewer, state.control, self)
        self.input = RemoteInput(viewer, self.point)
        self._canvas: OwnCanvas | None = None
        self._reminders = RateLimit(REMIND_EVERY_S)
        self._applying = 0
        self._then: deque[Callable[[], None]] = deque()
        """To be done when what the server told of layers is. Bound: the updates that it keeps for a resumption."""
        self._dims_moving = False
        self._placed = False
        """A layer came, went or was moved here, and dims with it: how far, only the server can tell."""
        self._connect()

    def _connect(self) -> None:
        viewer = self._viewer
        viewer.dims.events.connect(self._on_dims)
        # The group does not forward every change of a step.
        viewer.dims.events.current_step.connect(self._on_dims)
        self.view.watch(self._on_view)
        self.view.rendering.events.theme.connect(self._keep_canvas_theme)
        # After napari, which gives the canvas the theme of the window.
        viewer.events.theme.connect(self._keep_canvas_theme, position="last")
        viewer.scene.camera.events.connect(self._on_camera)
        for event in (viewer.dims.events.order, viewer.dims.events.ndisplay):
            # In between napari fits its camera. The server's napari does the same: that is no wish of the user.
            event.connect(self._on_dims_moving, position="first")
            event.connect(self._on_dims_moved, position="last")

    # --- from the server ----------------------------------------------------------------

    def handle(self, message: SessionEvent) -> None:
        """Show what a message of the server says."""
        with self.showing():
            match message:
                case m.SceneSnapshot():
                    self._begin(message)
                case m.SceneResumed(_, updates):
                    self._then.extend(partial(self._follow, update) for update in updates)
                case m.Ack():
                    self._restore(self._control.acked(message))
                    self._settle(range(message.intent + 1))
                    self._layers.settle_values()
                    self._settle_dims()
                case Unanswered(intents, reason):
                    self._restore(self._control.unanswered(intents, reason))
                    self._settle(intents)
                case m.LayerThumbnail():
                    self._layers.show_thumbnail(message)
                case m.LayerHistogram():
                    self._layers.show_histogram(message)
                case m.InputWanted():
                    self.input.show(message if self._state.role == "control" else m.InputWanted())
                case _ if isinstance(message, m.Delta):
                    self._follow(message)
                case _:
                    self._tell_user(message)
        while self._then and not self._layers.steps.left:
            self._then.popleft()()
        self.flush()

    def _tell_user(self, message: SessionEvent) -> None:
        match message:
            case m.Error(_, text) | m.Notice(_, text):
                self._host.notify(text)
            case m.Status(text):
                self._viewer.status = text

    @property
    def busy(self) -> bool:
        """True while layers are to come or to go: nothing else is to be handled until `take_step` did all of it."""
        return self._layers.steps.left or bool(self._then)

    def take_step(self) -> None:
        """Have one of these layers come or go, or show what belongs to all of them."""
        try:
            if self._layers.steps.left:
                with self.showing():
                    self._layers.steps.take()
            else:
                self._then.popleft()()
        finally:
            self.flush()

    def _follow(self, delta: m.Delta) -> None:
        with self.showing():
            self._show_delta(delta)

    def _show_delta(self, delta: m.Delta) -> None:
        match delta:
            case m.SceneUpdate():
                self._then.appendleft(self._keep_model)
                self._layers.update(delta)
            case m.LayerUpdate():
                if self._layers.update_layer(delta):
                    self._keep_model()
            case m.CameraUpdate(revision, values):
                self._control.mirror(Scope.CAMERA, values, revision)
                self._show(Scope.CAMERA, self._viewer.scene.camera)
            case m.DimsUpdate(revision, values):
                self._control.mirror(Scope.DIMS, values, revision)
                self._keep_model()
            case m.ViewUpdate(revision, values):
                shown = self._control.mirror(Scope.VIEW, values, revision)
                self._show(Scope.VIEW, self.view, [name for name in shown if name != "ndisplay"])
                if "ndisplay" in values or (self._state.role == "view" and not OWN_CANVAS.isdisjoint(values)):
                    self._keep_model()
                if "ndisplay" in shown:
                    self._layers.show_modes()

    def use(self, senders: Senders) -> None:
        """Send by these the layers that are too large for a command."""
        self._layers.use(senders)

    def camera_view(self) -> CameraView:
        """Return where the camera is, in pixels of the picture that the server draws for the canvas here."""
        pose = conversion.camera_pose(self._viewer).magnified(self._served.pixel_ratio / self._fit)
        return CameraView(pose, *conversion.canvas_directions(self._viewer))

    @property
    def _served(self) -> OwnCanvas:
        """The canvas that the server draws; the one here until it has told."""
        here = self._canvas or OwnCanvas((1, 1))
        known = self._control.known(Scope.VIEW)
        height, width = known.get("size", here.size[::-1])
        return OwnCanvas((width, height), known.get("rendering.pixel_ratio", here.pixel_ratio))

    @property
    def canvas_is_own(self) -> bool:
        """True if the server draws, or is about to draw, for the canvas here; False if for another window's."""
        return self._canvas is not None and self._canvas == self._served

    def flush(self) -> None:
        """Send what was set and not sent yet."""
        self._cadence.taken(time.perf_counter())
        intents = self._control.take_intents()
        permitted = [intent for intent in intents if permits(self._state.role, intent)]
        if permitted:
            self._send(permitted)
        for intent in intents:
            if intent not in permitted:
                self.handle(refusal(intent))  # as the server would, but at once

    def flush_soon(self) -> None:
        """Send what was set now, or together with what follows, when it is time."""
        now_s = time.perf_counter()
        waits = self._cadence.due_s is not None
        due_s = self._cadence.note(now_s)
        if due_s <= now_s:
            self.flush()
        elif not waits:
            self._host.call_at(due_s, self.flush)

    @property
    def tool_is_remote(self) -> bool:
        """True while what the pointer does on the canvas is for a tool on the server."""
        active = self._viewer.layers.selection.active
        return isinstance(active, RemoteLayer) and active.tool_is_remote

    def point(self, event: m.Input) -> None:
        """Send what the pointer or a key did, in line with all else that the user does."""
        self._control.point(event)
        self.flush_soon()

    def set_canvas(self, canvas: OwnCanvas) -> None:
        """The window's canvas is this now: have the server draw for it.

        The first time what the server showed is kept in view, as if it had been fitted here;
        later a resize leaves the zoom alone, as in napari.
        """
        first = self._canvas is None
        self._canvas = canvas = canvas.drawable()
        if self._control.begun:
            self._send_canvas(canvas, fit=first)

    def _send_canvas(self, canvas: OwnCanvas, *, fit: bool) -> None:
        if self._state.role == "view":
            with self.showing():
                self._show(Scope.CAMERA, self._viewer.scene.camera)
            return
        width, height = canvas.size
        served_width, served_height = self._served.size
        if fit:
            scene_height, scene_width = conversion.scene_size(self._viewer)
            self._viewer.scene.camera.zoom *= min(height / scene_height, width / scene_width) / min(
                served_height / scene_height, served_width / scene_width
            )
        changed = self._control.set_local(Scope.VIEW, "size", [height, width])
        changed |= self._control.set_local(Scope.VIEW, "rendering.pixel_ratio", canvas.pixel_ratio)
        if changed:
            self.flush()

    def _begin(self, snapshot: m.SceneSnapshot) -> None:
        self._control.begin(snapshot)
        self._then = deque([self._complete])
        self._layers.begin(snapshot.layers)

    def _complete(self) -> None:
        """Show dims, camera and view of a snapshot: all its layers are here."""
        with self.showing():
            self._show_model()
            self._show(Scope.VIEW, self.view)
        if self._canvas is not None:
            self._send_canvas(self._canvas, fit=True)

    def _keep_model(self) -> None:
        """Undo what napari did to dims and camera, unless layers came or went that change the dimensions."""
        if self._layers_fit_dims():
            with self.showing():
                self._show_model()

    def _layers_fit_dims(self) -> bool:
        """Return whether the dims that the server told are those of the layers here.

        If not, what the server makes of the change is on its way: dims of another length would
        not fit these layers, and what napari makes of it here is not the user's wish.
        """
        return bool(self._control.known(Scope.DIMS).get("ndim") == self._viewer.layers.ndim)

    def _show_model(self) -> None:
        """Show dims and camera. Setting dims or ndisplay moves napari's camera; the server's pose is the truth."""
        with sliced_once(self._viewer):
            self._show(Scope.DIMS, self._viewer.dims)
            self._show(Scope.VIEW, self.view, ("ndisplay",))
            # Twice: a change of ndisplay moves the point of the dimension that was rolled in.
            self._show(Scope.DIMS, self._viewer.dims)
        self._show(Scope.CAMERA, self._viewer.scene.camera)

    def _show(self, scope: Scope, root: object, names: Iterable[str] | None = None) -> None:
        """Show what is known of a scope, or of some of its properties."""
        known = self._control.known(scope)
        if "zoom" in known:
            known["zoom"] *= self._fit
        rows = scope_properties(scope)
        for name in rows if names is None else names:
            row = rows.get(name)
            if row is None or name not in known or (self._own_canvas and name in OWN_CANVAS):
                continue
            if conversion.read(root, row) != known[name]:
                conversion.write(root, row, known[name])

    @property
    def _fit(self) -> float:
        """How much larger the canvas is here than the server's, for who may only look and so is to see all of that."""
        if self._state.role == "control" or self._canvas is None:
            return 1.0
        return min(here / served for here, served in zip(self._canvas.size, self._served.size, strict=True))

    def _settle(self, numbers: Container[int]) -> None:
        if self._layers.settled(numbers):
            self._keep_model()

    def _settle_dims(self) -> None:
        """All that was set is told: dims that came out otherwise than here were told, those that did not change not."""
        if self._placed and not self._control.unacknowledged:
            self._placed = False
            self._keep_model()

    def _restore(self, restores: Iterable[Restore]) -> None:
        for restore in restores:
            for reason in restore.reasons:
                if reason != VIEW_ONLY or self._reminders.passes(time.perf_counter()) is not None:
                    self._host.notify(reason)
            if restore.target == Scope.SCENE:
                self._layers.show()
            elif restore.target.startswith(LAYER_PREFIX):
                self._layers.restore_layer(restore.target.removeprefix(LAYER_PREFIX), restore.values)
                if not PLACEMENT.isdisjoint(restore.values):
                    self._keep_model()
            elif restore.target:
                if restore.target == Scope.VIEW:
                    self._show(Scope.VIEW, self.view, restore.values)
                self._keep_model()

    # --- from the user ------------------------------------------------------------------

    def command(self, name: str, **args: Wire) -> int:
        """Ask the server to do something, after all that was set before; return the number of the request.

        CommandError if the table has no such command. 0, and nothing is asked, before there is a scene and
        after the end of the session.
        """
        check_command(name, args)
        if not self._control.begun or self._state.phase is LoopPhase.STOPPED:
            return 0
        number = self._control.command(name, args)
        self.flush()
        return number

    def _on_dims(self, _event: Any = None) -> None:
        # What was asked of layers before is done before this, and these dims fit then; but not if data is on its way.
        if self._layers_fit_dims() or not (self.busy or self._layers.sending):
            self._note(Scope.DIMS, self._viewer.dims)

    def _on_dims_moving(self, _event: Any = None) -> None:
        self._dims_moving = True

    def _on_dims_moved(self, _event: Any = None) -> None:
        self._dims_moving = False

    def _on_camera(self, event: Any) -> None:
        if not self._dims_moving and not (event.type == "center" and self._is_flattened()):
            self._note(Scope.CAMERA, self._viewer.scene.camera)

    def _is_flattened(self) -> bool:
        """Return whether the camera's centre differs in depth only, which napari drops when it draws two dimensions.

        The server's napari does the same.
        """
        known = self._control.known(Scope.CAMERA).get("center", ())
        return self._viewer.dims.ndisplay == 2 and list(known[-2:]) == list(self._viewer.scene.camera.center[-2:])

    def _on_view(self, name: str) -> None:
        if self._applying or (self._own_canvas and name in OWN_CANVAS):
            return
        row = scope_properties(Scope.VIEW)[name]
        if row.writable and self._control.set_local(Scope.VIEW, name, conversion.read(self.view, row)):
            self.flush_soon()

    def _keep_canvas_theme(self, _event: Any = None) -> None:
        """Overlays have the colours that can be seen on the server's canvas, whatever the window's theme is."""
        set_canvas_theme(self._viewer.canvas, self.view.rendering.theme)

    def _note(self, scope: Scope, root: object) -> None:
        if self._applying:
            return
        changed = False
        for name, row in scope_properties(scope).items():
            if row.writable:
                changed |= self._control.set_local(scope, name, conversion.read(root, row))
        if changed:
            self.flush_soon()

    # --- for the layer list -------------------------------------------------------------

    @property
    def applying(self) -> bool:
        """True while the server's values are shown: what changes then is no wish of the user."""
        return self._applying > 0

    def notify(self, text: str) -> None:
        """Tell the user one line."""
        self._host.notify(text)

    def post(self, call: Callable[[], None]) -> object:
        """Run `call` after what runs now."""
        return self._host.post(call)

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Within this dims follow what the user did to layers: what becomes of them, and of the camera, is a guess."""
        self._placed |= not self._applying
        with self.showing():
            yield

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Within this, what changes is no wish of the user."""
        self._applying += 1
        try:
            yield
        finally:
            self._applying -= 1
