"""The least a client keeps of a scene, and layer states to fill it with: for tests of deltas and snapshots."""

from __future__ import annotations

from typing import Any

import msgspec

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.property import Scope

SCOPES = (Scope.SCENE, Scope.DIMS, Scope.CAMERA, Scope.VIEW)


def layer(name: str, *, shape: tuple[int, ...] = (4, 4), **values: Any) -> m.LayerState:
    spec = m.LayerSpec(
        layer=name,
        kind="image",
        ndim=len(shape),
        shape=list(shape),
        dtype="uint8",
        extent=[[0.0] * len(shape), [float(n - 1) for n in shape]],
    )
    return m.LayerState(spec, values)


def scene(*order: str) -> dict[Scope, m.Values]:
    return {Scope.SCENE: {"order": list(order), "active": None}}


class Replica:
    """What snapshot and deltas say; check_equals() fails where that is not a later snapshot."""

    def __init__(self, snapshot: m.SceneSnapshot) -> None:
        self.revision = snapshot.revision
        self.layers = {state.spec.layer: state for state in snapshot.layers}
        self.scopes = {name: dict(getattr(snapshot, name)) for name in SCOPES}

    def apply(self, delta: m.Delta) -> None:
        assert delta.revision >= self.revision
        self.revision = delta.revision
        match delta:
            case m.SceneUpdate(_, added, removed, values):
                for name in removed:
                    del self.layers[name]
                for state in added:
                    assert state.spec.layer not in self.layers
                    self.layers[state.spec.layer] = state
                self.scopes[Scope.SCENE] |= values
            case m.LayerUpdate(_, name, values, spec):
                old = self.layers[name]
                self.layers[name] = msgspec.structs.replace(old, spec=spec or old.spec, values=old.values | values)
            case m.DimsUpdate(_, values):
                self.scopes[Scope.DIMS] |= values
            case m.CameraUpdate(_, values):
                self.scopes[Scope.CAMERA] |= values
            case m.ViewUpdate(_, values):
                self.scopes[Scope.VIEW] |= values

    def copy(self) -> Replica:
        """Return another with the same content."""
        other = Replica.__new__(Replica)
        other.revision = self.revision
        other.layers = dict(self.layers)
        other.scopes = {name: dict(values) for name, values in self.scopes.items()}
        return other

    def apply_again(self, delta: m.Delta) -> None:
        """Apply what may have been heard before the connection was lost."""
        if isinstance(delta, m.SceneUpdate):
            for name in delta.removed:
                self.layers.pop(name, None)
            for state in delta.added:
                self.layers.pop(state.spec.layer, None)
            delta = msgspec.structs.replace(delta, removed=[])
        self.apply(delta)

    def check_equals(self, snapshot: m.SceneSnapshot) -> None:
        assert self.layers == {state.spec.layer: state for state in snapshot.layers}
        assert self.scopes == {name: getattr(snapshot, name) for name in SCOPES}
