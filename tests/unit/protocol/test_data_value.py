from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from napari_cuda.protocol.data_value import from_wire, to_wire

SCALARS = [
    np.uint16(65535),
    np.int64(-(2**63)),
    np.uint64(2**64 - 1),
    np.float32(0.1),
    np.float64("nan"),
    np.float64("-inf"),
    np.bool_(True),
    np.complex64(1 - 2j),
    np.array([1, 2, 255], np.uint8),
    np.array([0.5, np.nan, 1.0], ">f4"),
]


def same(found: Any, expected: Any) -> bool:
    return (
        np.asarray(found).dtype == np.asarray(expected).dtype.newbyteorder("<")
        and np.asarray(found).shape == np.asarray(expected).shape
        and bool(np.array_equal(found, expected, equal_nan=True))
    )


def there_and_back(value: Any) -> Any:
    return from_wire(json.loads(json.dumps(to_wire(value), allow_nan=False)))


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_numbers_keep_their_dtype_to_the_last_bit(value: Any) -> None:
    assert same(there_and_back(value), value)


@pytest.mark.parametrize("value", [None, True, 7, 2**62, (3, None), (None, None), ()])
def test_what_has_no_dtype_comes_back_as_it_is(value: Any) -> None:
    assert there_and_back(value) == value


def test_a_level_and_its_value_come_back_as_a_tuple() -> None:
    level, value = there_and_back((2, np.uint16(300)))
    assert (level, value, value.dtype) == (2, 300, np.uint16)


def test_what_is_no_number_becomes_its_text() -> None:
    assert there_and_back(np.array(["a cell"])[0]) == "a cell"


@pytest.mark.parametrize(
    "wire",
    [
        {"dtype": "<u2", "shape": [4], "data": "AAA="},
        {"dtype": "no dtype", "shape": [], "data": ""},
        {"dtype": "<u2", "shape": []},
    ],
)
def test_nonsense_is_an_error_and_no_value(wire: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        from_wire(wire)
