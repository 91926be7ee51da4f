"""Parts of real napari layers, evented by napari's own models and by psygnal: the row that changed is told."""

from __future__ import annotations

from typing import Any

import pytest
from napari.layers.utils.plane import ClippingPlane

from layers_of_each_kind import layer_of
from napari_cuda import conversion
from napari_cuda.evented_parts import watch_parts
from napari_cuda.protocol.properties import LAYER_KINDS, layer_properties
from napari_cuda.protocol.property import Property


def watched(kind: str) -> tuple[Any, list[str]]:
    layer, told = layer_of(kind), list[str]()

    def note(row: Property) -> None:
        told.append(row.name)

    watch_parts(layer, layer_properties(kind).values(), note)
    return layer, told


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_each_row_of_a_part_is_told_once_and_no_other_row(kind: str) -> None:
    layer, told = watched(kind)
    for row in layer_properties(kind).values():
        if row.writable:
            for example in row.examples:
                conversion.write(layer, row, example)
        in_a_part = "." in row.attribute or row.wire.kind == "records"
        assert set(told) == ({row.name} if in_a_part else set())
        told.clear()


def test_what_is_done_to_a_list_in_place_is_told() -> None:
    layer, told = watched("image")
    layer.experimental_clipping_planes.append(ClippingPlane())
    assert set(told) == {"experimental_clipping_planes"}
    told.clear()
    layer.experimental_clipping_planes[0].enabled = False
    assert set(told) == {"experimental_clipping_planes"}
    told.clear()
    layer.experimental_clipping_planes.clear()
    assert set(told) == {"experimental_clipping_planes"}


def test_a_value_that_stays_is_not_told() -> None:
    layer, told = watched("image")
    layer.bounding_box.visible = layer.bounding_box.visible
    layer.plane.thickness = layer.plane.thickness
    assert told == []


def test_a_part_that_is_set_as_a_whole_tells_all_its_rows() -> None:
    """napari's event of that has the model itself where a field's name would be."""
    layer, told = watched("points")
    layer.text = {"string": "cell", "size": 20}
    assert {name for name in layer_properties("points") if name.startswith("text.")} <= set(told)
