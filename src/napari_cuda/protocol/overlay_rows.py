"""Rows of overlays, of layers and of the viewer: what napari's overlay models have in common."""

from __future__ import annotations

from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.wire_types import Bool, Choice, Color, Number, OrNull, Wire, WireType

Field = tuple[str, WireType, Wire, Wire]
"""Name, wire type, and two examples."""

BLENDING = ("translucent", "translucent_no_depth", "additive", "minimum", "opaque", "multiplicative")

RED: Wire = [1.0, 0.0, 0.0, 1.0]
BLUE: Wire = [0.0, 0.0, 1.0, 0.5]

POSITIONS = (
    "top_left", "top_right", "top_center", "middle_left", "middle_center", "middle_right",
    "bottom_right", "bottom_left", "bottom_center",
)  # fmt: skip

SCENE_OVERLAY: tuple[Field, ...] = (
    ("visible", Bool(), True, False),
    ("opacity", Number(0, 1), 0.25, 0.75),
    ("order", Number(0, 1 << 31, integer=True), 7, 1_000_000),
    ("blending", Choice(BLENDING), "additive", "opaque"),
)
"""What every overlay has."""

CANVAS_OVERLAY: tuple[Field, ...] = (
    *SCENE_OVERLAY,
    ("position", Choice(POSITIONS), "bottom_left", "top_center"),
    ("box", Bool(), False, True),
    ("box_color", OrNull(Color()), RED, BLUE),
    ("gridded", Bool(), True, False),
)
"""What every overlay has whose place is on the canvas."""

FONT: tuple[Field, ...] = (
    ("color", OrNull(Color()), RED, BLUE),
    ("font_size", Number(1, 1000), 20.0, 12.0),
)


def nested(scope: Scope, name: str, attribute: str, *fields: Field) -> tuple[Property, ...]:
    """Return the rows `name.field` of a model that hangs on the scope's object at `attribute`."""
    return tuple(
        Property(scope, f"{name}.{field}", wire, f"{attribute}.{field}", (first, second))
        for field, wire, first, second in fields
    )
