"""Wire values to napari's objects and back, for every row of the table on real napari models."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap

from napari_cuda import conversion
from napari_cuda.protocol.properties import TABLE, layer_properties, scope_properties
from napari_cuda.protocol.property import Property, Scope


def model_of(row: Property) -> Any:
    """A napari object that has the property."""
    if row.scope is Scope.LABELS:
        return Labels(np.zeros((4, 8, 8), np.int32))
    if row.scope in {Scope.LAYER, Scope.IMAGE}:
        image = Image(np.arange(256, dtype=np.uint8).reshape(4, 8, 8))
        image.contrast_limits_range = (0, 250)
        return image
    viewer = ViewerModel()
    viewer.add_image(np.zeros((9, 8, 8), np.uint8))
    return {Scope.DIMS: viewer.dims, Scope.CAMERA: viewer.scene.camera, Scope.VIEW: viewer}[row.scope]


WRITABLE = [row for row in TABLE if row.writable and row.scope is not Scope.SCENE]


@pytest.mark.parametrize("row", WRITABLE, ids="{0.scope}.{0.name}".format)
def test_what_is_written_reads_back_the_same(row: Property) -> None:
    model = model_of(row)
    for example in row.examples:
        conversion.write(model, row, row.check(example))
        assert conversion.read(model, row) == row.check(example)


@pytest.mark.parametrize("row", [row for row in TABLE if row.scope is not Scope.SCENE], ids="{0.scope}.{0.name}".format)
def test_what_napari_has_at_first_is_a_valid_wire_value(row: Property) -> None:
    wire = conversion.read(model_of(row), row)
    assert row.check(json.loads(json.dumps(wire, allow_nan=False))) == wire


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


PLAIN = scope_properties(Scope.CAMERA)["center"]


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
    assert conversion.to_native(PLAIN, [1.0, 2.0, 3.0]) == (1.0, 2.0, 3.0)
    assert conversion.to_native(PLAIN, 4.0) == 4.0
