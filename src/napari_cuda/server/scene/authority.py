"""SceneAuthority: the mirrored state of the scene, with revisions.

The napari model on the render thread is the only truth. This core keeps the last wire
values that were told to the viewers, compares, and numbers what changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import Scope

_UPDATES: dict[Scope, type[m.DimsUpdate | m.CameraUpdate | m.ViewUpdate]] = {
    Scope.DIMS: m.DimsUpdate,
    Scope.CAMERA: m.CameraUpdate,
    Scope.VIEW: m.ViewUpdate,
}


@dataclass(slots=True)
class Observation:
    """What the model looks like now, for the objects that may have changed.

    `layers` maps layer id to its present state; `present` lists all layer ids, or is None if
    the layer list did not change; `scopes` holds all values of each scope that may have.
    """

    layers: dict[str, m.LayerState] = field(default_factory=dict)
    present: frozenset[str] | None = None
    scopes: dict[Scope, m.Values] = field(default_factory=dict)


class SceneAuthority:
    """Turn observations into revisioned deltas. Owner: render thread. Pure."""

    def __init__(self) -> None:
        self.revision = 0
        self._layers: dict[str, m.LayerState] = {}
        self._scopes: dict[Scope, m.Values] = {
            scope: {} for scope in (Scope.SCENE, Scope.DIMS, Scope.CAMERA, Scope.VIEW)
        }

    def snapshot(self) -> m.SceneSnapshot:
        """Return the whole state at the present revision."""
        order = {layer: index for index, layer in enumerate(self._scopes[Scope.SCENE].get("order", []))}
        return m.SceneSnapshot(
            revision=self.revision,
            layers=sorted(self._layers.values(), key=lambda state: order.get(state.spec.layer, -1)),
            scene=self._scopes[Scope.SCENE],
            dims=self._scopes[Scope.DIMS],
            camera=self._scopes[Scope.CAMERA],
            view=self._scopes[Scope.VIEW],
        )

    def commit(self, seen: Observation) -> list[m.Delta]:
        """Take over what was observed; return the deltas, all of one new revision, or none.

        Layers come first: whatever follows may refer to them.
        """
        following = self.revision + 1
        deltas: list[m.Delta] = []
        scene_delta = self._scene_delta(seen, following)
        if scene_delta is not None:
            deltas.append(scene_delta)
        for layer, state in seen.layers.items():
            known = self._layers.get(layer)
            if known is None:
                continue  # announced whole by the scene delta
            spec = state.spec if state.spec != known.spec else None
            values = _changed(known.values, state.values)
            if spec is not None or values:
                deltas.append(m.LayerUpdate(following, layer, values, spec))
        for scope, update in _UPDATES.items():
            values = _changed(self._scopes[scope], seen.scopes.get(scope, {}))
            if values:
                deltas.append(update(following, values))
                self._scopes[scope] = self._scopes[scope] | values
        self._layers |= seen.layers
        if deltas:
            self.revision = following
        return deltas

    def _scene_delta(self, seen: Observation, revision: int) -> m.SceneUpdate | None:
        removed = [] if seen.present is None else [layer for layer in self._layers if layer not in seen.present]
        added = [state for layer, state in seen.layers.items() if layer not in self._layers]
        values = _changed(self._scopes[Scope.SCENE], seen.scopes.get(Scope.SCENE, {}))
        for layer in removed:
            del self._layers[layer]
        self._scopes[Scope.SCENE] = self._scopes[Scope.SCENE] | values
        if not (added or removed or values):
            return None
        return m.SceneUpdate(revision, added, removed, values)


def _changed(known: m.Values, now: m.Values) -> m.Values:
    """Return the entries of `now` that differ from `known`."""
    return {name: value for name, value in now.items() if name not in known or known[name] != value}
