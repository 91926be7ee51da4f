"""What needs the data of a remote layer is refused in one line, before napari does it to the stub."""

from __future__ import annotations

import gc
import inspect
import weakref
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer, Points, Shapes, Surface, Tracks, Vectors

from differing_elements import CORNERS, MESH, PLACES, STEPS
from napari_cuda.client.mirror.data_elsewhere import METHODS, SETTERS
from napari_cuda.client.mirror.new_layer import creation
from napari_cuda.client.mirror.remote_layers import RemoteLayer, build
from napari_cuda.protocol.errors import DataError

LAYERS: dict[str, Layer] = {
    "image": Image(np.zeros((4, 4))),
    "labels": Labels(np.zeros((4, 4), int)),
    "points": Points(PLACES),
    "shapes": Shapes(CORNERS),
    "surface": Surface(MESH),
    "tracks": Tracks(STEPS),
    "vectors": Vectors(np.stack([PLACES, PLACES + 1], axis=1)),
}


def remote(kind: str) -> Any:
    layer = build(creation(LAYERS[kind], 0).state)
    layer.attach(lambda *_: None, lambda *_: None)
    return layer


def shapes_of(data: Any) -> list[tuple[int, ...]]:
    return [np.shape(part) for part in (data if isinstance(data, (list, tuple)) else [data])]


@pytest.mark.parametrize("kind", LAYERS)
def test_data_cannot_be_set_here(kind: str) -> None:
    layer = remote(kind)
    before = shapes_of(layer.data)
    for name in ("data", *SETTERS.get(kind, ())):
        with pytest.raises(DataError, match=rf"^{name} cannot be set here: the data of '.*' is on the server\. Use "):
            setattr(layer, name, np.ones((2, 2)))
    assert shapes_of(layer.data) == before
    with pytest.raises(DataError, match=r"^as_layer_data_tuple: the data of"):
        layer.as_layer_data_tuple()


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in METHODS.items() for name in names])
def test_nothing_is_done_to_the_stub(kind: str, name: str) -> None:
    with pytest.raises(DataError, match=rf"^{name}\(\) cannot be done here: the data of"):
        getattr(remote(kind), name)(PLACES)


def test_what_is_refused_is_napari_s() -> None:
    for kind, names in {**SETTERS, **METHODS}.items():
        assert all(hasattr(type(LAYERS[kind]), name) for name in names)


@pytest.mark.parametrize("kind", ["points", "shapes"])
def test_what_is_selected_is_selected_on_the_server(kind: str) -> None:
    layer, asked = remote(kind), []
    layer.attach(lambda *_: None, lambda name, args: asked.append((name, args)))
    layer.selected_data = {np.int64(3), 1}
    layer.selected_data = set()
    where = {"layer": layer.remote_id}
    assert asked == [("layer.select", {**where, "elements": [1, 3]}), ("layer.select", {**where, "elements": []})]
    assert len(layer.selected_data) == 0


HARMLESS = set(
    """
    ModeCallable as_layer_data_tuple bind_key block_history block_thumbnail_update
    block_update_properties brush_size_on_mouse_move click_plane_from_click_data create
    data_to_world extent get_color get_index_and_intersection get_point_info
    get_ray_intersections get_shape_info get_source_str get_status get_value
    interaction_box move_to_back move_to_front new_colormap
    projected_distance_from_mouse_drag redo refresh refresh_colors refresh_text
    remove_selected reset_contrast_limits reset_contrast_limits_range save set_view_slice
    swap_selected_and_background_labels undo update_highlight_visibility
    update_transform_box_visibility world_to_data
    """.split()
)
"""Methods that need no data, or that the server does: see `remote_layers` and `remote_tools`."""


@pytest.mark.parametrize("kind", LAYERS)
def test_every_method_of_napari_s_layers_is_known(kind: str) -> None:
    base = type(LAYERS[kind])
    methods = {name for name in dir(base) if not name.startswith("_") and inspect.isroutine(getattr(base, name))}
    unknown = methods - HARMLESS - set(METHODS.get(kind, ()))
    assert not unknown, f"{unknown} of {kind}: does it read or change the data?"
    assert issubclass(type(remote(kind)), RemoteLayer)


@pytest.mark.parametrize("kind", LAYERS)
def test_looking_at_who_asks_keeps_nothing_of_theirs(kind: str) -> None:
    """A frame in one of its own variables would keep all callers' variables until Python looks for cycles."""

    class Held:
        pass

    layer = remote(kind)

    def reads() -> weakref.ref[Held]:
        held = Held()
        layer.data  # noqa: B018
        layer.refresh()
        with pytest.raises(DataError):
            layer.data = np.ones((2, 2))
        return weakref.ref(held)

    gc.disable()
    try:
        assert reads()() is None
    finally:
        gc.enable()
