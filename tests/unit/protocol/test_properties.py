"""The property table itself, and the document that is rendered from it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from napari_cuda.protocol.errors import PropertyError
from napari_cuda.protocol.properties import (
    LAYER_KINDS,
    TABLE,
    check_values,
    layer_properties,
    reference_table,
    scope_properties,
)
from napari_cuda.protocol.property import Property, Scope

ROOT = Path(__file__).resolve().parents[3]
PROTOCOL_DOC = ROOT / "docs" / "protocol.md"
row_id = "{0.scope}.{0.name}".format


@pytest.mark.parametrize("row", TABLE, ids=row_id)
def test_examples_are_two_different_valid_values(row: Property) -> None:
    first, second = row.examples
    assert row.check(first) != row.check(second)
    for example in row.examples:
        assert row.check(example) == example  # as the docs show it is as it travels
        assert row.check(json.loads(json.dumps(example))) == example


@pytest.mark.parametrize("row", TABLE, ids=row_id)
def test_refusals_name_the_property(row: Property) -> None:
    with pytest.raises(PropertyError, match=f"^{re.escape(row_id(row))}: expected "):
        row.check({"no": {"value": 1}})


def test_names_are_unique_in_each_scope_and_in_each_layer_kind() -> None:
    assert [row for row, count in Counter((row.scope, row.name) for row in TABLE).items() if count > 1] == []
    common = {row.name for row in TABLE if row.scope is Scope.LAYER}
    special = {row.name for row in TABLE if row.scope.startswith("layer:")}
    assert not common & special


def test_every_row_is_found_by_its_scope() -> None:
    found = [
        *[row for kind in LAYER_KINDS for row in layer_properties(kind).values()],
        *[
            row
            for scope in (Scope.SCENE, Scope.DIMS, Scope.CAMERA, Scope.VIEW)
            for row in scope_properties(scope).values()
        ],
    ]
    assert set(map(id, found)) == set(map(id, TABLE))


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_every_layer_kind_has_the_common_properties(kind: str) -> None:
    assert {"name", "visible", "opacity", "blending"} <= set(layer_properties(kind))
    assert ("gamma" in layer_properties(kind)) == (kind in ("image", "surface"))
    assert ("contour" in layer_properties(kind)) == (kind == "labels")


def test_a_range_is_set_before_what_it_limits() -> None:
    order = list(layer_properties("image"))
    assert order.index("contrast_limits_range") < order.index("contrast_limits")
    reversed_values = {"contrast_limits": [1, 2], "contrast_limits_range": [0, 9], "name": "x"}
    accepted, refused = check_values(layer_properties("image"), reversed_values)
    assert list(accepted) == ["name", "contrast_limits_range", "contrast_limits"]
    assert refused == {}


def test_values_are_split_into_accepted_and_refused() -> None:
    accepted, refused = check_values(
        scope_properties(Scope.DIMS), {"ndim": 4, "point": [1, 2], "order": "210", "thickness": 3, "axis_labels": ["y"]}
    )
    assert accepted == {"point": [1.0, 2.0], "axis_labels": ["y"]}
    assert refused == {
        "ndim": "dims.ndim can only be changed by the server",
        "order": "dims.order: expected list of integer in [0, 63], got '210'",
        "thickness": "there is no property 'thickness' here",
    }


def test_what_only_the_server_sets() -> None:
    others = {row_id(row) for row in TABLE if not row.writable and row.name != "features"}
    assert others == {"dims.ndim", "dims.range", "scene.links", "view.rendering.theme"}
    assert not any(row.writable for row in TABLE if row.name == "features")


def between(text: str, name: str) -> str:
    """The one section of a document between the markers of `name`."""
    [section] = re.findall(f"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)
    return str(section)


def test_the_document_contains_exactly_the_table() -> None:
    assert between(PROTOCOL_DOC.read_text("utf-8"), "properties") == reference_table()


def test_the_reference_has_one_whole_row_for_each_property() -> None:
    head, rule, *rows = reference_table().splitlines()
    assert len(rows) == len(TABLE)
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in (head, rule, *rows)}
    assert columns == {6}
    for row, line in zip(TABLE, rows, strict=True):
        assert line.startswith(f"| `{row.scope}` | `{row.name}` |")
        assert line.endswith(f"| {'client and server' if row.writable else 'server'} |")
