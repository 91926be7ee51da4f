"""A seeded monkey at the controls of several clients: whatever it did, all must show the same at the end."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from napari_cuda import conversion
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import layer_properties, scope_properties
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.viewer_rows import OWN_CANVAS
from napari_cuda.protocol.wire_types import Bool, Choice, Number, Wire

FEWEST_LAYERS = 4
MOST_LAYERS = 12

# What an action that meets another viewer's change may raise: the layer is gone, the value does not fit any more.
_MISSED = (ValueError, IndexError, KeyError)


class Monkey:
    """Does random things to one of its viewers at a time, as a user or a script would. `done` counts them."""

    def __init__(self, viewers: list[Any], seed: int) -> None:
        self._viewers = viewers
        self.chance = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self._actions: dict[str, Callable[[Any], None]] = {}
        self._weights: list[int] = []
        for weight, action in (
            (30, self.set_layer_property),
            (15, self.set_viewer_property),
            (10, self.step),
            (5, self.select),
            (4, self.move_layer),
            (2, self.toggle_dimensions),
            (3, self.move_camera),
            (2, self.add_layer),
            (2, self.remove_layer),
        ):
            self.add(weight, action, name=action.__name__)

    def add(self, weight: int, action: Callable[[Any], None], *, name: str) -> None:
        """Let it also do `action`, which takes a viewer, `weight` times as often as something of weight 1."""
        self._actions[name] = action
        self._weights.append(weight)

    def act(self) -> None:
        """Do one thing."""
        viewer = self.chance.choice(self._viewers)
        name = self.chance.choices(list(self._actions), self._weights)[0]
        try:
            self._actions[name](viewer)
        except _MISSED as error:
            self.missed[f"{name}: {type(error).__name__}"] += 1
        else:
            self.done[name] += 1

    # --- what it does -------------------------------------------------------------------

    def set_layer_property(self, viewer: Any) -> None:
        layer = self.a_layer(viewer)
        row = self._a_row(layer_properties(layer.remote_kind))
        conversion.write(layer, row, self._value(row))

    def set_viewer_property(self, viewer: Any) -> None:
        scope, root = self.chance.choice(
            ((Scope.DIMS, viewer.dims), (Scope.CAMERA, viewer.scene.camera), (Scope.VIEW, viewer))
        )
        row = self._a_row(scope_properties(scope))
        if row.name in OWN_CANVAS:
            return
        conversion.write(root, row, self._value(row))

    def step(self, viewer: Any) -> None:
        axis = self.chance.randrange(viewer.dims.ndim)
        viewer.dims.set_current_step(axis, self.chance.randrange(max(1, viewer.dims.nsteps[axis])))

    def select(self, viewer: Any) -> None:
        count = self.chance.choice((1, 1, 1, 2, 3))
        viewer.layers.selection = set(self.chance.sample(list(viewer.layers), min(count, len(viewer.layers))))

    def move_layer(self, viewer: Any) -> None:
        count = len(viewer.layers)
        viewer.layers.move(self.chance.randrange(count), self.chance.randrange(count + 1))

    def toggle_dimensions(self, viewer: Any) -> None:
        viewer.dims.ndisplay = 5 - viewer.dims.ndisplay

    def move_camera(self, viewer: Any) -> None:
        camera = viewer.scene.camera
        camera.zoom = self.chance.uniform(0.5, 8)
        camera.center = tuple(self.chance.uniform(0, 60) for _ in range(3))

    def add_layer(self, viewer: Any) -> None:
        if len(viewer.layers) < MOST_LAYERS:
            self.chance.choice((viewer.add_points, viewer.add_shapes))(None, ndim=3)

    def remove_layer(self, viewer: Any) -> None:
        if len(viewer.layers) > FEWEST_LAYERS:
            viewer.layers.remove(self.a_layer(viewer))

    # --- chance -------------------------------------------------------------------------

    def a_layer(self, viewer: Any) -> Any:
        """Return one of the viewer's layers."""
        return self.chance.choice([layer for layer in viewer.layers if hasattr(layer, "remote_kind")])

    def number(self, low: float, high: float) -> float:
        """Return a number between the two."""
        return self.chance.uniform(low, high)

    def _a_row(self, rows: dict[str, Property]) -> Property:
        return self.chance.choice([row for row in rows.values() if row.writable])

    def _value(self, row: Property) -> Wire:
        wire = row.wire
        if isinstance(wire, Bool):
            return self.chance.random() < 0.5
        if isinstance(wire, Choice):
            return self.chance.choice(wire.options)
        if isinstance(wire, Number) and max(abs(wire.low), abs(wire.high)) <= 100:
            return wire.check(round(self.chance.uniform(wire.low, wire.high)))
        return self.chance.choice(row.examples)


def differences(viewers: dict[str, Any], truth: m.SceneSnapshot) -> list[str]:
    """Return what a viewer shows differently from the server, property by property; empty if nothing."""
    found: list[str] = []

    def compare(name: str, where: str, rows: dict[str, Property], root: Any, values: m.Values) -> None:
        for row in rows.values():
            shown = conversion.read(root, row)
            if row.name in values and shown != values[row.name] and not (where == "view" and row.name in OWN_CANVAS):
                found.append(f"{name}: {where}.{row.name} is {shown!r}, the server says {values[row.name]!r}")

    for name, viewer in viewers.items():
        ids = [layer.remote_id for layer in viewer.layers]
        expected = {
            "order": ids,
            "selection": sorted(layer.remote_id for layer in viewer.layers.selection),
            "active": getattr(viewer.layers.selection.active, "remote_id", None),
        }
        found += [
            f"{name}: scene.{key} is {value!r}, the server says {truth.scene[key]!r}"
            for key, value in expected.items()
            if value != truth.scene[key]
        ]
        layers = {layer.remote_id: layer for layer in viewer.layers}
        for state in truth.layers:
            if state.spec.layer in layers:
                rows = layer_properties(state.spec.kind)
                compare(name, f"{state.spec.layer} ({state.spec.kind})", rows, layers[state.spec.layer], state.values)
        compare(name, "dims", scope_properties(Scope.DIMS), viewer.dims, truth.dims)
        compare(name, "camera", scope_properties(Scope.CAMERA), viewer.scene.camera, truth.camera)
        compare(name, "view", scope_properties(Scope.VIEW), viewer, truth.view)
    return found


def untold(told: m.SceneSnapshot, values: dict[str, m.Values]) -> list[str]:
    """Return what the layers of the server's model have and the server never told; empty if nothing."""
    return [
        f"{name} of {state.values['name']!r} is {value!r} there, it told {state.values[name]!r}"
        for state in told.layers
        for name, value in values[state.values["name"]].items()
        if state.values[name] != value
    ]
