"""SceneBridge: between the napari model and the scene authority.

Events of the model only mark objects as changed; what they look like is read once per turn
of the render loop and compared by the authority. So every change is seen, whoever made it
(a client, a script, a plugin, napari itself), and a drag of a hundred events costs one look.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_cuda import conversion
from napari_cuda.evented_parts import watch_parts
from napari_cuda.layer_state import check_placement, kind_of
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import PropertyError
from napari_cuda.protocol.ordering import moves
from napari_cuda.protocol.properties import check_values, layer_properties, scope_properties
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.wire_types import Wire
from napari_cuda.server.render.layer_reader import LayerReader
from napari_cuda.server.render.napari_model import linked_layers
from napari_cuda.server.render.refusals import REFUSALS, first_line
from napari_cuda.server.scene.authority import Observation
from napari_cuda.server.scene.thumbnails import Thumbnails
from napari_cuda.view import View

# Events after which a layer's data, or its table of features, is another. napari has none for undo: see `note_edit`.
_EDIT_EVENTS = frozenset({"data", "paint", "labels_update", "features", "properties"})

_SCOPES = (Scope.SCENE, Scope.DIMS, Scope.CAMERA)
"""Read whole when one of their properties changed; the view has too many for that."""


class SceneBridge:
    """Apply intents to the model and observe it. Owner: render thread.

    `on_change` is called (on the thread that changed the model) when there is something to
    observe. Bridges of one server share the `numbers` of their layers: no two have the same id.
    """

    def __init__(
        self, viewer: ViewerModel, on_change: Callable[[], None], numbers: Iterator[int] | None = None
    ) -> None:
        self._viewer = viewer
        self.view = View.of(viewer)
        self._on_change = on_change
        self._ids: dict[Layer, str] = {}
        self._reserved: weakref.WeakKeyDictionary[Layer, str] = weakref.WeakKeyDictionary()
        self._readers: dict[str, LayerReader] = {}
        self._numbers = itertools.count(1) if numbers is None else numbers
        self._dirty_layers: set[str] = set()
        self._dirty_thumbnails: set[str] = set()
        self.thumbnails = Thumbnails()
        self._edited: set[str] = set()
        self._dirty_scopes: set[Scope] = set(_SCOPES)
        self._dirty_view: set[str] = set(scope_properties(Scope.VIEW))
        self._layers_changed = True
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.reordered.connect(self._mark_scene)
        viewer.layers.selection.events.connect(self._mark_scene)
        viewer.dims.events.connect(self._mark_dims)
        viewer.scene.camera.events.connect(self._mark_camera)
        self.view.watch(self._mark_view)
        viewer.events.theme.connect(self._on_theme)
        self._on_theme()
        for layer in viewer.layers:
            self._adopt(layer)

    # --- intents ------------------------------------------------------------------------

    def apply(self, intent: m.PropertyIntent) -> dict[str, str]:
        """Carry out one intent; return why what was refused was (empty: all applied)."""
        try:
            match intent:
                case m.LayerIntent(layer=layer_id, values=values):
                    layer = self.layer(layer_id)
                    # Not all that can be set raises an event: napari tells nobody of the widths of shapes.
                    for name in values:
                        self._mark_layer(layer_id, name)
                    check = functools.partial(check_placement, layer)
                    return self._set_all(layer, layer_properties(kind_of(layer)), values, check)
                case m.DimsIntent(values=values):
                    return self._set_all(self._viewer.dims, scope_properties(Scope.DIMS), values, self._check_dims)
                case m.CameraIntent(values=values):
                    return self._set_all(self._viewer.scene.camera, scope_properties(Scope.CAMERA), values)
                case m.ViewIntent(values=values):
                    return self._set_all(self.view, scope_properties(Scope.VIEW), values)
                case m.SceneIntent(values=values):
                    return self._set_scene(values)
        except PropertyError as error:
            return {"layer": str(error)}

    def _set_all(
        self,
        root: object,
        rows: dict[str, Property],
        values: m.Values,
        check: Callable[[str, Wire], None] | None = None,
    ) -> dict[str, str]:
        accepted, refused = check_values(rows, values)
        for name, value in accepted.items():
            try:
                if check is not None:
                    check(name, value)
                conversion.write(root, rows[name], value)
            except REFUSALS as error:
                refused[name] = f"napari refuses {rows[name].scope}.{name}: {first_line(error)}"
        return refused

    def _check_dims(self, name: str, value: Wire) -> None:
        # napari pads a list of another length, and keeps a bad order that it raised on.
        if isinstance(value, list) and len(value) != self._viewer.dims.ndim:
            raise ValueError(f"{len(value)} values for {self._viewer.dims.ndim} dimensions")
        if name == "order" and sorted(value) != list(range(self._viewer.dims.ndim)):
            raise ValueError(f"{value} is not an order of {self._viewer.dims.ndim} dimensions")

    def _set_scene(self, values: m.Values) -> dict[str, str]:
        accepted, refused = check_values(scope_properties(Scope.SCENE), values)
        setters: dict[str, Callable[[Any], None]] = {
            "order": self._set_order,
            "selection": self._set_selection,
            "active": self._set_active,
        }
        for name, value in accepted.items():
            try:
                setters[name](value)
            except PropertyError as error:
                refused[name] = str(error)
        return refused

    def _set_order(self, ids: list[str]) -> None:
        if sorted(ids) != sorted(self._ids.values()):
            raise PropertyError("scene.order must list every layer exactly once; the layers have changed since")
        layers = self._viewer.layers
        for source, before in moves([self._ids[layer] for layer in layers], ids):
            layers.move(source, before)

    def _set_selection(self, ids: list[str]) -> None:
        self._viewer.layers.selection = [self.layer(layer_id) for layer_id in ids]

    def _set_active(self, layer_id: str | None) -> None:
        self._viewer.layers.selection.active = None if layer_id is None else self.layer(layer_id)

    def layer_id(self, layer: Layer) -> str:
        """Return the id of a layer of the model."""
        return self._ids[layer]

    def layer(self, layer_id: str) -> Layer:
        """Return the layer of an id; PropertyError if there is none (any more)."""
        if layer_id not in self._readers:
            raise PropertyError(f"there is no layer {layer_id!r} (any more)")
        return self._readers[layer_id].layer

    def reserve(self, layer: Layer, layer_id: str) -> None:
        """Have a layer that is about to be inserted known by this id; PropertyError if one has it."""
        if layer_id in self._readers:
            raise PropertyError(f"there is a layer {layer_id!r} already")
        self._reserved[layer] = layer_id

    # --- observation --------------------------------------------------------------------

    @property
    def loading(self) -> bool:
        """True while a visible layer waits for data: the canvas shows an older slice."""
        return any(layer.visible and not layer.loaded for layer in self._viewer.layers)

    def observe(self) -> Observation:
        """Return what the objects that were marked look like now, and clear the marks.

        Raises what napari raises on a layer that cannot be read; all else stays marked.
        """
        seen = Observation(layers=self._read_layers())
        seen.edited, self._edited = frozenset(self._edited), set()
        scopes, self._dirty_scopes = self._dirty_scopes, set()
        names, self._dirty_view = self._dirty_view, set()
        changed, self._layers_changed = self._layers_changed, False
        if changed:
            seen.present = frozenset(self._readers)
        for scope in scopes:
            seen.scopes[scope] = self._scope_values(scope)
        if names:
            rows = scope_properties(Scope.VIEW)
            seen.scopes[Scope.VIEW] = _read_all(self.view, (rows[name] for name in names))
        return seen

    def _read_layers(self) -> dict[str, m.LayerState]:
        states = {}
        marked, self._dirty_layers = self._dirty_layers, set()
        for layer_id in [layer_id for layer_id in self._readers if layer_id in marked]:
            try:
                states[layer_id] = self._readers[layer_id].state()
            except BaseException:
                # That one is looked at again when it changes, not for ever.
                self._dirty_layers |= marked - {layer_id}
                raise
        return states

    def mark_all(self) -> None:
        """Have all of it observed, thumbnails too: nobody knows this scene, or not any more."""
        for layer_id, reader in self._readers.items():
            reader.note_all()
            self._dirty_layers.add(layer_id)
        self._dirty_thumbnails |= set(self._readers)
        self.thumbnails = Thumbnails()
        self._dirty_scopes |= set(_SCOPES)
        self._dirty_view |= set(scope_properties(Scope.VIEW))
        self._layers_changed = True

    def new_thumbnails(self, revision: int) -> list[m.LayerThumbnail]:
        """Return the thumbnails that changed since the last call; they are told at `revision`."""
        dirty, self._dirty_thumbnails = self._dirty_thumbnails, set()
        seen = [_thumbnail(layer, layer_id) for layer, layer_id in self._ids.items() if layer_id in dirty]
        return self.thumbnails.changed(seen, revision)

    def _scope_values(self, scope: Scope) -> m.Values:
        if scope is Scope.SCENE:
            selection = self._viewer.layers.selection
            return {
                "order": [self._ids[layer] for layer in self._viewer.layers],
                "selection": sorted(self._ids[layer] for layer in selection if layer in self._ids),
                "active": self._ids.get(selection.active),
                "links": self._links(),
            }
        root: Any = self._viewer.dims if scope is Scope.DIMS else self._viewer.scene.camera
        return _read_all(root, scope_properties(scope).values())

    def _links(self) -> list[list[str]]:
        """Return groups of ids: all layers of a group are linked to each other."""
        together: dict[frozenset[Layer], set[Layer]] = {}
        for layer in self._ids:
            others = linked_layers(layer)
            if others:
                together.setdefault(frozenset(others | {layer}), set()).add(layer)
        groups: set[frozenset[Layer]] = set()
        for linked, members in together.items():
            # If they do not all have the same links: pairs.
            groups |= {linked} if linked == members else {frozenset((a, b)) for a in members for b in linked if a != b}
        return sorted(sorted(self._ids[layer] for layer in group if layer in self._ids) for group in groups)

    # --- events -------------------------------------------------------------------------

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)
        self._on_change()

    def _adopt(self, layer: Layer) -> None:
        layer_id = self._reserved.pop(layer, "")
        if not layer_id:
            layer_id = f"L{next(self._numbers)}"
        self._ids[layer] = layer_id
        self._readers[layer_id] = LayerReader(layer, layer_id)
        self._dirty_layers.add(layer_id)
        self._dirty_thumbnails.add(layer_id)
        self._dirty_scopes |= {Scope.SCENE, Scope.DIMS}
        self._layers_changed = True
        layer.events.connect(self._on_layer_event)
        watch_parts(layer, layer_properties(kind_of(layer)).values(), lambda row: self._mark_layer(layer_id, row.name))

    def _mark_layer(self, layer_id: str, what: str) -> None:
        if layer_id in self._readers:
            self._readers[layer_id].note(what)
            self._dirty_layers.add(layer_id)
            self._on_change()

    def _on_layer_event(self, event: Any) -> None:
        layer_id = self._ids.get(event.source)
        if layer_id is None:
            return
        if event.type == "thumbnail":
            self._dirty_thumbnails.add(layer_id)
            self._on_change()
            return
        if event.type in _EDIT_EVENTS:
            self._edited.add(layer_id)
        self._mark_layer(layer_id, event.type)

    def note_edit(self, layer: Layer) -> None:
        """Count a revision: the layer's data was changed in a way that napari tells nobody of."""
        layer_id = self._ids[layer]
        self._readers[layer_id].note_all()
        self._dirty_layers.add(layer_id)
        self._edited.add(layer_id)

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        layer.events.disconnect(self._on_layer_event)
        layer_id = self._ids.pop(layer)
        self._dirty_layers.discard(layer_id)
        self._dirty_thumbnails.discard(layer_id)
        self.thumbnails.forget(layer_id)
        self._edited.discard(layer_id)
        del self._readers[layer_id]
        self._layers_changed = True
        self._dirty_scopes |= {Scope.SCENE, Scope.DIMS}
        self._on_change()

    def _mark_scene(self, event: Any = None) -> None:
        self._mark(Scope.SCENE)

    def _mark_dims(self, event: Any = None) -> None:
        self._mark(Scope.DIMS)

    def _mark_view(self, name: str) -> None:
        self._dirty_view.add(name)
        self._on_change()

    def _on_theme(self, event: Any = None) -> None:
        self.view.rendering.theme = self._viewer.theme

    def _mark_camera(self, event: Any = None) -> None:
        self._mark(Scope.CAMERA)

    def _mark(self, scope: Scope) -> None:
        self._dirty_scopes.add(scope)
        self._on_change()


def _read_all(root: object, rows: Iterable[Property]) -> m.Values:
    return {row.name: conversion.read(root, row) for row in rows}


def _thumbnail(layer: Layer, layer_id: str) -> m.LayerThumbnail:
    picture = np.ascontiguousarray(layer.thumbnail, dtype=np.uint8)
    height, width = picture.shape[:2]
    return m.LayerThumbnail(layer_id, width, height, picture.tobytes())
