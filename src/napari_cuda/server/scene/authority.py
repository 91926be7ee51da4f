"""SceneAuthority: the mirrored state of the scene, with revisions.

The napari model on the render thread is the only truth. This core keeps the last wire
values that were told to the viewers, compares, and numbers what changed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.property import Scope

_UPDATES: dict[Scope, type[m.DimsUpdate | m.CameraUpdate | m.ViewUpdate]] = {
    Scope.DIMS: m.DimsUpdate,
    Scope.CAMERA: m.CameraUpdate,
    Scope.VIEW: m.ViewUpdate,
}


MOST_REMOVED = 1024
"""Removed layers remembered by name; a viewer that missed more gets a snapshot. All else of the
history is bounded by the scene itself: of each property it keeps the revision of the last change only."""


@dataclass(slots=True)
class Observation:
    """What the model looks like now, for the objects that may have changed.

    `layers` maps layer id to its present state; `present` lists all layer ids, or is None if
    the layer list did not change; `scopes` holds the values that may have changed of each scope;
    `edited` names those of `layers` whose data is other data now.
    """

    layers: dict[str, m.LayerState] = field(default_factory=dict)
    present: frozenset[str] | None = None
    scopes: dict[Scope, m.Values] = field(default_factory=dict)
    edited: frozenset[str] = frozenset()


class SceneAuthority:
    """Turn observations into revisioned deltas. Owner: render thread. Pure."""

    def __init__(self) -> None:
        self.revision = 0
        self._layers: dict[str, m.LayerState] = {}
        self._scopes: dict[Scope, m.Values] = {
            scope: {} for scope in (Scope.SCENE, Scope.DIMS, Scope.CAMERA, Scope.VIEW)
        }
        self._history = _History()

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

    def since(self, revision: int) -> m.SceneResumed | None:
        """Return what changed after `revision`, each thing once; None if that is not known (any more)."""
        history = self._history
        if not history.first <= revision <= self.revision:
            return None
        updates: list[m.Delta] = []
        added = [state for layer, state in self._layers.items() if history.added[layer] > revision]
        removed = [layer for at, layer in history.removed if at > revision]
        values = history.changed(Scope.SCENE, self._scopes[Scope.SCENE], revision)
        if added or removed or values:
            updates.append(m.SceneUpdate(self.revision, added, removed, values))
        for layer, state in self._layers.items():
            if history.added[layer] > revision:
                continue
            values = history.changed(layer, state.values, revision)
            spec = state.spec if history.placed.get(layer, 0) > revision else None
            if values or spec is not None:
                updates.append(m.LayerUpdate(self.revision, layer, values, spec))
        for scope, update in _UPDATES.items():
            values = history.changed(scope, self._scopes[scope], revision)
            if values:
                updates.append(update(self.revision, values))
        return m.SceneResumed(self.revision, updates)

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
            edited = layer in seen.edited
            if spec is not None or values or edited:
                deltas.append(m.LayerUpdate(following, layer, values, spec, edited))
        for scope, update in _UPDATES.items():
            values = _changed(self._scopes[scope], seen.scopes.get(scope, {}))
            if values:
                deltas.append(update(following, values))
                self._scopes[scope] = self._scopes[scope] | values
        self._layers |= seen.layers
        if deltas:
            self.revision = following
            for delta in deltas:
                self._history.note(delta)
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


class _History:
    """When each thing changed last, in revisions: enough to tell a viewer that comes back what it missed."""

    def __init__(self) -> None:
        self.first = 1
        """After this revision every removal is remembered."""
        self.added: dict[str, int] = {}
        self.placed: dict[str, int] = {}
        """Layer → when its geometry changed."""
        self.removed: deque[tuple[int, str]] = deque(maxlen=MOST_REMOVED)
        self._values: dict[str, dict[str, int]] = {}

    def note(self, delta: m.Delta) -> None:
        """Remember when what `delta` says happened."""
        revision = delta.revision
        match delta:
            case m.SceneUpdate(_, added, removed, values):
                self._remove(revision, removed)
                self.added |= {state.spec.layer: revision for state in added}
                self._stamp(Scope.SCENE, values, revision)
            case m.LayerUpdate(_, layer, values, spec):
                self._stamp(layer, values, revision)
                if spec is not None:
                    self.placed[layer] = revision
            case m.DimsUpdate(_, values):
                self._stamp(Scope.DIMS, values, revision)
            case m.CameraUpdate(_, values):
                self._stamp(Scope.CAMERA, values, revision)
            case m.ViewUpdate(_, values):
                self._stamp(Scope.VIEW, values, revision)

    def changed(self, target: str, values: m.Values, revision: int) -> m.Values:
        """Return those of `values` that changed after `revision`."""
        stamps = self._values.get(target, {})
        return {name: value for name, value in values.items() if stamps.get(name, 0) > revision}

    def _stamp(self, target: str, values: m.Values, revision: int) -> None:
        self._values.setdefault(target, {}).update(dict.fromkeys(values, revision))

    def _remove(self, revision: int, layers: list[str]) -> None:
        for layer in layers:
            for stamps in (self.added, self.placed, self._values):
                stamps.pop(layer, None)
            if len(self.removed) == MOST_REMOVED:
                self.first = self.removed[0][0]
            self.removed.append((revision, layer))


def _changed(known: m.Values, now: m.Values) -> m.Values:
    """Return the entries of `now` that differ from `known`."""
    return {name: value for name, value in now.items() if name not in known or known[name] != value}
