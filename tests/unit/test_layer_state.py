"""What a napari layer is on the wire: kind, spec, values; and what may place it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from layers_of_each_kind import layer_of
from napari_cuda.layer_state import check_placement, kind_of, layer_spec, layer_values
from napari_cuda.protocol.properties import LAYER_KINDS, layer_properties


class OwnImage(Image):
    """What a plugin may define."""


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_every_kind_has_its_spec_and_all_values(kind: str) -> None:
    layer = layer_of(kind)
    assert kind_of(layer) == kind
    spec = layer_spec(layer, "L1")
    assert (spec.kind, spec.ndim, bool(spec.shape)) == (kind, 3, kind in ("image", "labels"))
    assert np.array_equal(spec.extent, layer.extent.data)
    values = layer_values(layer)
    assert set(values) == set(layer_properties(kind))
    json.dumps(values, allow_nan=False)


def test_a_subclass_is_of_its_base_s_kind() -> None:
    assert kind_of(OwnImage(np.zeros((4, 4)))) == "image"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", [1.0, 1.0]),
        ("translate", [1.0] * 4),
        ("shear", [0.5] * 2),
        ("rotate", [[1.0, 0.0], [0.0, 1.0]]),
        ("rotate", np.zeros((3, 3)).tolist()),
        ("rotate", [[1.0, 0.0, 0.0], [0.0, 1.0], [0.0]]),
        ("affine", np.eye(3).tolist()),
        ("affine", np.ones((4, 4)).tolist()),
    ],
)
def test_what_does_not_fit_the_layer_cannot_place_it(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"3 dimensions|inverted|inhomogeneous"):
        check_placement(layer_of("image"), name, value)


@pytest.mark.parametrize("name", ["scale", "translate", "shear", "rotate", "affine", "opacity"])
def test_what_the_layer_has_may_place_it(name: str) -> None:
    layer = layer_of("points")
    check_placement(layer, name, layer_values(layer)[name])
