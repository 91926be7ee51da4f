"""Tools: what napari's window would have kept from them, and what they began and could not finish."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Shapes

from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.render.napari_model import Tools

SQUARE = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 4.0], [0.0, 4.0, 4.0], [0.0, 4.0, 0.0]])


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def tools(viewer: ViewerModel) -> Tools:
    return Tools(viewer)


def facts(layer: Shapes) -> dict[str, Any]:
    """Return all that a layer of shapes holds."""
    return {
        "data": [vertices.tolist() for vertices in layer.data],
        "types": list(layer.shape_type),
        "widths": list(layer.edge_width),
        "faces": layer.face_color.tolist(),
        "edges": layer.edge_color.tolist(),
        "order": list(layer.z_index),
        "features": layer.features.to_dict("list"),
        "selected": sorted(layer.selected_data),
        "next": layer.current_face_color,
    }


def three_shapes(viewer: ViewerModel) -> Shapes:
    """Add shapes of different looks; return the layer, which is active."""
    layer = viewer.add_shapes(
        [SQUARE, SQUARE + 5, SQUARE[:2] + 9],
        shape_type=["polygon", "rectangle", "path"],
        face_color=["red", "lime", "blue"],
        edge_color=["white", "black", "yellow"],
        edge_width=[1, 2, 3],
        features={"name": ["a", "b", "c"]},
    )
    layer.selected_data = {1}
    return layer


def test_what_cannot_be_edited_in_3d_is_not_editable_there(viewer: ViewerModel, tools: Tools) -> None:
    flat, deep = viewer.add_points(ndim=2), viewer.add_points(ndim=3)
    drawn, labels = three_shapes(viewer), viewer.add_labels(np.zeros((4, 8, 8), int))
    drawn.mode = "select"
    viewer.dims.ndisplay = 3
    late = viewer.add_shapes(ndim=3)
    assert [layer.editable for layer in (flat, deep, drawn, labels, late)] == [False, True, False, True, False]
    assert drawn.mode == "pan_zoom"
    viewer.dims.ndisplay = 2
    assert all(layer.editable for layer in viewer.layers)
    drawn.editable = False
    viewer.add_points(ndim=3)
    assert not drawn.editable, "it is the user's wish"


def test_shapes_are_not_drawn_in_3d_whoever_made_them_editable(viewer: ViewerModel, tools: Tools) -> None:
    layer = three_shapes(viewer)
    viewer.dims.ndisplay = 3
    tools.begin()  # the camera's
    layer.editable = True
    layer.mode = "add_line"
    with pytest.raises(CommandError, match="switch the view to 2D"):
        tools.begin()


def test_what_a_tool_could_not_finish_is_undone(viewer: ViewerModel, tools: Tools) -> None:
    layer = three_shapes(viewer)
    layer.mode = "add_polygon"
    layer.selected_data = {1}
    before = facts(layer)
    tools.begin()
    # What half a stroke leaves behind.
    layer.add(SQUARE + 20, shape_type="path", face_color="cyan")
    layer._is_creating, layer._moving_value = True, (3, 1)
    tools.begin()  # a second corner
    layer._data_view._face_color = layer._data_view._face_color[:2]
    layer._data_view.shift(0, [1.0, 1.0])
    tools.take_back()
    layer.mode = "pan_zoom"
    assert facts(layer) == before
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    assert facts(layer) == before
    tools.take_back()
    assert facts(layer) == before


def test_a_path_of_too_few_corners_leaves_nothing_behind(viewer: ViewerModel, tools: Tools) -> None:
    """napari 0.9.2 keeps its colours, and then cannot show the layer in 3D."""
    layer = three_shapes(viewer)
    layer.mode = "add_polyline"
    before = facts(layer)
    layer.add(SQUARE[:2], shape_type="path")
    layer._is_creating, layer._moving_value = True, (3, 1)
    layer._finish_drawing()
    assert facts(layer) == before
    viewer.dims.ndisplay = 3
    assert facts(layer) == before


def test_layers_that_were_empty_are_empty_again(viewer: ViewerModel, tools: Tools) -> None:
    layer = viewer.add_shapes(ndim=3)
    tools.begin()
    layer.add(SQUARE, shape_type="polygon")
    tools.take_back()
    assert (len(layer.data), layer.ndim) == (0, 3)
