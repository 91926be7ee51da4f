"""The property table's rows of everything but layers: scene, dims, camera, view."""

from __future__ import annotations

from napari_cuda.protocol.overlay_rows import BLUE, CANVAS_OVERLAY, FONT, POSITIONS, RED, SCENE_OVERLAY, Field, nested
from napari_cuda.protocol.property import Property, Scope, rows
from napari_cuda.protocol.wire_types import Bool, Choice, Color, ListOf, Number, OrNull, Text

OWN_CANVAS = frozenset({"size", "rendering.pixel_ratio"})
"""Rows of the view that a window decides by the canvas that it has."""

_POINT = ListOf(Number())
_XYZ = ListOf(Number(), 3)
_IDS = ListOf(Text(64))
_TILING = Choice(("horizontal", "vertical"))

_AXES: tuple[Field, ...] = (
    ("labels", Bool(), False, True),
    ("colored", Bool(), False, True),
    ("dashed", Bool(), True, False),
    ("arrows", Bool(), False, True),
)

_DIMS: tuple[Property, ...] = (
    Property(Scope.DIMS, "ndim", Number(2, 64, integer=True), "ndim", (3, 4), writable=False),
    Property(Scope.DIMS, "range", ListOf(_XYZ), "range", ([[0, 9, 1]], [[0, 5, 1]]), writable=False),
    *rows(
        Scope.DIMS,
        ("order", ListOf(Number(0, 63, integer=True)), "order", ([1, 0, 2], [0, 2, 1])),
        ("axis_labels", ListOf(Text(64)), "axis_labels", (["z", "y", "x"], ["t", "y", "x"])),
        ("rollable", ListOf(Bool()), "rollable", ([True, False, True], [False, True, True])),
        ("margin_left", ListOf(Number(0)), "margin_left", ([2.0, 0.0, 0.0], [1.0, 0.0, 0.0])),
        ("margin_right", ListOf(Number(0)), "margin_right", ([1.0, 0.0, 0.0], [3.0, 0.0, 0.0])),
        ("point", _POINT, "point", ([3.0, 0.0, 0.0], [5.0, 0.0, 0.0])),
    ),
)

_VIEW: tuple[Property, ...] = (
    *rows(
        Scope.VIEW,
        ("size", ListOf(Number(16, 8192, integer=True), 2), "canvas.size", ([400, 500], [300, 420])),
        ("ndisplay", Number(2, 3, integer=True), "dims.ndisplay", (3, 2)),
        ("background_color", OrNull(Color()), "canvas.background_color_override", (RED, BLUE)),
    ),
    *nested(
        Scope.VIEW, "rendering", "rendering",
        ("quality", Choice(("auto", "full", "fast")), "full", "fast"),
        ("volume_step", OrNull(Number(0.1, 20)), 2.0, None),
        ("pixel_ratio", Number(0.5, 8), 2.0, 1.0),
    ),
    Property(Scope.VIEW, "rendering.theme", Text(64), "rendering.theme", ("light", "dark"), writable=False),
    *nested(
        Scope.VIEW, "grid", "canvas.grid",
        ("enabled", Bool(), True, False),
        ("stride", Number(-1000, 1000, integer=True), 2, -1),
        ("shape", ListOf(Number(-1, 1000, integer=True), 2), [1, -1], [2, 3]),
        ("spacing", Number(0, 1500), 0.25, 12.0),
    ),
    *nested(
        Scope.VIEW, "scale_bar", "canvas.overlays.scale_bar", *CANVAS_OVERLAY,
        ("colored", Bool(), True, False),
        ("color", Color(), RED, BLUE),
        ("ticks", Bool(), False, True),
        ("font_size", Number(1, 1000), 20.0, 12.0),
        ("length", OrNull(Number(1e-12, 1e12)), 20.0, None),
    ),
    *nested(
        Scope.VIEW, "text", "canvas.overlays.text", *CANVAS_OVERLAY, *FONT, ("text", Text(4096), "day 3", "control")
    ),
    *nested(Scope.VIEW, "current_slice", "canvas.overlays.current_slice", *CANVAS_OVERLAY, *FONT),
    *nested(
        Scope.VIEW, "axes", "canvas.overlays.axes", *CANVAS_OVERLAY, *_AXES, ("size", Number(1, 10_000), 60.0, 90.0)
    ),
    *nested(Scope.VIEW, "scene_axes", "scene.overlays.axes", *SCENE_OVERLAY, *_AXES),
    *nested(
        Scope.VIEW, "overlay_tiling", "canvas.overlay_tiling",
        ("padding", ListOf(Number(0, 1000), 2), [4.0, 6.0], [10.0, 12.0]),
        *((position, _TILING, "horizontal", "vertical") for position in POSITIONS),
    ),
)  # fmt: skip

_CAMERA: tuple[Property, ...] = rows(
    Scope.CAMERA,
    (
        "orientation",
        ListOf(Choice(("towards", "away", "up", "down", "left", "right")), 3),
        "orientation",
        (["away", "up", "right"], ["towards", "down", "left"]),
    ),
    ("synced", Bool(), "synced", (False, True)),
    ("center", _XYZ, "center", ([0.0, 10.0, 12.0], [0.0, 20.0, 21.0])),
    ("zoom", Number(1e-9, 1e9), "zoom", (2.0, 5.0)),
    ("angles", _XYZ, "angles", ([10.0, 20.0, 30.0], [5.0, 15.0, 25.0])),
    ("perspective", Number(0, 179), "perspective", (30.0, 10.0)),
)

_SCENE: tuple[Property, ...] = (
    *rows(
        Scope.SCENE,
        ("order", _IDS, "layers", (["L2", "L1"], ["L1", "L2"])),
        ("selection", _IDS, "layers.selection", (["L1"], ["L2"])),
        ("active", Text(64, optional=True), "layers.selection.active", ("L1", "L2")),
    ),
    # Groups of layers that are all linked to each other; the commands layers.link and layers.unlink change them.
    Property(Scope.SCENE, "links", ListOf(_IDS), "layers.link_layers", ([["L1", "L2"]], []), writable=False),
)

VIEWER_ROWS: tuple[Property, ...] = _DIMS + _VIEW + _CAMERA + _SCENE
