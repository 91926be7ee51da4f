"""Arrays that a client sent as a file: NumPy's .npz, not compressed, of numbers and text."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cuda.protocol.errors import DataError


def read_arrays(path: str, of_elements: int = 0) -> list[npt.NDArray[Any]]:
    """Return the arrays of an .npz file in the order in which they were saved; DataError in one line if it is none.

    Any thread. The last `of_elements` may be of text, all others are of numbers. Never more memory than the file has
    bytes: a compressed one is refused.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist()):
                raise DataError("arrays that are sent may not be compressed")
        with np.load(path, allow_pickle=False) as stored:
            arrays = [stored[f"arr_{number}"] for number in range(len(stored.files))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"what was sent are no arrays: {error}".splitlines()[0]) from None
    last = len(arrays) - of_elements
    if any(array.dtype.kind not in ("biuf" if index < last else "biufU") for index, array in enumerate(arrays)):
        raise DataError("arrays that are sent must be of numbers")
    return arrays
