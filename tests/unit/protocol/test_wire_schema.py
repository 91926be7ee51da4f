"""Every wire type as JSON: what a page needs to make a control."""

from __future__ import annotations

import json

import pytest

from napari_cuda.protocol.properties import TABLE
from napari_cuda.protocol.property import Property
from napari_cuda.protocol.wire_schema import schema_of
from napari_cuda.protocol.wire_types import Choice, Color, ListOf, Number, OrNull, PerElement, Record, Text, WireType


@pytest.mark.parametrize(
    ("wire", "schema"),
    [
        (Number(0), {"type": "number", "low": 0, "high": None, "integer": False, "nonzero": False}),
        (Text(64, optional=True), {"type": "text", "longest": 64, "optional": True}),
        (Choice(("a", "b")), {"type": "choice", "options": ["a", "b"]}),
        (OrNull(Color()), {"type": "or_null", "item": {"type": "color"}}),
        (PerElement(Color(), column=True), {"type": "per_element", "item": {"type": "color"}, "column": True}),
        (
            ListOf(Color(), 2),
            {"type": "list_of", "item": {"type": "color"}, "count": 2, "most": 4096, "increasing": False},
        ),
        (Record((("a", Color()),)), {"type": "record", "fields": [["a", {"type": "color"}]]}),
    ],
)
def test_a_schema_is_the_wire_type_and_its_fields(wire: WireType, schema: dict[str, object]) -> None:
    assert schema_of(wire) == schema


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.scope}.{row.name}")
def test_every_row_of_the_table_has_one_in_plain_json(row: Property) -> None:
    schema = schema_of(row.wire)
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema
