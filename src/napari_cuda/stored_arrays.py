"""Arrays that a client sent as a file: in NumPy's format, one behind the other, of numbers and text."""

from __future__ import annotations

import math
import os
import tokenize
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from napari_cuda.protocol.errors import DataError

MOST_ARRAYS = 1_000_000


def read_arrays(path: str, of_elements: int = 0) -> list[npt.NDArray[Any]]:
    """Return the arrays of a file in the order in which they were sent; DataError in one line if it has none such.

    Any thread. The last `of_elements` may be of text, all others are of numbers. Never more memory than the file has
    bytes.
    """
    try:
        with open(path, "rb") as file:
            return arrays_in(file, os.fstat(file.fileno()).st_size, of_elements)
    except OSError as error:
        raise DataError(f"what was sent are no arrays: {error}".splitlines()[0]) from None


def arrays_in(file: BinaryIO, size: int, of_elements: int = 0) -> list[npt.NDArray[Any]]:
    """Return the arrays of what is open, and `size` bytes long, as `read_arrays` does."""
    arrays: list[npt.NDArray[Any]] = []
    try:
        while file.tell() < size and len(arrays) < MOST_ARRAYS:
            arrays.append(_read(file, size))
    except (OSError, ValueError, tokenize.TokenError) as error:
        raise DataError(f"what was sent are no arrays: {error}".splitlines()[0]) from None
    last = len(arrays) - of_elements
    if any(array.dtype.kind not in ("biuf" if index < last else "biufU") for index, array in enumerate(arrays)):
        raise DataError("arrays that are sent must be of numbers")
    return arrays


def _read(file: BinaryIO, size: int) -> npt.NDArray[Any]:
    """Read the next array; ValueError if the file has none there, or not all of it."""
    if npy.read_magic(file) != (2, 0):
        raise ValueError("another version of NumPy's format")
    shape, by_columns, dtype = npy.read_array_header_2_0(file)
    count = math.prod(shape)
    if by_columns or dtype.hasobject or dtype.kind not in "biufU" or count < 0:
        raise ValueError(f"an array of {dtype} and shape {shape}")
    if count * dtype.itemsize > size - file.tell():
        raise ValueError("there is less of it than was said")
    out = np.empty(shape, dtype)
    if out.size:
        buffered: Any = file  # which reads on until it has all
        if buffered.readinto(out.reshape(-1).view(np.uint8).data) != out.nbytes:
            raise ValueError("it ends in the middle")
    return out
