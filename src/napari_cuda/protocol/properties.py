"""The property table: every mirrored property, once.

The server's setters, the client's mirrors and emitters and the reference in
`docs/protocol.md` come from this table: a new property is one row. Values travel in the
units napari uses.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from napari_cuda.protocol.errors import PropertyError
from napari_cuda.protocol.wire_types import Bool, Choice, ColormapValue, ListOf, Number, Text, Wire, WireType


class Scope(enum.StrEnum):
    """Which object a property belongs to. Layer scopes are `layer` and `layer:<kind>`."""

    SCENE = "scene"
    DIMS = "dims"
    CAMERA = "camera"
    VIEW = "view"
    LAYER = "layer"
    IMAGE = "layer:image"
    LABELS = "layer:labels"


LAYER_KINDS = ("image", "labels", "points", "shapes", "surface", "tracks", "vectors")


@dataclass(frozen=True, slots=True)
class Property:
    """One mirrored property.

    `attribute` is the dotted path from the scope's napari object. `examples` are two
    different valid wire values: the docs show them and the round-trip tests set them.
    `writable` is False for what only the server may change.
    """

    scope: Scope
    name: str
    wire: WireType
    attribute: str
    examples: tuple[Wire, Wire]
    writable: bool = True

    def check(self, value: Wire) -> Wire:
        """Return the canonical wire value; raise PropertyError naming this property."""
        try:
            return self.wire.check(value)
        except PropertyError as error:
            raise PropertyError(f"{self.scope}.{self.name}: {error}") from None


_BLENDING = ("translucent", "translucent_no_depth", "additive", "minimum", "opaque", "multiplicative")
_INTERPOLATION = (
    "bessel", "cubic", "linear", "blackman", "catrom", "gaussian", "hamming", "hanning", "hermite",
    "kaiser", "lanczos", "mitchell", "nearest", "spline16", "spline36",
)  # fmt: skip
_RENDERING = ("translucent", "additive", "iso", "mip", "minip", "attenuated_mip", "average")
_OWN_COLORMAP: Wire = {
    "name": "black to green",
    "colors": [[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]],
    "controls": [0.0, 1.0],
    "interpolation": "linear",
}
_POINT = ListOf(Number())
_XYZ = ListOf(Number(), 3)
_IDS = ListOf(Text(64))


def _rows(scope: Scope, *rows: tuple[str, WireType, str, tuple[Wire, Wire]]) -> tuple[Property, ...]:
    return tuple(Property(scope, name, wire, attribute, examples) for name, wire, attribute, examples in rows)


TABLE: tuple[Property, ...] = (
    *_rows(
        Scope.LAYER,
        ("name", Text(256), "name", ("nuclei", "membrane")),
        ("visible", Bool(), "visible", (False, True)),
        ("opacity", Number(0, 1), "opacity", (0.25, 0.75)),
        ("blending", Choice(_BLENDING), "blending", ("additive", "opaque")),
    ),
    *_rows(
        Scope.IMAGE,
        ("contrast_limits_range", ListOf(Number(), 2, increasing=True), "contrast_limits_range", ([0, 220], [0, 250])),
        ("contrast_limits", ListOf(Number(), 2, increasing=True), "contrast_limits", ([10, 90], [20, 200])),
        ("auto_contrast", Bool(), "auto_contrast", (True, False)),
        ("gamma", Number(0.01, 100), "gamma", (0.5, 1.5)),
        ("colormap", ColormapValue(), "colormap", ("viridis", _OWN_COLORMAP)),
        ("interpolation2d", Choice(_INTERPOLATION), "interpolation2d", ("linear", "cubic")),
        ("interpolation3d", Choice(_INTERPOLATION), "interpolation3d", ("nearest", "cubic")),
        ("rendering", Choice(_RENDERING), "rendering", ("attenuated_mip", "minip")),
        ("iso_threshold", Number(), "iso_threshold", (60.0, 80.0)),
        ("attenuation", Number(0, 100), "attenuation", (0.1, 0.4)),
        ("depiction", Choice(("volume", "plane")), "depiction", ("plane", "volume")),
        ("projection_mode", Choice(("none", "sum", "mean", "max", "min")), "projection_mode", ("max", "sum")),
    ),
    *_rows(
        Scope.LABELS,
        ("selected_label", Number(integer=True), "selected_label", (3, 5)),
        ("show_selected_label", Bool(), "show_selected_label", (True, False)),
        ("contour", Number(0, 1000, integer=True), "contour", (2, 1)),
        ("rendering", Choice(("translucent", "iso_categorical")), "rendering", ("translucent", "iso_categorical")),
        ("iso_gradient_mode", Choice(("fast", "smooth")), "iso_gradient_mode", ("smooth", "fast")),
        ("brush_size", Number(1, 100_000), "brush_size", (12.0, 5.0)),
        ("contiguous", Bool(), "contiguous", (False, True)),
        ("n_edit_dimensions", Number(1, 64, integer=True), "n_edit_dimensions", (3, 2)),
        ("preserve_labels", Bool(), "preserve_labels", (True, False)),
    ),
    Property(Scope.DIMS, "ndim", Number(2, 64, integer=True), "ndim", (3, 4), writable=False),
    Property(Scope.DIMS, "range", ListOf(_XYZ), "range", ([[0, 9, 1]], [[0, 5, 1]]), writable=False),
    *_rows(
        Scope.DIMS,
        ("order", ListOf(Number(0, 63, integer=True)), "order", ([1, 0, 2], [0, 2, 1])),
        ("axis_labels", ListOf(Text(64)), "axis_labels", (["z", "y", "x"], ["t", "y", "x"])),
        ("point", _POINT, "point", ([3.0, 0.0, 0.0], [5.0, 0.0, 0.0])),
    ),
    *_rows(
        Scope.VIEW,
        ("size", ListOf(Number(16, 8192, integer=True), 2), "canvas.size", ([400, 500], [300, 420])),
        ("ndisplay", Number(2, 3, integer=True), "dims.ndisplay", (3, 2)),
    ),
    *_rows(
        Scope.CAMERA,
        ("center", _XYZ, "center", ([0.0, 10.0, 12.0], [0.0, 20.0, 21.0])),
        ("zoom", Number(1e-9, 1e9), "zoom", (2.0, 5.0)),
        ("angles", _XYZ, "angles", ([10.0, 20.0, 30.0], [5.0, 15.0, 25.0])),
        ("perspective", Number(0, 179), "perspective", (30.0, 10.0)),
    ),
    *_rows(
        Scope.SCENE,
        ("order", _IDS, "layers", (["L2", "L1"], ["L1", "L2"])),
        ("selection", _IDS, "layers.selection", (["L1"], ["L2"])),
        ("active", Text(64, optional=True), "layers.selection.active", ("L1", "L2")),
    ),
)  # fmt: skip

_BY_SCOPE: dict[str, dict[str, Property]] = {
    scope.value: {row.name: row for row in TABLE if row.scope is scope} for scope in Scope
}


def layer_properties(kind: str) -> dict[str, Property]:
    """Return the rows of one layer kind by name, in the order in which they must be set."""
    return _BY_SCOPE[Scope.LAYER] | _BY_SCOPE.get(f"{Scope.LAYER}:{kind}", {})


def scope_properties(scope: Scope) -> dict[str, Property]:
    """Return the rows of `scene`, `dims`, `camera` or `view` by name, in setting order."""
    return _BY_SCOPE[scope]


def check_values(rows: dict[str, Property], values: dict[str, Wire]) -> tuple[dict[str, Wire], dict[str, str]]:
    """Split proposed `values` into (accepted canonical values, reasons of refusal by name)."""
    accepted: dict[str, Wire] = {}
    refused: dict[str, str] = {}
    for name, value in values.items():
        row = rows.get(name)
        if row is None:
            refused[name] = f"there is no property {name!r} here"
        elif not row.writable:
            refused[name] = f"{row.scope}.{name} can only be changed by the server"
        else:
            try:
                accepted[name] = row.check(value)
            except PropertyError as error:
                refused[name] = str(error)
    # A dict of rows is in setting order: limits before what they limit.
    return {name: accepted[name] for name in rows if name in accepted}, refused


def reference_table(rows: Iterable[Property] = TABLE) -> str:
    """Return the Markdown table that `docs/protocol.md` contains between its markers."""
    lines = ["| scope | property | value | napari attribute | set by |", "|---|---|---|---|---|"]
    lines += [
        f"| `{row.scope}` | `{row.name}` | {row.wire.describe()} | `{row.attribute}` | "
        f"{'client and server' if row.writable else 'server'} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
