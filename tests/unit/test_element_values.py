"""What single elements of a layer have survives the way to another layer of the same data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Points, Tracks

from differing_elements import LAYERS, PLACES, STEPS
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


def test_features_of_another_number_of_elements_are_refused() -> None:
    with pytest.raises((ValueError, CommandError)):
        set_features(Points(PLACES), {"feature:weight": np.ones(2)})
    with pytest.raises(CommandError, match="one value for each"):
        set_features(Points(PLACES), {"feature:weight": np.ones((3, 2))})
    with pytest.raises(CommandError, match="has no features"):
        set_features(Image(np.zeros((3, 3))), {"feature:weight": np.ones(3)})
