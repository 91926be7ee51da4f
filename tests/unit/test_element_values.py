"""What single elements of a layer have survives the way to another layer of the same data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.layers import Image, Points, Surface, Tracks

from differing_elements import EVERY_COLUMN, LAYERS, MESH, PLACES, STEPS
from napari_cuda.element_values import element_values, set_element_values, set_features
from napari_cuda.protocol.errors import CommandError


def same(one: Any, other: Any) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("kind", LAYERS)
def test_all_that_differs_arrives(kind: str) -> None:
    make, differing = LAYERS[kind]
    here = make(**differing)
    values = element_values(here)
    there: Any = make(**{name: value for name, value in differing.items() if name == "shape_type"})
    set_features(there, values)
    set_element_values(there, values)
    for name in differing:
        if name == "features":
            assert there.features.equals(here.features)
            assert list(there.features.dtypes) == list(here.features.dtypes)
        elif name == "text":
            assert same(there.text.values, here.text.values)
            assert same(there.text.color.array, here.text.color.array)
        elif name == "graph":
            assert there.graph == here.graph
        else:
            assert same(getattr(there, name), getattr(here, name)), name
    assert {name: array.tolist() for name, array in element_values(there).items()} == {
        name: array.tolist() for name, array in values.items()
    }


def test_what_all_elements_have_is_not_theirs() -> None:
    assert element_values(Points(PLACES, size=3, face_color="red")) == {}
    assert element_values(Points(ndim=2)) == {}
    assert element_values(Tracks(STEPS)) == {}
    assert element_values(Image(np.zeros((3, 3)))) == {}


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("size", np.array([1.0, 2.0])),
        ("size", np.array([1.0, np.nan, 2.0])),
        ("size", np.array([1.0, -1.0, 2.0])),
        ("size", np.array(["1", "2", "3"])),
        ("size", np.ones((3, 2))),
        ("face_color", np.ones((3, 3))),
        ("face_color", np.full((3, 4), 2.0)),
        ("symbol", np.array(["disc", "star", "no such"])),
        ("shown", np.array([0, 1, 2])),
        ("text.string", np.array([1.0, 2.0, 3.0])),
        ("opacity", np.ones(3)),
        ("graph", np.array([[0, 1]])),
        ("data", np.ones((3, 2))),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_could_not_be_drawn_is_refused(name: str, array: Any) -> None:
    with pytest.raises(CommandError):
        set_element_values(Points(PLACES), {name: array})


@pytest.mark.parametrize("name", EVERY_COLUMN)
def test_a_column_of_features_arrives_as_it_was(name: str) -> None:
    values = element_values(Points(PLACES, features=EVERY_COLUMN[[name]]))
    assert {array.dtype.kind for array in values.values()} <= set("biufU"), "what the wire takes"
    there = Points(PLACES)
    set_features(there, values)
    pd.testing.assert_series_equal(there.features[name], EVERY_COLUMN[name])
    pairs = zip(there.features[name], EVERY_COLUMN[name], strict=True)
    assert all(type(one) is type(other) for one, other in pairs)


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (pd.Series([[1], 2, 3], dtype=object), "a value of type list"),
        (pd.Series([1, object(), 3], dtype=object), "a value of type object"),
        (pd.Series(pd.period_range("2026", periods=3)), "is of period"),
        (pd.Series(pd.Categorical([(1, 2), (1, 2), None])), "a value of type tuple"),
        (pd.Series(np.ones(3, np.longdouble)), "is of float128"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_has_no_faithful_form_is_refused_in_one_line(column: Any, what: str) -> None:
    layer = Points(PLACES, features=pd.DataFrame({"odd": column}))
    with pytest.raises(CommandError, match=f"its feature 'odd' (has )?{what}.*, which has no form that can be sent$"):
        element_values(layer)


def text(content: str) -> Any:
    return np.frombuffer(content.encode(), np.uint8)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (text("[1, 2"), "object"),
        (text('{"1": 2}'), "object"),
        (text('[{"function": "exit"}, 1, 2]'), "object"),
        (text('[{"date": "never"}, 1, 2]'), "object"),
        (text("[[[1]], 1, 2]"), "object"),
        (text("[" * 100_000), "object"),
        (text('["a", 1, 2]'), "Int64"),
        (np.arange(3), "object"),
        (np.arange(3), "period[D]"),
        (np.arange(3), "datetime64[ns, dateutil//etc/passwd]"),
        (np.arange(3), "datetime64[ns, ../../etc/passwd]"),
        (np.arange(3), "category"),
        (np.ones(3), "complex128"),
        (text("[]"), "x" * 10_000),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_column_is_refused_in_one_line(values: Any, dtype: str) -> None:
    with pytest.raises(CommandError, match=r"^feature 'odd' is no column of .{1,300}$"):
        set_features(Points(PLACES), {"feature:odd": values, "dtype:odd": np.array([dtype])})


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("texcoords", np.ones((2, 2))),
        ("texcoords", np.ones((3, 3))),
        ("texture", np.ones(3)),
        ("texture", np.ones((4, 4, 2))),
        ("texture", np.ones((0, 4, 3))),
        ("texture", np.ones((4, 4), np.int64)),
        ("texture", np.broadcast_to(np.uint8(1), (1, 20_000, 3))),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_texture_that_could_not_be_drawn_is_refused(name: str, array: Any) -> None:
    with pytest.raises(CommandError):
        set_element_values(Surface(MESH), {name: array})


def test_features_of_another_number_of_elements_are_refused() -> None:
    with pytest.raises((ValueError, CommandError)):
        set_features(Points(PLACES), {"feature:weight": np.ones(2)})
    with pytest.raises(CommandError, match="one value for each"):
        set_features(Points(PLACES), {"feature:weight": np.ones((3, 2))})
    with pytest.raises(CommandError, match="has no features"):
        set_features(Image(np.zeros((3, 3))), {"feature:weight": np.ones(3)})
