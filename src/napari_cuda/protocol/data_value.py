"""Data values on the wire: what a layer has at a position, with its dtype and to the last bit.

JSON has neither dtypes nor NaN, so numbers of numpy travel as bytes.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from napari_cuda.protocol.wire_types import Wire


def to_wire(value: Any) -> Wire:
    """Return the wire form of what napari's `Layer.get_value` returns.

    None, a number, an array (RGB), or a tuple of such: (level, value), (shape, vertex). What is of no
    numeric dtype becomes its text.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (tuple, list)):
        return [to_wire(entry) for entry in value]
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        return str(value)
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return {
        "dtype": little.dtype.str,
        "shape": list(array.shape),
        "data": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def from_wire(wire: Wire) -> Any:
    """Return the value again: lists as tuples, numbers of numpy as scalars or arrays of their dtype.

    Raises ValueError, KeyError or TypeError if it is no such form.
    """
    if isinstance(wire, list):
        return tuple(from_wire(entry) for entry in wire)
    if not isinstance(wire, dict):
        return wire
    dtype = np.dtype(wire["dtype"])
    shape = tuple(wire["shape"])
    array = np.frombuffer(base64.b64decode(wire["data"]), dtype, count=math.prod(shape)).reshape(shape)
    return array[()]
