"""A layer's table of features on the wire: the whole table, or some of its columns, as the body of a request.

The columns travel as `feature_columns.py` has them, in NumPy's format one behind the other, their names before them.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy

from napari_cuda.feature_columns import from_arrays, to_arrays
from napari_cuda.protocol.errors import CommandError, DataError
from napari_cuda.stored_arrays import MOST_ARRAYS, arrays_in

MOST_TABLE_BYTES = 256 << 20
"""Of one table on its way, which is in memory meanwhile: a million rows of thirty numbers."""

MOST_BODY_BYTES = MOST_TABLE_BYTES + (1 << 20)
"""With the names and heads of the columns."""

ROWS = "rows"
"""Name of the array that says how many rows there are: a table may have no columns."""

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Features:
    """A table as it was read: what tells it from another, and how many rows it has on the server."""

    table: pd.DataFrame
    tag: str
    rows: int


def to_body(table: pd.DataFrame) -> bytes:
    """Return a table as bytes; CommandError, DataError in one line for what has no form that can be sent."""
    arrays: dict[str, Any] = {ROWS: np.array([len(table)])}
    for name, column in table.items():
        arrays |= to_arrays(name, column)
    size = sum(array.nbytes for array in arrays.values())
    if size > MOST_TABLE_BYTES:
        raise DataError(f"a table of {size / 1e6:.0f} MB is too large to be sent: at most {MOST_TABLE_BYTES / 1e6:.0f}")
    out = io.BytesIO()
    for array in (np.array(list(arrays)), *arrays.values()):
        npy.write_array(out, np.ascontiguousarray(array), version=(2, 0), allow_pickle=False)
    return out.getvalue()


def from_body(body: bytes) -> pd.DataFrame:
    """Return the table that the bytes are; CommandError, DataError in one line if they are none."""
    names, *arrays = arrays_in(io.BytesIO(body), len(body), of_elements=MOST_ARRAYS) or [np.empty(0)]
    if names.dtype.kind != "U" or names.shape != (len(arrays),) or len(set(names.tolist())) != len(arrays):
        raise DataError("what arrived is no table of features")
    named = dict(zip(names.tolist(), arrays, strict=True))
    rows = named.pop(ROWS, np.empty(0))
    columns = from_arrays(named)
    lengths = {len(column) for column in columns.values()}
    if rows.dtype.kind not in "iu" or rows.shape != (1,) or not lengths <= {int(rows[0])} or rows[0] < 0:
        raise CommandError("a feature has one value for each element")
    # A table without columns says only how many rows it has: none is made of that number.
    return pd.DataFrame(columns, index=pd.RangeIndex(int(rows[0])))


def tag_of(body: bytes) -> str:
    """Return what tells one table from another."""
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).hexdigest()


def changed_columns(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame | None:
    """Return the columns that are others than before, none maybe; None if the table changed in other ways, too."""
    if len(before) != len(after) or list(before.columns) != list(after.columns)[: before.shape[1]]:
        return None
    names = [name for name in after.columns if name not in before.columns or not _same(before[name], after[name])]
    return pd.DataFrame(after[names])


def _same(before: pd.Series[Any], after: pd.Series[Any]) -> bool:
    return bool(before.dtype == after.dtype and before.equals(after))


def with_columns(table: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which some columns are others; of shorter ones only the first rows.

    ValueError if they are longer than the table, or new ones shorter.
    """
    missing = len(table) - len(columns)
    if missing < 0 or (missing and not set(columns.columns) <= set(table.columns)):
        raise ValueError(f"a feature has one value for each element: {len(columns)} for {len(table)}")
    made = table.copy()
    for name, column in columns.items():
        if missing:
            rest = made[name].iloc[len(columns) :]
            column = pd.concat([column, rest]) if column.dtype == rest.dtype else pd.Series([*column, *rest])
        made[name] = column.set_axis(made.index)
    return made
