"""Remote layers of all seven kinds: no data, no slicing, gated setters. No Qt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari import layers as napari_layers
from napari.components import ViewerModel
from napari.layers import Layer

from napari_cuda import conversion
from napari_cuda.client.mirror import remote_layers
from napari_cuda.client.mirror.remote_layers import REMOTE_CLASSES, RemoteLayer
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import LAYER_KINDS, layer_properties
from napari_cuda.protocol.property import Property

HUGE = [400, 90_000, 80_000]  # 2.9 TB of uint8, were it real
GRIDDED = ("image", "labels")
IDENTITY = {
    "scale": [2.0, 0.5, 0.5],
    "translate": [10.0, 0.0, -5.0],
    "rotate": np.eye(3).tolist(),
    "shear": [0.0, 0.0, 0.0],
    "affine": np.eye(4).tolist(),
}


def spec_of(kind: str, **changes: Any) -> m.LayerSpec:
    options: dict[str, Any] = {
        "layer": "L1",
        "kind": kind,
        "ndim": 3,
        "shape": HUGE if kind in GRIDDED else [],
        "dtype": {"image": "uint8", "labels": "int32"}.get(kind, ""),
        "extent": [[0, 0, 0], [n - 1 for n in HUGE]] if kind in GRIDDED else [[-3.0, 0.0, 1.0], [7.0, 80.5, 91.0]],
        "transform": IDENTITY,
        "units": ["pixel"] * 3,
        "axis_labels": ["z", "y", "x"],
    }
    return m.LayerSpec(**options | changes)


def values_of(kind: str, which: int = 0) -> m.Values:
    """The table's examples: values that differ from napari's defaults."""
    return {name: row.check(row.examples[which]) for name, row in layer_properties(kind).items()}


def build(kind: str, **changes: Any) -> Any:
    layer: Any = remote_layers.build(m.LayerState(spec_of(kind, **changes), values_of(kind)))
    return layer


class Owner:
    """Notes what a layer tells its owner."""

    def __init__(self, *layers: Any) -> None:
        self.sets: list[tuple[str, str, Any]] = []
        self.commands: list[tuple[str, str]] = []
        for layer in layers:
            layer.attach(self.on_set, self.on_command)

    def on_set(self, layer: RemoteLayer, row: Property, value: Any) -> None:
        self.sets.append((layer.remote_id, row.name, value))

    def on_command(self, layer: RemoteLayer, name: str) -> None:
        self.commands.append((layer.remote_id, name))


ROWS = [(kind, row) for kind in LAYER_KINDS for row in layer_properties(kind).values()]
row_ids = [f"{kind}.{row.name}" for kind, row in ROWS]


def test_there_is_one_class_for_each_kind() -> None:
    assert set(REMOTE_CLASSES) == set(LAYER_KINDS)


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_is_the_napari_layer_of_its_kind(kind: str) -> None:
    layer = build(kind)
    assert isinstance(layer, getattr(napari_layers, kind.capitalize()))
    assert layer.remote_id == "L1"
    assert layer.as_layer_data_tuple()[2] == kind
    assert not layer.editable


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_has_the_server_s_values_extent_and_place(kind: str) -> None:
    layer, spec = build(kind), spec_of(kind)
    for name, row in layer_properties(kind).items():
        assert conversion.read(layer, row) == values_of(kind)[name], name
    assert layer.ndim == 3
    assert np.array_equal(layer.extent.data, spec.extent)
    assert layer.scale.tolist() == spec.transform["scale"]
    assert layer.translate.tolist() == spec.transform["translate"]
    assert list(layer.axis_labels) == spec.axis_labels


@pytest.mark.parametrize("kind", GRIDDED)
def test_pixels_take_no_memory(kind: str) -> None:
    layer = build(kind)
    assert layer.data.shape == tuple(HUGE)
    assert str(layer.dtype) == spec_of(kind).dtype
    assert set(layer.data.strides) == {0}
    assert int(layer.data[399, 89_999, 79_999]) == 0


@pytest.mark.parametrize("kind", GRIDDED)
def test_levels_of_a_pyramid_take_no_memory_either(kind: str) -> None:
    levels = [HUGE, [400, 9000, 8000], [400, 900, 800]]
    layer = build(kind, level_shapes=levels)
    assert layer.multiscale
    assert [list(level.shape) for level in layer.data] == levels
    assert np.array_equal(layer.extent.data, spec_of(kind).extent)


def test_an_rgb_image_has_its_channels() -> None:
    spec = spec_of("image", ndim=2, shape=[50, 60, 3], extent=[[0, 0], [49, 59]], rgb=True, units=["pixel"] * 2)
    transform = {"scale": [1.0, 1.0], "translate": [0.0, 0.0]}
    spec = m.LayerSpec(
        **{f: getattr(spec, f) for f in spec.__struct_fields__} | {"transform": transform, "axis_labels": ["y", "x"]}
    )
    values = values_of("image")
    layer: Any = remote_layers.build(m.LayerState(spec, values))
    assert layer.rgb
    assert layer.ndim == 2


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_lives_in_a_viewer_through_slices_and_three_dimensions(kind: str) -> None:
    viewer, layer = ViewerModel(), build(kind)
    viewer.add_layer(layer)
    owner = Owner(layer)
    viewer.dims.set_point(0, 30)
    viewer.dims.ndisplay = 3
    viewer.dims.order = (2, 0, 1)
    layer.refresh()
    assert viewer.dims.ndim == 3
    assert layer.get_value((1, 2, 3), world=True) is None
    assert layer.loaded
    assert owner.sets == []


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=row_ids)
def test_what_the_user_sets_shows_and_is_told_once(kind: str, row: Property) -> None:
    layer = build(kind)
    owner = Owner(layer)
    value = row.check(row.examples[1])
    conversion.write(layer, row, value)
    assert conversion.read(layer, row) == value
    assert owner.sets == [("L1", row.name, value)]


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=row_ids)
def test_what_the_server_says_shows_and_is_not_echoed(kind: str, row: Property) -> None:
    layer = build(kind)
    owner = Owner(layer)
    value = row.check(row.examples[1])
    remote_layers.show(layer, {row.name: value})
    assert conversion.read(layer, row) == value
    assert owner.sets == []
    conversion.write(layer, row, row.check(row.examples[0]))  # and the gate is open again
    assert len(owner.sets) == 1


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_all_values_at_once_give_the_same_state(kind: str) -> None:
    layer = build(kind)
    remote_layers.show(layer, values_of(kind, 1))
    assert {name: conversion.read(layer, row) for name, row in layer_properties(kind).items()} == values_of(kind, 1)


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_showing_what_is_shown_raises_no_event(kind: str) -> None:
    layer = build(kind)
    events: list[str] = []
    layer.events.connect(lambda event: events.append(event.type))
    remote_layers.show(layer, values_of(kind))
    assert events == []


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_shows_the_server_s_thumbnail_as_it_came(kind: str, rng: np.random.Generator) -> None:
    layer, other = build(kind), build(kind, layer="L2")
    events: list[str] = []
    layer.events.thumbnail.connect(lambda event: events.append(event.type))
    translucent = rng.integers(0, 256, layer.thumbnail.shape, np.uint8)
    layer.thumbnail = translucent
    assert events == ["thumbnail"]
    layer.opacity = 0.5
    layer.refresh()
    assert np.array_equal(layer.thumbnail, translucent)
    assert not other.thumbnail.any()


def test_what_napari_refuses_is_not_told() -> None:
    layer = build("image")
    owner = Owner(layer)
    with pytest.raises(ValueError, match="opacity"):
        layer.opacity = 7
    assert owner.sets == []
    layer.opacity = 0.5
    assert owner.sets == [("L1", "opacity", 0.5)]


def test_before_it_is_attached_nothing_is_told() -> None:
    layer = build("image")
    layer.opacity = 0.5
    layer.reset_contrast_limits()
    owner = Owner(layer)
    assert owner.sets == []
    assert owner.commands == []


@pytest.mark.parametrize("kind", ["image", "surface"])
def test_autoscale_is_the_server_s(kind: str) -> None:
    layer = build(kind)
    owner = Owner(layer)
    limits = list(layer.contrast_limits)
    layer.reset_contrast_limits()
    assert owner.commands == [("L1", "layer.reset_contrast_limits")]
    layer.reset_contrast_limits_range()
    assert list(layer.contrast_limits) == limits
    assert owner.sets == []


@pytest.mark.parametrize("kind", GRIDDED)
def test_follows_a_change_of_its_shape(kind: str) -> None:
    layer = build(kind)
    owner = Owner(layer)
    limits = values_of(kind)
    smaller = spec_of(kind, shape=[5, 6, 7], extent=[[0, 0, 0], [4, 5, 6]])
    remote_layers.place(layer, smaller)
    assert layer.data.shape == (5, 6, 7)
    assert layer.extent.data.tolist() == [[0, 0, 0], [4, 5, 6]]
    assert {name: conversion.read(layer, row) for name, row in layer_properties(kind).items()} == limits
    assert owner.sets == []


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_follows_a_change_of_its_place(kind: str) -> None:
    layer = build(kind)
    viewer = ViewerModel()
    viewer.add_layer(layer)
    owner, extents = Owner(layer), []
    before = layer.extent.world.copy()
    layer.events.extent.connect(lambda _event: extents.append(layer.extent.world.copy()))
    extent = spec_of(kind).extent if kind in GRIDDED else [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]
    moved = IDENTITY | {"translate": [100.0, 200.0, 300.0]}
    remote_layers.place(layer, spec_of(kind, extent=extent, transform=moved))
    assert layer.translate.tolist() == [100.0, 200.0, 300.0]
    assert np.array_equal(layer.extent.data, extent)
    assert not np.array_equal(layer.extent.world, before)
    assert extents
    assert np.array_equal(extents[-1], layer.extent.world)
    assert owner.sets == []


def test_layers_share_nothing() -> None:
    one, other = build("image"), build("image", layer="L2")
    owner = Owner(one, other)
    one.gamma = 1.5
    assert other.gamma == values_of("image")["gamma"]
    assert owner.sets == [("L1", "gamma", 1.5)]


def test_the_plain_napari_classes_are_untouched() -> None:
    plain: Layer = napari_layers.Image(np.zeros((4, 4)))
    plain.opacity = 0.5
    assert not isinstance(plain, RemoteLayer)
    assert plain.extent.data.tolist() == [[0, 0], [3, 3]]
