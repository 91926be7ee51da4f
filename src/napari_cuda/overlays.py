"""Who draws which overlay, the same answer on both sides: each is drawn once.

Overlays on the canvas (scale bar, text, …) are drawn by the window, crisp and at once. What hangs in
the scene (axes, bounding boxes, what tools show) is part of the server's picture: data may hide it,
and it moves with the picture. So is what a window cannot know: an overlay that somebody added to
napari's own, a colour bar of values that are not here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from napari.components import ViewerModel
from napari.components.overlays import ColorBarOverlay, LayerNameOverlay, Overlay

_MIRRORED = ("scale_bar", "text", "current_slice", "axes")
_POINTER = ("_brush_circle", "_zoom_box")
"""They follow the mouse of one window, and are in no picture."""


def drawn_by_window(overlay: Overlay, viewer: ViewerModel) -> bool:
    """Return whether a window draws an overlay of the viewer, or of a layer, and the server does not."""
    return follows_pointer(overlay, viewer) or burnt_in(overlay, viewer)


def burnt_in(overlay: Overlay, viewer: ViewerModel) -> bool:
    """Return whether the server draws an overlay for those who have no window."""
    if isinstance(overlay, LayerNameOverlay):
        return True
    if isinstance(overlay, ColorBarOverlay):
        return overlay.colormanager_attribute is None
    return _is_one_of(overlay, viewer, _MIRRORED)


def follows_pointer(overlay: Overlay, viewer: ViewerModel) -> bool:
    """Return whether an overlay belongs to the mouse of one window."""
    return _is_one_of(overlay, viewer, _POINTER)


def _is_one_of(overlay: Overlay, viewer: ViewerModel, names: Iterable[str]) -> bool:
    return any(overlay is viewer.canvas.overlays.get(name) for name in names)


def split_draw_order(order: Iterable[tuple[Any, bool]], nodes: Collection[Any], *, inside: bool) -> list[Any]:
    """Return of vispy's order of drawing what belongs to `nodes` and what hangs on them, or all the rest.

    Each node is twice in it: (node, True) before what hangs on it, and (node, False) after.
    """
    kept = []
    top = None
    for node, begins in order:
        if top is None and begins and node in nodes:
            top = node
        if (top is not None) is inside:
            kept.append((node, begins))
        if node is top and not begins:
            top = None
    return kept
