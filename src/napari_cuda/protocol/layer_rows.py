"""The property table's rows of layers, in the order in which a layer's properties must be set."""

from __future__ import annotations

from napari_cuda.protocol.overlay_rows import (
    BLENDING,
    BLUE,
    CANVAS_OVERLAY,
    FONT,
    RED,
    SCENE_OVERLAY,
    Field,
    nested,
)
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.protocol.wire_types import (
    Bool,
    Choice,
    Color,
    ColormapValue,
    FeatureValues,
    LabelColormapValue,
    ListOf,
    Number,
    OrNull,
    PerElement,
    Record,
    Text,
    Wire,
)

_INTERPOLATION = (
    "bessel", "cubic", "linear", "blackman", "catrom", "gaussian", "hamming", "hanning", "hermite",
    "kaiser", "lanczos", "mitchell", "nearest", "spline16", "spline36",
)  # fmt: skip
_RENDERING = ("translucent", "additive", "iso", "mip", "minip", "attenuated_mip", "average")
_SYMBOLS = (
    "arrow", "clobber", "cross", "diamond", "disc", "hbar", "ring", "square", "star", "tailed_arrow",
    "triangle_down", "triangle_up", "vbar", "x",
)  # fmt: skip
_ANCHORS = ("center", "upper_left", "upper_right", "lower_left", "lower_right")
_OWN_COLORMAP: Wire = {
    "name": "black to green",
    "colors": [[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]],
    "controls": [0.0, 1.0],
    "interpolation": "linear",
}
_NOTHING: Wire = [0.0, 0.0, 0.0, 0.0]
_CYCLE: Wire = {"colors": [_NOTHING, RED, [0.0, 1.0, 0.0, 1.0]], "background": 0}
_DIRECT: Wire = {"direct": {"0": _NOTHING, "1": RED, "default": [0.0, 1.0, 0.0, 1.0]}, "background": 0}

_VECTOR = ListOf(Number(), most=64)
_XYZ = ListOf(Number(), 3)
_NAMES = ListOf(Text(64), most=64)
_LIMITS = ListOf(Number(), 2, increasing=True)
_MATRIX = ListOf(_VECTOR, most=65, kind="matrix")
_COLORS = ListOf(Color(), most=4096)
_WIDTH = Number(0, 100_000)
_PLANE = Record((("position", _XYZ), ("normal", _XYZ), ("enabled", Bool())))
_PLANES = ListOf(_PLANE, most=64, kind="records")

_ONE_PLANE: Wire = [{"position": [4.0, 0.0, 0.0], "normal": [1.0, 0.0, 0.0], "enabled": True}]
_OFF_PLANE: Wire = [{"position": [2.0, 1.0, 0.0], "normal": [0.0, 1.0, 0.0], "enabled": False}]
_ROTATED: Wire = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]
_UPRIGHT: Wire = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
_MOVED: Wire = [[1.0, 0.0, 0.0, 3.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
_STRETCHED: Wire = [[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
_BOX: Wire = [[0.25, 0.5], [0.25, 0.5]]
_SHARP: Wire = [[0.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 0.0]]


def _rows(scope: Scope, *fields: Field) -> tuple[Property, ...]:
    """Return rows named like napari's attributes."""
    return tuple(Property(scope, name, wire, name, (first, second)) for name, wire, first, second in fields)


def _held(scope: Scope, *fields: Field) -> tuple[Property, ...]:
    """Return rows whose setter needs the data: what all elements of a layer have."""
    return tuple(Property(scope, name, wire, name, (first, second), held=True) for name, wire, first, second in fields)


def _modes(scope: Scope, *tools: str) -> tuple[Property, ...]:
    """Return the row of the interactive mode: panning and zooming, or one of the tools."""
    return _rows(scope, ("mode", Choice(("pan_zoom", *tools)), tools[0], "pan_zoom"))


def _features(scope: Scope) -> tuple[Property, ...]:
    # Before everything that may name a feature.
    return (Property(scope, "features", ListOf(Text(256)), "features", (["a"], ["a", "b"]), writable=False),)


def _feature_defaults(scope: Scope) -> tuple[Property, ...]:
    return _rows(scope, ("feature_defaults", FeatureValues(), {"weight": 3.0}, {"weight": 1.5}))


def _intensity(scope: Scope) -> tuple[Property, ...]:
    return (
        *_rows(
            scope,
            ("contrast_limits_range", _LIMITS, [0, 220], [0, 250]),
            ("contrast_limits", _LIMITS, [10, 90], [20, 200]),
            ("auto_contrast", Bool(), True, False),
            ("gamma", Number(0.01, 100), 0.5, 1.5),
            ("colormap", ColormapValue(), "viridis", _OWN_COLORMAP),
        ),
        *_colorbar(scope, "colorbar"),
    )


def _colorbar(scope: Scope, name: str) -> tuple[Property, ...]:
    size: Field = ("size", ListOf(Number(1, 10_000), 2), [30.0, 200.0], [25.0, 150.0])
    ticks: Field = ("tick_length", Number(0, 1000), 9.0, 4.0)
    return nested(scope, name, name, *CANVAS_OVERLAY, *FONT, size, ticks)


def _plane(scope: Scope) -> tuple[Property, ...]:
    return (
        *_rows(scope, ("depiction", Choice(("volume", "plane")), "plane", "volume")),
        *nested(
            scope,
            "plane",
            "plane",
            ("position", _XYZ, [4.0, 20.0, 30.0], [2.0, 10.0, 11.0]),
            ("normal", _XYZ, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
            ("thickness", Number(1, 1e9), 3.0, 5.0),
        ),
        *_rows(scope, ("locked_data_level", OrNull(Number(0, 64, integer=True)), 0, None)),
    )


def _text(scope: Scope, *others: Field) -> tuple[Property, ...]:
    return nested(
        scope,
        "text",
        "text",
        *others,
        ("string", PerElement(Text(1024), kind="encoding"), "w: {weight}", "one for all"),
        ("color", PerElement(Color(), kind="encoding"), RED, BLUE),
        ("visible", Bool(), False, True),
        ("size", Number(0.1, 1000), 20.0, 9.0),
        ("scaling", Bool(), True, False),
        ("anchor", Choice(_ANCHORS), "upper_left", "center"),
        ("translation", _VECTOR, [0.0, 3.0, 4.0], [0.0, 1.0, 2.0]),
        ("rotation", Number(-360, 360), 45.0, 10.0),
    )


def _colored(scope: Scope, part: str) -> tuple[Property, ...]:
    """Return the rows of what has a colour for each element: `face`, `border` or `edge`."""
    return (
        *_rows(
            scope,
            (f"{part}_colormap", ColormapValue(), "magma", _OWN_COLORMAP),
            (f"{part}_contrast_limits", OrNull(_LIMITS), [0.0, 5.0], [1.0, 3.0]),
            (f"{part}_color_cycle", _COLORS, [RED, BLUE], [BLUE]),
        ),
        *_held(
            scope,
            (f"{part}_color_mode", Choice(("direct", "cycle", "colormap")), "cycle", "direct"),
            (f"{part}_color", PerElement(Color(), column=True), RED, BLUE),
        ),
    )


PLACEMENT = frozenset({"scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"})
"""Rows that move a layer in the world, and so the ranges of dims."""

_COMMON = (
    *_rows(
        Scope.LAYER,
        ("name", Text(256), "nuclei", "membrane"),
        ("visible", Bool(), False, True),
        ("opacity", Number(0, 1), 0.25, 0.75),
        ("blending", Choice(BLENDING), "additive", "opaque"),
        ("scale", ListOf(Number(nonzero=True), most=64), [2.0, 1.0, 1.0], [1.0, 0.5, 2.0]),
        ("translate", _VECTOR, [3.0, 0.0, 0.0], [0.0, 5.0, -1.0]),
        ("rotate", _MATRIX, _ROTATED, _UPRIGHT),
        ("shear", _VECTOR, [0.5, 0.0, 0.0], [0.0, 0.25, 0.0]),
        ("affine", _MATRIX, _MOVED, _STRETCHED),
        ("units", _NAMES, ["micrometer"] * 3, ["pixel"] * 3),
        ("axis_labels", _NAMES, ["z", "y", "x"], ["t", "y", "x"]),
        ("editable", Bool(), False, True),
        ("locked", Bool(), True, False),
        ("experimental_clipping_planes", _PLANES, _ONE_PLANE, _OFF_PLANE),
    ),
    *nested(
        Scope.LAYER,
        "bounding_box",
        "bounding_box",
        *SCENE_OVERLAY,
        ("lines", Bool(), False, True),
        ("line_thickness", _WIDTH, 3.0, 2.0),
        ("line_color", Color(), BLUE, RED),
        ("points", Bool(), False, True),
        ("point_size", _WIDTH, 9.0, 7.0),
        ("point_color", Color(), RED, BLUE),
    ),
    *nested(Scope.LAYER, "layer_name", "name_overlay", *CANVAS_OVERLAY, *FONT),
)

_IMAGE = (
    *_intensity(Scope.IMAGE),
    *_rows(
        Scope.IMAGE,
        ("custom_interpolation_kernel_2d", _MATRIX, _BOX, _SHARP),
        ("interpolation2d", Choice((*_INTERPOLATION, "custom")), "linear", "custom"),
        ("interpolation3d", Choice(_INTERPOLATION), "nearest", "cubic"),
        ("rendering", Choice(_RENDERING), "attenuated_mip", "minip"),
        ("iso_threshold", Number(), 60.0, 80.0),
        ("attenuation", Number(0, 100), 0.1, 0.4),
        ("projection_mode", Choice(("none", "sum", "mean", "max", "min")), "max", "sum"),
    ),
    *_plane(Scope.IMAGE),
    *_modes(Scope.IMAGE, "transform"),
)

_LABELS = (
    *_features(Scope.LABELS),
    *_rows(
        Scope.LABELS,
        ("colormap", LabelColormapValue(), _CYCLE, _DIRECT),
        ("selected_label", Number(integer=True), 3, 5),
        ("show_selected_label", Bool(), True, False),
        ("contour", Number(0, 1000, integer=True), 2, 1),
        ("rendering", Choice(("translucent", "iso_categorical")), "translucent", "iso_categorical"),
        ("iso_gradient_mode", Choice(("fast", "smooth")), "smooth", "fast"),
        ("brush_size", Number(1, 100_000), 12.0, 5.0),
        ("contiguous", Bool(), False, True),
        ("n_edit_dimensions", Number(1, 64, integer=True), 3, 2),
        ("preserve_labels", Bool(), True, False),
    ),
    *_plane(Scope.LABELS),
    *_modes(Scope.LABELS, "paint", "fill", "transform", "pick", "erase", "polygon"),
)

_POINTS = (
    *_features(Scope.POINTS),
    *_feature_defaults(Scope.POINTS),
    *_colored(Scope.POINTS, "face"),
    *_colored(Scope.POINTS, "border"),
    *_held(
        Scope.POINTS,
        ("size", PerElement(_WIDTH), 12.0, 5.0),
        ("symbol", PerElement(Choice(_SYMBOLS)), "star", "square"),
        ("border_width", PerElement(_WIDTH), 0.25, 0.5),
        ("shown", PerElement(Bool()), False, True),
    ),
    *_rows(
        Scope.POINTS,
        ("border_width_is_relative", Bool(), False, True),
        ("current_size", _WIDTH, 12.0, 5.0),
        ("current_symbol", Choice(_SYMBOLS), "star", "square"),
        ("current_border_width", _WIDTH, 0.25, 0.5),
        ("current_face_color", Color(), RED, [0.0, 1.0, 0.0, 1.0]),
        ("current_border_color", Color(), RED, [0.0, 1.0, 0.0, 1.0]),
        ("shading", Choice(("none", "spherical")), "spherical", "none"),
        ("antialiasing", Number(0, 100), 3.0, 0.5),
        ("canvas_size_limits", ListOf(Number(0, 1e9), 2, increasing=True), [3.0, 500.0], [2.0, 900.0]),
        ("projection_mode", Choice(("none", "all", "rescale_linear", "rescale_spherical")), "rescale_linear", "none"),
    ),
    *_text(Scope.POINTS, ("blending", Choice(BLENDING), "additive", "translucent")),
    *_colorbar(Scope.POINTS, "face_colorbar"),
    *_colorbar(Scope.POINTS, "border_colorbar"),
    *_modes(Scope.POINTS, "add", "select", "transform"),
)

_SHAPES = (
    *_features(Scope.SHAPES),
    *_feature_defaults(Scope.SHAPES),
    *_colored(Scope.SHAPES, "face"),
    *_colored(Scope.SHAPES, "edge"),
    *_held(
        Scope.SHAPES,
        ("edge_width", PerElement(_WIDTH), 3.0, 2.0),
        ("z_index", PerElement(Number(integer=True)), 4, 2),
    ),
    *_rows(
        Scope.SHAPES,
        ("current_edge_width", _WIDTH, 3.0, 5.0),
        ("current_face_color", Color(), RED, [0.0, 1.0, 0.0, 1.0]),
        ("current_edge_color", Color(), RED, [0.0, 1.0, 0.0, 1.0]),
    ),
    *_text(Scope.SHAPES),
    *_modes(
        Scope.SHAPES,
        "select",
        "direct",
        *("transform", "add_rectangle", "add_ellipse", "add_line", "add_polyline", "add_path", "add_polygon"),
        *("add_polygon_lasso", "vertex_insert", "vertex_remove"),
    ),
)

_LINE: tuple[Field, ...] = (
    ("visible", Bool(), True, False),
    ("color", Color(), RED, BLUE),
    ("width", _WIDTH, 3.0, 2.0),
)
_LENGTH: Field = ("length", _WIDTH, 9.0, 7.0)

_SURFACE = (
    *_features(Scope.SURFACE),
    *_feature_defaults(Scope.SURFACE),
    *_intensity(Scope.SURFACE),
    *_rows(
        Scope.SURFACE,
        ("shading", Choice(("none", "flat", "smooth")), "smooth", "none"),
        ("projection_mode", Choice(("none", "all")), "none", "all"),
    ),
    *nested(Scope.SURFACE, "wireframe", "wireframe", *_LINE),
    *nested(Scope.SURFACE, "normals.face", "normals.face", *_LINE, _LENGTH),
    *nested(Scope.SURFACE, "normals.vertex", "normals.vertex", *_LINE, _LENGTH),
    *_modes(Scope.SURFACE, "transform"),
)

_TRACKS = (
    *_features(Scope.TRACKS),
    *_rows(
        Scope.TRACKS,
        ("color_by", Text(256), "weight", "track_id"),
        ("colormap", Text(256), "magma", "viridis"),
        ("tail_width", Number(0.5, 20), 5.0, 3.0),
        ("tail_length", Number(0, 1_000_000, integer=True), 10, 20),
        ("head_length", Number(0, 1_000_000, integer=True), 4, 2),
        ("display_id", Bool(), True, False),
        ("display_tail", Bool(), False, True),
        ("display_graph", Bool(), False, True),
        ("hide_completed_tracks", Bool(), True, False),
    ),
    *_modes(Scope.TRACKS, "transform"),
)

_VECTORS = (
    *_features(Scope.VECTORS),
    *_feature_defaults(Scope.VECTORS),
    *_colored(Scope.VECTORS, "edge"),
    *_rows(
        Scope.VECTORS,
        ("edge_width", _WIDTH, 3.0, 2.0),
        ("length", Number(0, 1e9), 2.0, 3.0),
        ("vector_style", Choice(("line", "triangle", "arrow")), "arrow", "line"),
        ("projection_mode", Choice(("none", "all", "fade")), "fade", "none"),
    ),
    *_modes(Scope.VECTORS, "transform"),
)

LAYER_ROWS: tuple[Property, ...] = (
    *(_COMMON + _IMAGE + _LABELS + _POINTS + _SHAPES),
    *(_SURFACE + _TRACKS + _VECTORS),
)
