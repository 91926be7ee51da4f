"""napari's layer actions that act on data: done on the server, whatever key or button they have at the client.

The names are those of napari's functions. Actions that set mirrored properties are done by the client's napari.
"""

from __future__ import annotations

LAYER_ACTIONS: dict[str, tuple[str, ...]] = {
    "labels": ("new_label", "undo", "redo", "reset_polygon", "complete_polygon"),
    "points": (
        "copy",
        "paste",
        "select_all_in_slice",
        "select_append_all_in_slice",
        "select_all_data",
        "delete_selected_points",
    ),
    "shapes": (
        "hold_to_lock_aspect_ratio",
        "copy_selected_shapes",
        "paste_shape",
        "select_shapes_in_slice",
        "delete_selected_shapes",
        "move_shapes_selection_to_front",
        "move_shapes_selection_to_back",
        "finish_drawing_shape",
    ),
}
"""Kind of layer → its actions."""

MEASURE_SHAPES = "napari.toggle_shape_measures"
"""The entry of napari's Layers menu that writes length and area beside each shape: asked for like the layer menu's."""
