"""What napari lets be set or tells of, and is not in the property table: each with the reason."""

from __future__ import annotations

from napari_cuda.protocol.property import Scope

_DATA = "data, which stays on the server: tools and commands change it there"
_LOCAL = "of one window: what its pointer and its keys do"
_FOLLOWS = "follows from properties that are mirrored"
_PROGRESS = "not a value: tells that something is under way"
_OLD = "deprecated in napari, another name of a mirrored property"
_ONE = "has one value only"
_TOOL = "belongs to the tool that is in use, which acts on the server"

UNMIRRORED: dict[Scope, dict[str, tuple[str, ...]]] = {
    Scope.DIMS: {
        _LOCAL: ("last_used",),
        _FOLLOWS: (
            "current_step",
            "margin_left_step",
            "margin_right_step",
            "nsteps",
            "thickness",
            "thickness_step",
            "units",
        ),
        "a property of the view": ("ndisplay",),
    },
    Scope.CAMERA: {
        _LOCAL: ("mouse_pan", "mouse_zoom"),
        _FOLLOWS: ("orientation2d",),
    },
    Scope.VIEW: {
        _LOCAL: (
            "canvas.overlays._brush_circle",
            "canvas.overlays._zoom_box",
            "cursor",
            "help",
            "keymap",
            "mouse_over_canvas",
            "status",
            "tooltip",
        ),
        "a window's own: which server it shows, and its user's theme": ("theme", "title"),
        "functions": (
            "mouse_double_click_callbacks",
            "mouse_drag_callbacks",
            "mouse_move_callbacks",
            "mouse_wheel_callbacks",
        ),
        _OLD: ("canvas.overlays.scale_bar.unit",),
        _PROGRESS: ("reset_view",),
    },
    Scope.LAYER: {
        _DATA: ("data", "thumbnail"),
        _LOCAL: ("cursor", "cursor_size", "help", "keymap", "mouse_pan", "mouse_zoom", "status"),
        _FOLLOWS: ("extent", "scale_factor", "loaded"),
        _PROGRESS: ("refresh", "reload", "set_data"),
        _TOOL: ("transform_box", "selection_box"),
        "any object of Python, as the reader of the data left it": ("metadata",),
    },
    Scope.IMAGE: {
        "follows the zoom; `locked_data_level` fixes it": ("data_level",),
        _OLD: ("interpolation",),
    },
    Scope.LABELS: {
        _DATA: ("labels_update", "paint"),
        "follows the zoom; `locked_data_level` fixes it": ("data_level",),
        _ONE: ("projection_mode",),
        _OLD: ("properties",),
        _TOOL: ("polygon", "brush_stroke"),
        "inherited from images, without effect: labels are never interpolated, shaded or attenuated": (
            "attenuation",
            "brush_shape",
            "custom_interpolation_kernel_2d",
            "interpolation",
            "interpolation2d",
            "interpolation3d",
            "iso_threshold",
        ),
    },
    Scope.POINTS: {
        _TOOL: ("highlight", "selected_data"),
        _OLD: ("current_properties", "n_dimensional", "out_of_slice_display", "properties"),
    },
    Scope.SHAPES: {
        _DATA: ("shape_type",),
        _ONE: ("projection_mode",),
        _TOOL: ("highlight", "selected_data"),
        _OLD: ("current_properties", "properties"),
        "napari 0.9.2 fails when it is set on a layer that is shown": ("text.blending",),
    },
    Scope.SURFACE: {
        _DATA: ("faces", "texcoords", "texture", "vertex_colors", "vertex_values", "vertices"),
        "without effect: surfaces are not interpolated": ("interpolation", "rendering"),
    },
    Scope.TRACKS: {
        _DATA: ("graph", "track_colors"),
        _ONE: ("projection_mode",),
        _OLD: ("properties",),
        _PROGRESS: ("rebuild_graph", "rebuild_tracks"),
        "given with the data, by features' names": ("colormaps_dict",),
    },
    Scope.VECTORS: {
        _OLD: ("out_of_slice_display", "properties"),
    },
}
"""Scope → reason → names: of attributes, of events, or of a whole model that hangs on the scope's object."""


def reasons(scope: Scope) -> dict[str, str]:
    """Return why each name of a scope that is not mirrored is not."""
    return {name: reason for reason, names in UNMIRRORED.get(scope, {}).items() for name in names}


def reference() -> list[tuple[str, str, str]]:
    """Return the rows of the document: scope, names, reason."""
    return [
        (f"`{scope}`", ", ".join(f"`{name}`" for name in names), reason)
        for scope, by_reason in UNMIRRORED.items()
        for reason, names in by_reason.items()
    ]
