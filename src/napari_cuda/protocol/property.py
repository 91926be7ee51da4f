"""One row of the property table, and the objects that have properties."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from napari_cuda.protocol.errors import PropertyError
from napari_cuda.protocol.wire_types import Wire, WireType


class Scope(enum.StrEnum):
    """Which object a property belongs to. Layer scopes are `layer` and `layer:<kind>`."""

    SCENE = "scene"
    DIMS = "dims"
    CAMERA = "camera"
    VIEW = "view"
    LAYER = "layer"
    IMAGE = "layer:image"
    LABELS = "layer:labels"
    POINTS = "layer:points"
    SHAPES = "layer:shapes"
    SURFACE = "layer:surface"
    TRACKS = "layer:tracks"
    VECTORS = "layer:vectors"


@dataclass(frozen=True, slots=True)
class Property:
    """One mirrored property.

    `attribute` is the dotted path from the scope's napari object. `examples` are two
    different valid wire values: the docs show them and the round-trip tests set them.
    `writable` is False for what only the server may change. `held` is True where napari's own
    setter needs the layer's data: a client then keeps the value itself.
    """

    scope: Scope
    name: str
    wire: WireType
    attribute: str
    examples: tuple[Wire, Wire]
    writable: bool = True
    held: bool = False

    def check(self, value: Wire) -> Wire:
        """Return the canonical wire value; raise PropertyError naming this property."""
        try:
            return self.wire.check(value)
        except PropertyError as error:
            raise PropertyError(f"{self.scope}.{self.name}: {error}") from None


def rows(scope: Scope, *entries: tuple[str, WireType, str, tuple[Wire, Wire]]) -> tuple[Property, ...]:
    """Return writable rows of one scope from (name, wire type, attribute, examples)."""
    return tuple(Property(scope, name, wire, attribute, examples) for name, wire, attribute, examples in entries)
