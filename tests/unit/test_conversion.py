"""Wire values to napari's objects and back, for every row of the table on real napari models."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers.points._points_constants import Symbol
from napari.layers.utils.string_encoding import DirectStringEncoding, ManualStringEncoding
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap

from layers_of_each_kind import layer_of
from napari_cuda import conversion
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import LAYER_KINDS, TABLE, layer_properties, scope_properties
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.view import View


def viewer_models() -> dict[str, Any]:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((9, 8, 8), np.uint8))
    return {Scope.DIMS: viewer.dims, Scope.CAMERA: viewer.scene.camera, Scope.VIEW: View.of(viewer)}


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """One napari object for each scope: what one row sets another can live with."""
    layers = {f"{Scope.LAYER}:{kind}": layer_of(kind) for kind in LAYER_KINDS}
    return {Scope.LAYER: layers[Scope.IMAGE]} | layers | viewer_models()


@pytest.fixture(scope="module")
def initial() -> dict[str, m.Values]:
    """What napari has at first, by scope."""
    layers = {f"{Scope.LAYER}:{kind}": layer_of(kind) for kind in LAYER_KINDS}
    fresh = {Scope.LAYER: layers[Scope.IMAGE]} | layers | viewer_models()
    return {
        scope: {row.name: conversion.read(model, row) for row in TABLE if row.scope == scope}
        for scope, model in fresh.items()
    }


WRITABLE = [row for row in TABLE if row.writable and row.scope is not Scope.SCENE]


@pytest.mark.parametrize("row", WRITABLE, ids="{0.scope}.{0.name}".format)
def test_what_is_written_reads_back_the_same(models: dict[str, Any], row: Property) -> None:
    model = models[row.scope]
    if row.name == "contrast_limits":
        model.contrast_limits_range = (0, 250)
    if row.scope.startswith(Scope.LAYER):
        model.visible = model.editable = True
    for example in row.examples:
        conversion.write(model, row, row.check(example))
        assert conversion.read(model, row) == row.check(example)


@pytest.mark.parametrize("row", [row for row in TABLE if row.scope is not Scope.SCENE], ids="{0.scope}.{0.name}".format)
def test_what_napari_has_at_first_is_a_valid_wire_value(initial: dict[str, m.Values], row: Property) -> None:
    wire = initial[row.scope][row.name]
    if not (row.wire.kind in ("per_element", "encoding") and wire is None):
        assert row.check(json.loads(json.dumps(wire, allow_nan=False))) == wire


@pytest.mark.parametrize(
    ("name", "native", "wire"),
    [
        ("size", np.full(1000, 7), 7),
        ("size", np.arange(1000), None),
        ("size", np.array([1, 2, 1]), None),
        ("size", np.empty(0), None),
        ("symbol", np.full(9, Symbol.STAR, dtype=object), "star"),
        ("symbol", np.array([Symbol.STAR, Symbol.X, Symbol.STAR], dtype=object), None),
        ("face_color", np.tile(np.float32([0.2, 0.4, 0.6, 1]), (5, 1)), [0.2, 0.4, 0.6, 1.0]),
        ("face_color", np.eye(4), None),
        ("face_color", np.empty((0, 4)), None),
        ("text.string", DirectStringEncoding(feature="weight"), "{weight}"),
        ("text.string", ManualStringEncoding(array=["a", "b"]), None),
    ],
    ids=str,
)
def test_what_elements_share_is_one_value_and_null_if_they_differ(name: str, native: Any, wire: Any) -> None:
    made = conversion.to_wire(layer_properties("points")[name], native)
    assert made == wire
    json.dumps(made)


ROW = layer_properties("image")["colormap"]


@pytest.mark.parametrize("name", sorted(AVAILABLE_COLORMAPS))
def test_napari_s_colormaps_travel_by_name(name: str) -> None:
    wire = conversion.to_wire(ROW, AVAILABLE_COLORMAPS[name])
    assert wire == name
    assert conversion.to_native(ROW, wire) == AVAILABLE_COLORMAPS[name]


@pytest.mark.parametrize("interpolation", ["linear", "zero"])
def test_other_colormaps_travel_with_their_colours(interpolation: str) -> None:
    colors = [[0.0, 0.0, 0.0, 1.0], [0.25, 0.5, 0.75, 1.0], [1.0, 1.0, 1.0, 0.5]]
    own = Colormap(colors, name="own", interpolation=interpolation)
    wire = conversion.to_wire(ROW, own)
    assert wire["colors"] == colors
    assert ROW.check(json.loads(json.dumps(wire))) == wire
    back = conversion.to_native(ROW, wire)
    assert np.array_equal(back.colors, own.colors)
    assert np.array_equal(back.controls, own.controls)
    assert (back.name, back.interpolation) == (own.name, own.interpolation)
    assert conversion.to_wire(ROW, back) == wire


def test_a_changed_colormap_does_not_travel_by_the_name_it_kept() -> None:
    changed = Colormap([[0, 0, 0, 1], [1, 0, 0, 1]], name="viridis")
    assert isinstance(conversion.to_wire(ROW, changed), dict)


def test_a_colormap_that_napari_does_not_know_is_napari_s_to_refuse() -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        conversion.to_native(ROW, "no such colormap")


PLAIN = scope_properties(Scope.CAMERA)["zoom"]


@pytest.mark.parametrize(
    ("native", "wire"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        ((1, (2.5, np.uint8(7))), [1, [2.5, 7]]),
        (None, None),
        ("text", "text"),
    ],
    ids=str,
)
def test_numpy_and_tuples_become_plain_json(native: Any, wire: Any) -> None:
    made = conversion.to_wire(PLAIN, native)
    assert made == wire
    json.dumps(made)


def test_lists_become_tuples_as_napari_takes_them() -> None:
    assert conversion.to_native(scope_properties(Scope.CAMERA)["center"], [1.0, 2.0, 3.0]) == (1.0, 2.0, 3.0)
    assert conversion.to_native(PLAIN, 4.0) == 4.0


def test_a_colour_of_eight_bits_comes_back_as_it_was() -> None:
    """napari keeps some colours as hexadecimal text: a value that has been there and back is the same text."""
    layer = layer_of("shapes")
    row = layer_properties("shapes")["current_edge_color"]
    for level in range(256):
        conversion.write(layer, row, [round(level / 255, 6)] * 4)
        text, wire = layer.current_edge_color, conversion.read(layer, row)
        conversion.write(layer, row, wire)
        assert (layer.current_edge_color, conversion.read(layer, row)) == (text, wire)
