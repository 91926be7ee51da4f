"""Each overlay of napari is drawn by the window or by the server; and vispy's order of drawing, split."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.components.overlays import TextOverlay
from napari.layers import Image, Points

from napari_cuda.overlays import burnt_in, drawn_by_window, split_draw_order

ORDER = [("root", True), ("a", True), ("b", True), ("b", False), ("a", False), ("c", True), ("c", False),
         ("root", False)]  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "inside", "kept"),
    [
        (set(), False, "root a b b a c c root"),
        (set(), True, ""),
        ({"a"}, False, "root c c root"),
        ({"a"}, True, "a b b a"),
        ({"a", "b"}, True, "a b b a"),
        ({"b", "c"}, False, "root a a root"),
        ({"b", "c"}, True, "b b c c"),
        ({"not here"}, False, "root a b b a c c root"),
    ],
)
def test_what_is_drawn_apart_and_what_remains(nodes: set[str], inside: bool, kept: str) -> None:
    order = split_draw_order(ORDER, nodes, inside=inside)
    assert " ".join(node for node, _ in order) == kept
    assert all(order.index((node, True)) < order.index((node, False)) for node, _ in order)


def test_the_windows_and_the_servers_overlays() -> None:
    viewer = ViewerModel()
    of_viewer = {**viewer.canvas.overlays, **{f"scene {name}": it for name, it in viewer.scene.overlays.items()}}
    here = {name for name, overlay in of_viewer.items() if drawn_by_window(overlay, viewer)}
    assert here == {"scale_bar", "text", "current_slice", "axes", "_brush_circle", "_zoom_box"}
    assert {name for name in here if not burnt_in(of_viewer[name], viewer)} == {"_brush_circle", "_zoom_box"}


def test_the_overlays_of_layers() -> None:
    viewer = ViewerModel()
    image, points = Image(np.zeros((4, 4))), Points(np.zeros((2, 2)))
    for overlay in (image.colorbar, image.name_overlay, points.name_overlay):
        assert drawn_by_window(overlay, viewer)
        assert burnt_in(overlay, viewer)
    # These need the data, or may be hidden by it.
    for overlay in (points.face_colorbar, points.border_colorbar, image.bounding_box):
        assert not drawn_by_window(overlay, viewer)
        assert not burnt_in(overlay, viewer)


def test_what_is_not_mirrored_is_in_the_servers_picture() -> None:
    viewer = ViewerModel()
    viewer.canvas.overlays["a plugin's"] = TextOverlay(text="to be seen")
    assert not drawn_by_window(viewer.canvas.overlays["a plugin's"], viewer)
