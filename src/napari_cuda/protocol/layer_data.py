"""What the data routes answer: which arrays a layer's data is, and why one cannot be read or written. Pure."""

from __future__ import annotations

import builtins
from typing import Any

import msgspec

from napari_cuda.protocol.errors import NapariCudaError, RemoteError, with_trace

DTYPE_HEADER, SHAPE_HEADER, REVISION_HEADER = "x-dtype", "x-shape", "x-revision"

ROWS_HEADER = "x-rows"
"""How many rows a table of features has, of which the first ones may have been asked for."""

TABLE_ITEM_BYTES = 8
"""Of most values in a table: what packing goes by."""

LONGEST_TRACEBACK = 16_000
"""Characters, the last of it: what raised stands there."""


class ArrayInfo(msgspec.Struct, frozen=True):
    """One array: `dtype` as numpy's `dtype.str`, `chunks` the sides of a chunk (none: it is not in chunks)."""

    shape: list[int]
    dtype: str
    chunks: list[int] = []
    why_fixed: str = ""
    """Why nothing can be written to it; "": something can."""


class LayerData(msgspec.Struct, frozen=True):
    """The arrays of a layer, as of a revision of the scene.

    Of an image and of labels: its levels. Points, vectors, tracks: one. A surface: vertices, faces, values. Shapes:
    the corners of all, and how many each has.
    """

    kind: str
    revision: int
    arrays: list[ArrayInfo]


class DataFailure(msgspec.Struct, frozen=True):
    """Why a request for data was not done. `kind`: the class of the exception, with its traceback on the server."""

    code: str
    message: str
    kind: str = ""
    traceback: str = ""


def failure_as_error(failure: DataFailure) -> Exception:
    """Return a failure as the exception that it was, if Python has its class, else as a RemoteError.

    The server's traceback is its note.
    """
    cls: Any = getattr(builtins, failure.kind, None)
    if isinstance(cls, type) and issubclass(cls, Exception) and failure.kind not in _NEED_ARGUMENTS:
        error: Exception = cls(failure.message)
    else:
        named = failure.kind and not isinstance(cls, type)
        error = RemoteError(f"{failure.kind}: {failure.message}" if named else failure.message)
    return with_trace(error, failure.traceback)


def is_refusal(error: Exception) -> bool:
    """Return whether it is one of ours: its line is made for the user, and its traceback tells nothing more."""
    return isinstance(error, NapariCudaError)


_NEED_ARGUMENTS = frozenset({"UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError", "ExceptionGroup"})
