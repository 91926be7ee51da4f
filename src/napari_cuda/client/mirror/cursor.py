"""CursorMirror: what is under the cursor, as the server says; never a value of another place."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Layer
from napari.settings import get_settings

from napari_cuda.client.control.cadence import Cadence
from napari_cuda.client.control.control_state import ControlStateContext
from napari_cuda.client.mirror.napari_adapter import view_direction
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.data_value import from_wire
from napari_cuda.protocol.errors import ConnectError
from napari_cuda.protocol.session import SessionEvent

INTERVAL_S = 1 / 60
"""Between two questions of a window: nobody reads faster. The newest place is always asked about."""

LONGEST_ANSWER_S = 30.0
"""So long a script waits for a layer's value; slow data may have to be read for it."""


class CursorHost(Protocol):
    """What the mirror needs of the session's host."""

    def call_at(self, due_s: float, call: Callable[[], None]) -> None:
        """Run `call` at `due_s` (perf_counter)."""

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Work until `done()`; False if it did not become so within `timeout_s`."""


class CursorMirror:
    """Owner: GUI thread.

    Every place of the cursor has a number, and so has every look at the same place after the scene
    changed. A new place shows its coordinates at once; the status of the server is shown if its
    number is the newest, and dropped if not. `flush` sends what the user set, `ask` a query after it.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        control: ControlStateContext,
        host: CursorHost,
        *,
        flush: Callable[[], object],
        ask: Callable[[m.CursorQuery], object],
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._viewer = viewer
        self._control = control
        self._host = host
        self._flush = flush
        self._ask = ask
        self._cadence = Cadence(interval_s)
        self._numbers = 0
        self._place = 0
        """Number of the newest look at the cursor's place; 0 while the cursor is not over the canvas."""
        self._settled = True
        self._values: dict[int, Any] = {}
        """Answers to a script that waits, by number; empty otherwise."""
        viewer.cursor.events.position.connect(self._moved)
        viewer.events.mouse_over_canvas.connect(self._moved)
        viewer.layers.selection.events.connect(self._moved)
        viewer.layers.events.inserted.connect(self._adopt)

    @property
    def settled(self) -> bool:
        """True if the status shown is that of the newest place."""
        return self._settled

    def follow(self, event: SessionEvent) -> None:
        """Take in what the server said, once it is shown."""
        match event:
            case m.CursorValue(number):
                if number == self._place:
                    self._show(event)
                elif number in self._values:
                    self._values[number] = event
            case m.CameraUpdate():
                pass
            case m.SceneSnapshot() | m.SceneResumed():
                self._look()
            case _ if isinstance(event, m.Delta):
                self._look()  # another value may be at the same place

    def _moved(self, _event: Any = None) -> None:
        if self._look():
            coordinates = self._coordinates()
            if coordinates is not None:
                self._viewer.status = coordinates
            self._viewer.tooltip.text = ""

    def _look(self) -> bool:
        """Have the server asked what is at the cursor now; False if that is of no interest."""
        viewer = self._viewer
        wanted = viewer.mouse_over_canvas and get_settings().appearance.update_status_based_on_layer
        if not (wanted and viewer.layers and all(map(math.isfinite, viewer.cursor.position))):
            self._place, self._settled = 0, True
            return False
        self._numbers += 1
        self._place, self._settled = self._numbers, False
        waits = self._cadence.due_s is not None
        now_s = time.perf_counter()
        due_s = self._cadence.note(now_s)
        if due_s <= now_s:
            self._send()
        elif not waits:
            self._host.call_at(due_s, self._send)
        return True

    def _send(self) -> None:
        self._cadence.taken(time.perf_counter())
        if self._place and self._control.ready:
            self._flush()
            viewer = self._viewer
            direction = view_direction(viewer)
            self._ask(
                m.CursorQuery(
                    self._place,
                    [float(value) for value in viewer.cursor.position],
                    list(viewer.dims.displayed),
                    _floats(direction),
                    self._control.awaited_intent,
                    tooltip=viewer.tooltip.visible,
                )
            )

    def _show(self, answer: m.CursorValue) -> None:
        self._settled = True
        if answer.status is not None:
            self._viewer.status = answer.status
        self._viewer.tooltip.text = answer.tooltip

    def _coordinates(self) -> str | dict[str, str] | None:
        """Return the status without a value."""
        viewer = self._viewer
        selection = viewer.layers.selection
        layer = selection.active if len(selection) < 2 else None
        if layer is not None:
            status = _coordinates(layer, viewer.cursor.position)
            shown = viewer.status
            if isinstance(shown, dict) and shown["layer_name"] == status["layer_name"]:
                # Where the layer comes from is known on the server only.
                status |= {part: shown[part] for part in ("layer_base", "source_type", "plugin")}
            return status
        if selection:
            return _coordinates(next(iter(selection)), viewer.cursor.position)["coords"] + " » "
        return None

    # --- for scripts --------------------------------------------------------------------

    def _adopt(self, event: Any) -> None:
        if isinstance(event.value, RemoteLayer):
            event.value.on_value = self._value_of

    def _value_of(
        self,
        layer: RemoteLayer,
        position: npt.ArrayLike,
        *,
        view_direction: npt.ArrayLike | None = None,
        dims_displayed: Sequence[int] | None = None,
        world: bool = False,
    ) -> Any:
        """Return what a layer has at a position, as napari's `Layer.get_value`; waits for the server.

        None while another call waits: the GUI thread runs callbacks meanwhile. Raises ConnectError if no answer comes.
        """
        if self._values:
            return None
        if not self._control.ready:
            raise ConnectError("there is no connection: what is on the server cannot be read")
        self._flush()
        self._numbers += 1
        number = self._numbers
        self._values[number] = None
        try:
            self._ask(
                m.CursorQuery(
                    number,
                    _floats(position) or [],
                    None if dims_displayed is None else [int(axis) for axis in dims_displayed],
                    _floats(view_direction),
                    self._control.awaited_intent,
                    layer=layer.remote_id,
                    world=world,
                )
            )
            # A question is not asked again on the next connection.
            self._host.wait_until(lambda: bool(self._values[number]) or not self._control.ready, LONGEST_ANSWER_S)
            if self._values[number] is None:
                raise ConnectError(f"the server did not say what is at {_floats(position)}")
            return from_wire(self._values[number].value)
        finally:
            del self._values[number]


def _coordinates(layer: Layer, position: Sequence[float]) -> dict[str, str]:
    """Return napari's status of a layer at a position, the value left out."""
    remote: Any = layer
    with remote.applying():
        status: dict[str, str] = Layer.get_status(layer, position, world=True)
    return status


def _floats(values: npt.ArrayLike | None) -> list[float] | None:
    return None if values is None else [float(value) for value in np.asarray(values).ravel()]
