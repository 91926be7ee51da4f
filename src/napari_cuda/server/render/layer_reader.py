"""LayerReader: what a layer of the model is on the wire, no more of it read than may have changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import replace
from napari.layers import Layer

from napari_cuda import conversion
from napari_cuda.layer_state import kind_of, layer_spec, margin_of
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.layer_rows import PLACEMENT
from napari_cuda.protocol.properties import layer_properties
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.wire_types import Wire

# Events after which a layer's geometry must be read again (reading it can touch all points).
_SPEC_EVENTS = frozenset({"data", "extent", "length"})

_PASSING = frozenset(
    {
        *("cursor", "cursor_size", "help", "highlight", "loaded", "mouse_pan", "mouse_zoom"),
        *("scale_factor", "status", "thumbnail", "extent", "_extent_augmented"),
    }
)
"""Events that come when a layer is looked at, or with what they do not name: its properties are what they were."""

_SET_IN_SILENCE = frozenset({"size", "shown"})
"""Of points. Who sets them makes a new array; all that napari says is that it draws (`set_data`)."""


class LayerReader:
    """Owner: render thread.

    Events only note what they may have changed, `state` reads that. A step of a slider has all layers say something,
    and reading all properties of 500 images takes 0.3 s, all colours of a million points 10 ms.
    """

    def __init__(self, layer: Layer, layer_id: str) -> None:
        self.layer = layer
        self._layer_id = layer_id
        self._rows = layer_properties(kind_of(layer))
        self._alone = frozenset(
            name for name, row in self._rows.items() if row.scope is Scope.LAYER or "." in row.attribute
        )
        self._spec: m.LayerSpec | None = None
        self._values: m.Values = {}
        self._elements: dict[str, Any] = {}
        """Row → the array whose value for all elements is known."""
        self._noted: set[str] = set()
        self.note_all()

    def note(self, what: str) -> None:
        """Note what an event of this type, or setting the row of this name, may have changed: if unsure, all."""
        if what in _SPEC_EVENTS:
            self._spec = None
        if what in PLACEMENT:
            self._noted |= PLACEMENT
        elif what in self._alone:
            self._noted.add(what)
        elif what == "set_data":
            self._noted |= _SET_IN_SILENCE & self._rows.keys()
        elif what not in _PASSING:
            self.note_all()

    def note_all(self) -> None:
        """Note that all properties may have changed, the elements in place."""
        self._noted = set(self._rows)
        self._elements.clear()

    def state(self) -> m.LayerState:
        """Return what the layer is now. Raises what napari raises; what was noted then stays noted."""
        if self._spec is None:
            self._spec = layer_spec(self.layer, self._layer_id)
        elif "size" in self._noted:
            self._spec = replace(self._spec, margin=margin_of(self.layer))
        # In the table's order: that is the one in which they must be set.
        read = {name: self._read(row) for name, row in self._rows.items() if name in self._noted}
        self._values = self._values | read
        self._noted = set()
        return m.LayerState(self._spec, self._values)

    def _read(self, row: Property) -> Wire:
        native = conversion.native(self.layer, row)
        if row.wire.kind != "per_element" or not isinstance(native, np.ndarray):
            return conversion.to_wire(row, native)
        if row.name in self._values and self._elements.get(row.name) is native:
            return self._values[row.name]
        value = conversion.to_wire(row, native)
        self._elements[row.name] = native
        return value
