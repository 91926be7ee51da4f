"""SceneBridge: between the napari model and the scene authority.

Events of the model only mark objects as changed; what they look like is read once per turn
of the render loop and compared by the authority. So every change is seen, whoever made it
(a client, a script, a plugin, napari itself), and a drag of a hundred events costs one look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer, Surface

from napari_cuda import conversion
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import PropertyError
from napari_cuda.protocol.properties import LAYER_KINDS, check_values, layer_properties, scope_properties
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.wire_types import Wire
from napari_cuda.server.scene.authority import Observation

# What napari's setters raise on a value they do not take; pydantic's error is a ValueError.
REFUSALS = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)

# Events after which a layer's geometry must be read again (reading it can touch all points).
_SPEC_EVENTS = frozenset(
    {"data", "extent", "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "features"}
)

LONGEST_REASON = 200
"""Characters; napari answers an unknown colormap with a list of all it knows."""

_SCOPES = (Scope.SCENE, Scope.DIMS, Scope.CAMERA, Scope.VIEW)


class SceneBridge:
    """Apply intents to the model and observe it. Owner: render thread.

    `on_change` is called (on the thread that changed the model) when there is something to
    observe.
    """

    def __init__(self, viewer: ViewerModel, on_change: Callable[[], None]) -> None:
        self._viewer = viewer
        self._on_change = on_change
        self._ids: dict[Layer, str] = {}
        self._specs: dict[str, m.LayerSpec] = {}
        self._counter = 0
        self._dirty_layers: set[str] = set()
        self._dirty_thumbnails: set[str] = set()
        self._dirty_scopes: set[Scope] = set(_SCOPES)
        self._layers_changed = True
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.reordered.connect(self._mark_scene)
        viewer.layers.selection.events.connect(self._mark_scene)
        viewer.dims.events.connect(self._mark_dims)
        viewer.dims.events.ndisplay.connect(self._mark_view)
        viewer.scene.camera.events.connect(self._mark_camera)
        viewer.canvas.events.size.connect(self._mark_view)
        for layer in viewer.layers:
            self._adopt(layer)

    # --- intents ------------------------------------------------------------------------

    def apply(self, intent: m.Intent) -> dict[str, str]:
        """Carry out one intent; return why what was refused was (empty: all applied)."""
        try:
            match intent:
                case m.LayerIntent(layer=layer_id, values=values):
                    layer = self._layer(layer_id)
                    return self._set_all(layer, layer_properties(_kind(layer)), values)
                case m.DimsIntent(values=values):
                    return self._set_all(self._viewer.dims, scope_properties(Scope.DIMS), values, self._check_dims)
                case m.CameraIntent(values=values):
                    return self._set_all(self._viewer.scene.camera, scope_properties(Scope.CAMERA), values)
                case m.ViewIntent(values=values):
                    return self._set_all(self._viewer, scope_properties(Scope.VIEW), values)
                case m.SceneIntent(values=values):
                    return self._set_scene(values)
                case m.Command(name="layer.remove", args=args):
                    self._viewer.layers.remove(self._layer(str(args.get("layer"))))
                case m.Command(name="layer.reset_contrast_limits", args=args):
                    self._reset_contrast_limits(self._layer(str(args.get("layer"))))
                case m.Command(name=name):
                    return {name: f"this server does not know the command {name!r}"}
                case _:
                    return {"input": "this server does not take pointer, wheel and key events yet"}
        except PropertyError as error:
            return {"layer": str(error)}
        return {}

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
                refused[name] = f"napari refuses {rows[name].scope}.{name}: {_first_line(error)}"
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
        for index, layer in enumerate([self._layer(layer_id) for layer_id in ids]):
            source = layers.index(layer)
            if source != index:
                layers.move(source, index)

    def _set_selection(self, ids: list[str]) -> None:
        self._viewer.layers.selection = [self._layer(layer_id) for layer_id in ids]

    def _set_active(self, layer_id: str | None) -> None:
        self._viewer.layers.selection.active = None if layer_id is None else self._layer(layer_id)

    def _reset_contrast_limits(self, layer: Layer) -> None:
        if not isinstance(layer, (Image, Surface)):
            raise PropertyError(f"layer {layer.name!r} has no contrast limits")
        layer.reset_contrast_limits()

    def _layer(self, layer_id: str) -> Layer:
        for layer, known in self._ids.items():
            if known == layer_id:
                return layer
        raise PropertyError(f"there is no layer {layer_id!r} (any more)")

    # --- observation --------------------------------------------------------------------

    @property
    def loading(self) -> bool:
        """True while a visible layer waits for data: the canvas shows an older slice."""
        return any(layer.visible and not layer.loaded for layer in self._viewer.layers)

    def observe(self) -> Observation:
        """Return what the objects that were marked look like now, and clear the marks."""
        seen = Observation()
        # Cleared first: a layer that cannot be read is looked at again when it changes, not for ever.
        layers, self._dirty_layers = self._dirty_layers, set()
        scopes, self._dirty_scopes = self._dirty_scopes, set()
        changed, self._layers_changed = self._layers_changed, False
        for layer, layer_id in self._ids.items():
            if layer_id in layers:
                seen.layers[layer_id] = m.LayerState(self._spec(layer, layer_id), _layer_values(layer))
        if changed:
            seen.present = frozenset(self._ids.values())
        for scope in scopes:
            seen.scopes[scope] = self._scope_values(scope)
        return seen

    def thumbnails(self, *, every: bool = False) -> list[m.LayerThumbnail]:
        """Return the thumbnails that changed since the last call (all of them if `every`)."""
        wanted = set(self._ids.values()) if every else self._dirty_thumbnails
        messages = [_thumbnail(layer, layer_id) for layer, layer_id in self._ids.items() if layer_id in wanted]
        if not every:
            self._dirty_thumbnails.clear()
        return messages

    def _spec(self, layer: Layer, layer_id: str) -> m.LayerSpec:
        if layer_id not in self._specs:
            self._specs[layer_id] = _spec(layer, layer_id)
        return self._specs[layer_id]

    def _scope_values(self, scope: Scope) -> m.Values:
        if scope is Scope.SCENE:
            selection = self._viewer.layers.selection
            return {
                "order": [self._ids[layer] for layer in self._viewer.layers],
                "selection": sorted(self._ids[layer] for layer in selection if layer in self._ids),
                "active": self._ids.get(selection.active),
            }
        root: Any = {
            Scope.DIMS: self._viewer.dims,
            Scope.CAMERA: self._viewer.scene.camera,
            Scope.VIEW: self._viewer,
        }[scope]
        return _read_all(root, scope_properties(scope).values())

    # --- events -------------------------------------------------------------------------

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)
        self._on_change()

    def _adopt(self, layer: Layer) -> None:
        self._counter += 1
        layer_id = f"L{self._counter}"
        self._ids[layer] = layer_id
        self._dirty_layers.add(layer_id)
        self._dirty_thumbnails.add(layer_id)
        self._dirty_scopes |= {Scope.SCENE, Scope.DIMS}
        self._layers_changed = True
        layer.events.connect(self._on_layer_event)

    def _on_layer_event(self, event: Any) -> None:
        layer_id = self._ids.get(event.source)
        if layer_id is None:
            return
        if event.type == "thumbnail":
            self._dirty_thumbnails.add(layer_id)
        else:
            self._dirty_layers.add(layer_id)
            if event.type in _SPEC_EVENTS:
                self._specs.pop(layer_id, None)
        self._on_change()

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        layer.events.disconnect(self._on_layer_event)
        layer_id = self._ids.pop(layer)
        self._dirty_layers.discard(layer_id)
        self._dirty_thumbnails.discard(layer_id)
        self._specs.pop(layer_id, None)
        self._layers_changed = True
        self._dirty_scopes |= {Scope.SCENE, Scope.DIMS}
        self._on_change()

    def _mark_scene(self, event: Any = None) -> None:
        self._mark(Scope.SCENE)

    def _mark_dims(self, event: Any = None) -> None:
        self._mark(Scope.DIMS)

    def _mark_view(self, event: Any = None) -> None:
        self._mark(Scope.VIEW)

    def _mark_camera(self, event: Any = None) -> None:
        self._mark(Scope.CAMERA)

    def _mark(self, scope: Scope) -> None:
        self._dirty_scopes.add(scope)
        self._on_change()


def _kind(layer: Layer) -> str:
    """Return the wire name of a layer's type, also for subclasses of napari's seven."""
    for cls in type(layer).__mro__:
        if cls.__module__.startswith("napari.layers.") and cls.__name__.lower() in LAYER_KINDS:
            return cls.__name__.lower()
    raise PropertyError(f"layers of type {type(layer).__name__} cannot be mirrored")


def _read_all(root: object, rows: Iterable[Property]) -> m.Values:
    return {row.name: conversion.read(root, row) for row in rows}


def _layer_values(layer: Layer) -> m.Values:
    return _read_all(layer, layer_properties(_kind(layer)).values())


def _spec(layer: Layer, layer_id: str) -> m.LayerSpec:
    kind = _kind(layer)
    extent = np.asarray(layer.extent.data, dtype=float)
    data = getattr(layer, "data", None)
    multiscale = bool(getattr(layer, "multiscale", False))
    pixels = data[0] if multiscale and data is not None else data
    gridded = kind in ("image", "labels")
    return m.LayerSpec(
        layer=layer_id,
        kind=kind,
        ndim=layer.ndim,
        shape=[int(n) for n in pixels.shape] if gridded and pixels is not None else [],
        dtype=str(np.dtype(layer.dtype)) if gridded else "",
        extent=np.nan_to_num(extent).tolist(),
        transform={
            "scale": np.asarray(layer.scale).tolist(),
            "translate": np.asarray(layer.translate).tolist(),
            "rotate": np.asarray(layer.rotate).tolist(),
            "shear": np.asarray(layer.shear).tolist(),
            "affine": np.asarray(layer.affine.affine_matrix).tolist(),
        },
        units=[str(unit) for unit in layer.units],
        axis_labels=[str(label) for label in layer.axis_labels],
        rgb=bool(getattr(layer, "rgb", False)),
        level_shapes=[[int(n) for n in level.shape] for level in data] if multiscale and data is not None else [],
        source=str(layer.source.path or ""),
    )


def _thumbnail(layer: Layer, layer_id: str) -> m.LayerThumbnail:
    picture = np.ascontiguousarray(layer.thumbnail, dtype=np.uint8)
    height, width = picture.shape[:2]
    return m.LayerThumbnail(layer_id, width, height, picture.tobytes())


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # pydantic heads its message with a count; what is wrong stands below it.
    text = " ".join(lines[1:3]) if "validation error" in lines[0] else lines[-1]
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"
