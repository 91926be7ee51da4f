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
from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.properties import LAYER_KINDS, layer_properties
from napari_cuda.protocol.property import Property

HUGE = [400, 90_000, 80_000]  # 2.9 TB of uint8, were it real
GRIDDED = ("image", "labels")


def spec_of(kind: str, **changes: Any) -> m.LayerSpec:
    options: dict[str, Any] = {
        "layer": "L1",
        "kind": kind,
        "ndim": 3,
        "shape": HUGE if kind in GRIDDED else [],
        "dtype": {"image": "uint8", "labels": "int32"}.get(kind, ""),
        "extent": [[0, 0, 0], [n - 1 for n in HUGE]] if kind in GRIDDED else [[-3.0, 0.0, 1.0], [7.0, 80.5, 91.0]],
    }
    return m.LayerSpec(**options | changes)


def values_of(kind: str, which: int = 0) -> m.Values:
    """The table's examples: values that differ from napari's defaults, of a layer on which a tool can be in use."""
    rows = layer_properties(kind)
    examples = {name: row.check(row.examples[which]) for name, row in rows.items()}
    features = ["weight", "track_id"] if kind == "tracks" else ["weight"]
    needed = {"visible": True, "editable": True, "features": features}
    return examples | {name: value for name, value in needed.items() if name in rows}


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

    def on_command(self, name: str, args: dict[str, Any]) -> None:
        self.commands.append((args["layer"], name))


def test_there_is_one_class_for_each_kind() -> None:
    assert set(REMOTE_CLASSES) == set(LAYER_KINDS)


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_is_the_napari_layer_of_its_kind(kind: str) -> None:
    layer = build(kind)
    assert isinstance(layer, getattr(napari_layers, kind.capitalize()))
    assert layer.remote_id == "L1"
    assert layer.as_layer_data_tuple()[2] == kind


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_has_the_server_s_values_extent_and_place(kind: str) -> None:
    layer, spec = build(kind), spec_of(kind)
    for name, row in layer_properties(kind).items():
        assert conversion.read(layer, row) == values_of(kind)[name], name
    assert layer.ndim == 3
    assert np.array_equal(layer.extent.data, spec.extent)
    assert layer.scale.tolist() == values_of(kind)["scale"]


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
    spec = spec_of("image", ndim=2, shape=[50, 60, 3], extent=[[0, 0], [49, 59]], rgb=True)
    layer: Any = remote_layers.build(m.LayerState(spec, {"name": "colors"}))
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


def writable(kind: str) -> list[Property]:
    # Hidden last: what is not seen has no tool.
    rows = [row for row in layer_properties(kind).values() if row.writable]
    return sorted(rows, key=lambda row: row.name in ("visible", "editable"))


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_what_the_user_sets_shows_and_is_told_once(kind: str) -> None:
    layer = build(kind)
    owner = Owner(layer)
    for row in writable(kind):
        value = row.check(row.examples[0 if row.name in ("visible", "editable") else 1])
        conversion.write(layer, row, value)
        assert conversion.read(layer, row) == value
        assert owner.sets == [("L1", row.name, value)]
        owner.sets.clear()


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_an_invisible_layer_s_mode_is_that_of_the_server(kind: str) -> None:
    """napari has none while it cannot be seen, and each side remembers its own of before."""
    layer, told = build(kind), []
    layer.attach(lambda _layer, row, value: told.append((row.name, value)), lambda *_: None)
    remote_layers.show(layer, {"visible": False, "mode": "pan_zoom"})
    remote_layers.show(layer, {"mode": "transform", "visible": True})
    assert (layer.mode, told) == ("transform", [])
    layer.visible = False
    assert told == [("visible", False), ("mode", "pan_zoom")]
    layer.visible = True
    assert told[2:] == [("visible", True), ("mode", "transform")]


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_what_the_server_says_shows_and_is_not_echoed(kind: str) -> None:
    layer = build(kind)
    owner = Owner(layer)
    for row in writable(kind):
        value = row.check(row.examples[0 if row.name in ("visible", "editable") else 1])
        remote_layers.show(layer, {row.name: value})
        assert conversion.read(layer, row) == value
        assert owner.sets == [], row.name
    layer.opacity = 0.125  # and the gate is open again
    assert owner.sets == [("L1", "opacity", 0.125)]


@pytest.mark.parametrize(
    ("kind", "attribute", "value", "wire"),
    [
        ("points", "size", np.float32(4), 4.0),
        ("points", "size", 4, 4.0),
        ("points", "symbol", "o", "disc"),
        ("points", "face_color", "blue", [0.0, 0.0, 1.0, 1.0]),
        ("points", "face_color", (0, 0, 1), [0.0, 0.0, 1.0, 1.0]),
        ("shapes", "edge_color", "weight", "weight"),
        ("vectors", "edge_color_mode", "colormap", "colormap"),
    ],
)
def test_what_all_elements_have_is_set_as_in_napari(kind: str, attribute: str, value: Any, wire: Any) -> None:
    layer = build(kind)
    owner, events = Owner(layer), []
    emitter = layer.events.emitters.get(attribute)
    if emitter is not None:
        emitter.connect(events.append)
    setattr(layer, attribute, value)
    assert owner.sets == [("L1", attribute, wire)]
    assert len(events) == (emitter is not None)


@pytest.mark.parametrize(
    ("attribute", "value"), [("size", [1.0, 2.0]), ("face_color", ["red", "blue"]), ("symbol", "pentagon")]
)
def test_values_of_single_elements_are_refused_in_one_line(attribute: str, value: Any) -> None:
    layer = build("points")
    owner, before = Owner(layer), getattr(layer, attribute)
    with pytest.raises(ValueError, match="are set on the server$" if attribute != "symbol" else "pentagon"):
        setattr(layer, attribute, value)
    assert np.array_equal(getattr(layer, attribute), before)
    assert owner.sets == []


def test_where_elements_differ_there_is_no_one_value() -> None:
    layer = build("points")
    owner = Owner(layer)
    remote_layers.show(layer, {"size": None, "text.color": None})
    assert len(layer.size) == 0
    assert conversion.read(layer, layer_properties("points")["size"]) is None
    assert owner.sets == []


@pytest.mark.parametrize("kind", [kind for kind in LAYER_KINDS if "features" in layer_properties(kind)])
def test_features_are_names_here_and_set_on_the_server(kind: str) -> None:
    layer = build(kind)
    owner = Owner(layer)
    remote_layers.show(layer, {"features": ["weight", "kind"]})
    assert {"weight", "kind"} <= set(layer.features)
    with pytest.raises(DataError, match=r"^features cannot be set here: the data of"):
        layer.features = {"weight": [1.0]}  # there is no server yet
    assert owner.sets == []


def test_what_the_stub_cannot_show_is_left_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    layer = build("tracks")
    remote_layers.show(layer, {"color_by": "a feature that is not there", "tail_width": 7.0})
    assert layer.tail_width == 7.0
    assert ["color_by" in record.getMessage() for record in caplog.records] == [True]


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


@pytest.mark.parametrize(("name", "value"), [("affine", np.eye(5)), ("rotate", np.zeros((3, 3))), ("scale", [1] * 5)])
def test_where_it_cannot_be_it_is_not_put(name: str, value: Any) -> None:
    layer = build("image")
    viewer = ViewerModel()
    viewer.add_layer(layer)
    told: list[Any] = []
    layer.attach(lambda *what: told.append(what), lambda *_: None)
    before = layer.extent.world.tolist()
    with pytest.raises(ValueError):
        setattr(layer, name, value)
    assert told == []
    assert layer.extent.world.tolist() == viewer.layers.extent.world.tolist() == before


@pytest.mark.parametrize(("kind", "name", "value"), [("image", "opacity", 0.5), ("shapes", "edge_width", 7.0)])
def test_what_is_set_is_told_though_one_who_listens_raises(kind: str, name: str, value: float) -> None:
    def fail(_event: object) -> None:
        raise RuntimeError("of a widget that is gone")

    layer = build(kind)
    owner = Owner(layer)
    getattr(layer.events, name).connect(fail)
    with pytest.raises(Exception, match="of a widget that is gone"):
        setattr(layer, name, value)
    assert owner.sets == [("L1", name, value)]


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
    values = values_of(kind)
    smaller = spec_of(kind, shape=[5, 6, 7], extent=[[0, 0, 0], [4, 5, 6]])
    remote_layers.place(layer, smaller)
    assert layer.data.shape == (5, 6, 7)
    assert layer.extent.data.tolist() == [[0, 0, 0], [4, 5, 6]]
    assert {name: conversion.read(layer, row) for name, row in layer_properties(kind).items()} == values | {
        "locked_data_level": None  # napari does that, on the server too
    }
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
    remote_layers.show(layer, {"translate": [100.0, 200.0, 300.0]})
    remote_layers.place(layer, spec_of(kind, extent=extent))
    assert layer.translate.tolist() == [100.0, 200.0, 300.0]
    assert np.array_equal(layer.extent.data, extent)
    assert not np.array_equal(layer.extent.world, before)
    assert extents
    assert np.array_equal(extents[-1], layer.extent.world)
    assert owner.sets == []


@pytest.mark.parametrize("kind", ["points", "shapes", "vectors"])
def test_what_is_empty_is_no_part_of_the_scene(kind: str) -> None:
    viewer = ViewerModel()
    viewer.add_layer(build("image"))
    before = viewer.layers.extent.world.tolist()
    empty = build(kind, layer="L2", extent=[])
    viewer.add_layer(empty)
    Owner(empty)
    empty.translate = (1e6, 1e6, 1e6)
    assert viewer.layers.extent.world.tolist() == before
    remote_layers.place(empty, spec_of(kind, extent=[[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]))
    assert viewer.layers.extent.world[1].min() > 1e5
    remote_layers.place(empty, spec_of(kind, extent=[]))
    assert viewer.layers.extent.world.tolist() == before


def test_layers_share_nothing() -> None:
    one, other = build("image"), build("image", layer="L2")
    owner = Owner(one, other)
    one.gamma = 1.5
    assert other.gamma == values_of("image")["gamma"]
    assert owner.sets == [("L1", "gamma", 1.5)]


def test_what_is_seen_of_a_layer_is_reckoned_when_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = build("image")
    own = napari_layers.Image(layer.data, scale=layer.scale, translate=layer.translate, contrast_limits=(0, 1))
    own.rotate, own.shear, own.affine = layer.rotate, layer.shear, layer.affine
    reckoned: list[Layer] = []
    update_draw = Layer._update_draw

    def reckon(layer: Layer, **view: Any) -> None:
        reckoned.append(layer)
        update_draw(layer, **view)

    monkeypatch.setattr(Layer, "_update_draw", reckon)
    for offset in (0.0, 50.0):
        corners = np.array([[10.0, 20.0], [300.0, 400.0]]) + offset
        view = {"scale_factor": 0.5, "corner_pixels_displayed": corners, "shape_threshold": (600, 800)}
        own._update_draw(**view)
        reckoned.clear()
        layer._update_draw(**view)
        assert layer.scale_factor == 0.5
        assert not reckoned, "of 500 layers nobody asks"
        assert np.array_equal(layer.corner_pixels, own.corner_pixels)


def test_the_level_of_a_pyramid_is_shown_as_soon_as_it_is_drawn() -> None:
    layer = build("image", level_shapes=[list(HUGE), [max(1, n // 4) for n in HUGE]])
    layer.locked_data_level = None
    levels = []
    for pixels in (10**9, 10):
        corners = np.array([[-1e7, -1e7], [1e7, 1e7]])
        layer._update_draw(scale_factor=0.5, corner_pixels_displayed=corners, shape_threshold=(pixels, pixels))
        levels.append(layer.data_level)
    assert levels == [0, 1]


def test_the_plain_napari_classes_are_untouched() -> None:
    plain: Layer = napari_layers.Image(np.zeros((4, 4)))
    plain.opacity = 0.5
    assert not isinstance(plain, RemoteLayer)
    assert plain.extent.data.tolist() == [[0, 0], [3, 3]]
