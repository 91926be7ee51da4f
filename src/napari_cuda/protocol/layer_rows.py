"""The property table's rows of layers, in the order in which a layer's properties must be set."""

from __future__ import annotations

from napari_cuda.protocol.property import Property, Scope, rows
from napari_cuda.protocol.wire_types import Bool, Choice, ColormapValue, ListOf, Number, Text, Wire

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

LAYER_ROWS: tuple[Property, ...] = (
    *rows(
        Scope.LAYER,
        ("name", Text(256), "name", ("nuclei", "membrane")),
        ("visible", Bool(), "visible", (False, True)),
        ("opacity", Number(0, 1), "opacity", (0.25, 0.75)),
        ("blending", Choice(_BLENDING), "blending", ("additive", "opaque")),
    ),
    *rows(
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
    *rows(
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
)  # fmt: skip
