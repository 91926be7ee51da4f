"""creation(): a layer as the command that makes it, and what no command can carry."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Labels, Layer, Points, Shapes, Surface, Tracks, Vectors

from napari_cuda.client.mirror.new_layer import MOST_BYTES, creation, without_data
from napari_cuda.protocol.commands import ArrayData
from napari_cuda.protocol.errors import CommandError

CORNERS = np.array([[0.0, 0.0], [0.0, 5.0], [4.0, 5.0]])


def test_each_layer_has_an_id_of_its_own() -> None:
    one, other = creation(Points(ndim=2), 0), creation(Points(ndim=2), 3)
    assert one.state.spec.layer != other.state.spec.layer
    assert (one.index, other.index) == (0, 3)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (Points(ndim=3), []),
        (Vectors(ndim=3), []),
        (Shapes(ndim=3), []),
        (Points(CORNERS, size=3), [(3, 2)]),
        (Image(np.zeros((4, 5), np.uint8)), [(4, 5)]),
        (Labels(np.zeros((4, 5), int)), [(4, 5)]),
        (Shapes([CORNERS, CORNERS[:2]], shape_type=["polygon", "line"]), [(3, 2), (2, 2)]),
        (Surface((CORNERS, np.array([[0, 1, 2]]), np.ones(3))), [(3, 2), (1, 3), (3,)]),
        (Tracks(np.array([[0.0, 0, 1, 2], [0, 1, 2, 3]])), [(2, 4)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_data_go_with_it(layer: Layer, shapes: list[tuple[int, ...]]) -> None:
    made = creation(layer, 0)
    assert [tuple(array.shape) for array in made.arrays] == shapes
    assert made.shape_types == (list(layer.shape_type) if isinstance(layer, Shapes) else [])


def test_bytes_are_the_array_s() -> None:
    pixels = np.arange(6, dtype=np.uint16).reshape(2, 3)[::-1]
    assert creation(Image(pixels), 0).arrays == [ArrayData("<u2", [2, 3], pixels.tobytes())]


def never() -> Any:
    raise AssertionError("it was computed")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Image(np.zeros(MOST_BYTES // 8 + 1).reshape(1, -1)), "its 0.6 MB are too much"),
        (lambda: Image([np.zeros((8, 8)), np.zeros((4, 4))], contrast_limits=(0, 1)), "it has several levels"),
        (
            lambda: Points(CORNERS, features={"when": np.array([[1], "a", None], object)}),
            "its feature 'when' has a value",
        ),
    ],
)
def test_what_a_command_cannot_carry(make: Any, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        creation(make(), 0)


def test_what_is_too_large_is_not_computed_to_find_out() -> None:
    lazy = da.from_delayed(da.core.delayed(never)(), (9000, 9000), np.float64)
    layer = Image(da.zeros((4, 4)), contrast_limits=(0, 1))
    layer._data = lazy
    with pytest.raises(CommandError, match=r"its 648\.0 MB are too much"):
        creation(layer, 0)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (Image([np.zeros((8, 8)), np.zeros((4, 4))], contrast_limits=(0, 1)), [(8, 8), (4, 4)]),
        (Image(np.zeros((9, 9, 3), np.uint8), rgb=True), [(9, 9, 3)]),
        (Shapes([CORNERS, CORNERS[:2]], shape_type=["polygon", "line"]), [(3, 2), (2, 2)]),
        (Surface((CORNERS, np.array([[0, 1, 2]]), np.ones(3))), [(3, 2), (1, 3), (3,)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_file_carries_beside_it(layer: Layer, shapes: list[tuple[int, ...]]) -> None:
    made, arrays = without_data(layer, 2)
    assert [tuple(array.shape) for array in arrays] == shapes
    assert (made.arrays, made.index) == ([], 2)
    assert made.shape_types == (["polygon", "line"] if isinstance(layer, Shapes) else [])
    assert len(made.state.spec.level_shapes) in (0, len(arrays))


def test_what_no_file_carries_either() -> None:
    with pytest.raises(CommandError, match="its feature 'when' has a value of type list"):
        without_data(Points(CORNERS, features={"when": np.array([[1], "a", None], object)}), 0)


def test_what_elements_have_for_themselves_goes_after_the_data() -> None:
    layer = Points(CORNERS, size=[1, 2, 3], features={"weight": [1.5, 2, 3], "kind": ["a", "b", "a"]}, symbol="star")
    made, (made_beside, arrays) = creation(layer, 0), without_data(layer, 0)
    assert made.elements == made_beside.elements == ["feature:weight", "feature:kind", "dtype:kind", "size"]
    assert [array.dtype for array in made.arrays] == ["<f8", "<f8", "|u1", "<U3", "<i8"]
    assert [array.tolist() for array in arrays[1:]] == [
        [1.5, 2, 3],
        list(b'["a", "b", "a"]'),
        ["str"],
        [1, 2, 3],
    ]
    assert creation(Points(CORNERS, size=2), 0).elements == [], "one size is a property"
