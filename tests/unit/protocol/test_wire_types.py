from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.protocol.errors import PropertyError
from napari_cuda.protocol.wire_types import (
    Bool,
    Choice,
    Color,
    ColormapValue,
    FeatureValues,
    LabelColormapValue,
    ListOf,
    Number,
    OrNull,
    PerElement,
    Record,
    Text,
    WireType,
)

RAMP = {"name": "ramp", "colors": [[0, 0, 0, 1], [1, 0.5, 0, 1]], "controls": [0, 1], "interpolation": "linear"}
RED = [1.0, 0.0, 0.0, 1.0]
CYCLE = {"colors": [[0.0] * 4, RED], "background": 0}
DIRECT = {"direct": {"-1": RED, "default": [0.0] * 4}, "background": 0}
POINT = Record((("x", Number()), ("on", Bool())))
DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]

ACCEPTED = [
    (Bool(), True, True),
    (Bool(), False, False),
    (Number(), -3, -3.0),
    (Number(0, 1), 1, 1.0),
    (Number(0, 1), 0.0, 0.0),
    (Number(integer=True), 3.0, 3),
    (Number(integer=True), 2**53 + 1, 2**53 + 1),
    (Text(3), "abc", "abc"),
    (Text(), "", ""),
    (Text(optional=True), None, None),
    (Choice(("a", "b")), "b", "b"),
    (ListOf(Number()), [], []),
    (ListOf(Number(), 2), (1, 2), [1.0, 2.0]),
    (ListOf(Number(), 2, increasing=True), [1, 1.5], [1.0, 1.5]),
    (ListOf(ListOf(Number(integer=True), 1)), [[1], [2]], [[1], [2]]),
    (ColormapValue(), "viridis", "viridis"),
    (ColormapValue(), RAMP, RAMP),
    (Number(nonzero=True), -2, -2.0),
    (OrNull(Number()), None, None),
    (OrNull(Number()), 2, 2.0),
    (Color(), [1, 0, 0.30000001192, 1], [1.0, 0.0, 0.3, 1.0]),
    (PerElement(Number()), 2, 2.0),
    (PerElement(Color(), column=True), RED, RED),
    (PerElement(Color(), column=True), "weight", "weight"),
    (POINT, {"on": True, "x": 1}, {"x": 1.0, "on": True}),
    (FeatureValues(), {"a": 1.5, "b": None, "c": "x", "d": True}, {"a": 1.5, "b": None, "c": "x", "d": True}),
    (LabelColormapValue(), CYCLE, CYCLE),
    (LabelColormapValue(), DIRECT, DIRECT),
]

REFUSED = [
    (Bool(), 1),
    (Bool(), "true"),
    (Bool(), None),
    (Number(), True),
    (Number(), "1"),
    (Number(), None),
    (Number(), math.nan),
    (Number(), math.inf),
    (Number(), 10**400),
    (Number(integer=True), 10**400),
    (Number(0, 1), 1.0000001),
    (Number(0, 1), -5e-324),
    (Number(integer=True), 2.5),
    (Number(2, 3, integer=True), 4),
    (Text(3), "abcd"),
    (Text(), 5),
    (Text(), None),
    (Choice(("a", "b")), "c"),
    (Choice(("a", "b")), ["a"]),
    (Choice(("a", "b")), None),
    (ListOf(Number()), "12"),
    (ListOf(Number()), {"0": 1}),
    (ListOf(Number()), [1, "2"]),
    (ListOf(Number(), 2), [1]),
    (ListOf(Number(), 2), [1, 2, 3]),
    (ListOf(Number(), most=3), [1, 2, 3, 4]),
    (ListOf(Number(), 2, increasing=True), [1, 1]),
    (ListOf(Number(), 2, increasing=True), [2, 1]),
    (ListOf(Number()), DEEP),
    (ListOf(ListOf(Number())), DEEP),
    (Bool(), DEEP),
    (Number(nonzero=True), 0),
    (OrNull(Number()), "1"),
    (Color(), RED[:3]),
    (Color(), "red"),
    (Color(), [1, 0, 0, 1.5]),
    (PerElement(Number()), None),
    (PerElement(Number()), [1, 2]),
    (PerElement(Color()), "weight"),
    (POINT, {"x": 1}),
    (POINT, {"x": 1, "on": True, "y": 2}),
    (POINT, {"x": "1", "on": True}),
    (FeatureValues(), {"a": [1]}),
    (FeatureValues(), {"a": math.inf}),
    (FeatureValues(), {"a" * 257: 1}),
    (LabelColormapValue(), "viridis"),
    (LabelColormapValue(), CYCLE | {"colors": [RED]}),
    (LabelColormapValue(), CYCLE | DIRECT),
    (LabelColormapValue(), {"direct": {"1": RED}, "background": 0}),
    (LabelColormapValue(), {"direct": {"one": RED, "default": RED}, "background": 0}),
    (LabelColormapValue(), CYCLE | {"background": 0.5}),
    (ColormapValue(), ""),
    (ColormapValue(), "x" * 257),
    (ColormapValue(), 3),
    (ColormapValue(), {"name": "ramp"}),
    (ColormapValue(), RAMP | {"more": 1}),
    (ColormapValue(), RAMP | {"colors": [[0, 0, 0]]}),
    (ColormapValue(), RAMP | {"colors": [[0, 0, 0, 1.5]]}),
    (ColormapValue(), RAMP | {"controls": [0, 2]}),
    (ColormapValue(), RAMP | {"interpolation": "cubic"}),
    (ColormapValue(), RAMP | {"name": None}),
    (ColormapValue(), RAMP | {"colors": [[0, 0, 0, 1]] * 4097}),
]


@pytest.mark.parametrize(("wire", "value", "canonical"), ACCEPTED, ids=lambda value: str(value)[:40])
def test_accepts_and_makes_canonical(wire: WireType, value: Any, canonical: Any) -> None:
    checked = wire.check(value)
    assert checked == canonical
    assert type(checked) is type(canonical)
    assert wire.check(checked) == checked


@pytest.mark.parametrize(("wire", "value"), REFUSED, ids=lambda value: str(type(value).__name__))
def test_refuses_in_one_short_line(wire: WireType, value: Any) -> None:
    with pytest.raises(PropertyError) as caught:
        wire.check(value)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (Bool(), "boolean"),
        (Number(), "number"),
        (Number(0), "number ≥ 0"),
        (Number(0, 1), "number in [0, 1]"),
        (Number(2, 3, integer=True), "integer in [2, 3]"),
        (Text(64), "string (≤ 64)"),
        (Text(64, optional=True), "string (≤ 64) or null"),
        (Choice(("a", "b")), r"`a` \| `b`"),
        (ListOf(Number(), 3), "list of 3 × number"),
        (ListOf(Text(8)), "list of string (≤ 8)"),
        (ListOf(Number(), 2, increasing=True), "increasing list of 2 × number"),
        (ColormapValue(), "colormap name, or an object with `name`, `colors`, `controls`, `interpolation`"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_describes_itself_for_the_reference(wire: WireType, words: str) -> None:
    assert wire.describe() == words


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
WIRES: list[WireType] = [
    Bool(), Number(), Number(0, 1), Number(2, 64, integer=True), Text(4), Text(optional=True), Choice(("a", "")),
    ListOf(Number()), ListOf(Number(), 2, increasing=True), ListOf(ListOf(Number(), 3)), ColormapValue(),
]  # fmt: skip


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: type(wire).__name__)
@given(value=json_values)
def test_any_json_value_is_refused_by_name_or_survives_the_wire(wire: WireType, value: Any) -> None:
    try:
        checked = wire.check(value)
    except PropertyError:
        return
    assert wire.check(json.loads(json.dumps(checked, allow_nan=False))) == checked
