"""What a napari layer is on the wire: kind, spec, values; and what may place it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Points, Surface

from layers_of_each_kind import layer_of
from napari_cuda.layer_state import FARTHEST, check_drawable, check_placement, kind_of, layer_spec, layer_values
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


def test_what_is_empty_is_nowhere() -> None:
    assert layer_spec(Points(None, ndim=3), "L1").extent == []


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
        ("translate", [1e300, 0.0, 0.0]),
        ("text.translation", [1.0, 1.0]),
    ],
)
def test_what_does_not_fit_the_layer_cannot_place_it(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"3 dimensions|inverted|inhomogeneous|beyond"):
        check_placement(layer_of("image"), name, value)


@pytest.mark.parametrize("name", ["scale", "translate", "shear", "rotate", "affine", "opacity", "text.translation"])
def test_what_the_layer_has_may_place_it(name: str) -> None:
    layer = layer_of("points")
    check_placement(layer, name, layer_values(layer)[name])


def test_what_no_camera_or_driver_could_take_is_not_drawable() -> None:
    for kind in LAYER_KINDS:
        check_drawable(layer_of(kind))
    far = layer_of("points")
    far.translate = [2 * FARTHEST, 0, 0]
    with pytest.raises(ValueError, match="reaches farther than"):
        check_drawable(far)
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    for faces in (np.array([[0, 1, 3]]), np.array([[0, 1, -1]]), np.array([[0.0, 1.0, 2.0]])):
        with pytest.raises(ValueError, match="no indices of its 3 vertices"):
            check_drawable(Surface((corners, faces)))
    check_drawable(Surface((corners, np.array([[0, 1, 2]], np.uint8))))
