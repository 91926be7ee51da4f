"""Columns of features as arrays that can be sent, and back: whatever of pandas has a faithful form.

A column of numbers is its own array. Any other is an array beside an array of one string, which says what the column
is: its dtype in pandas. Nothing is pickled, and nothing that comes is run.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import zoneinfo
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cuda.protocol.errors import CommandError

Array = npt.NDArray[Any]

FEATURE = "feature:"
"""Before the name of a column."""

DTYPE = "dtype:"
"""Before the name of a column whose array alone does not say what it is."""

CATEGORIES = "categories:"
"""Before the name of a column of categories: what they are, a column of its own. The column has their numbers."""

_MOST_KINDS = 10_000_000
"""Of values in one column, as text: an end to what a hostile client may have parsed."""

_TEXT = re.compile(r"object|str|string|boolean|U?Int(8|16|32|64)|Float(32|64)")
"""Columns whose values travel as JSON: those may be missing, or of several types."""

_TIMES = re.compile(r"(datetime64|timedelta64)\[(s|ms|us|ns)(?:, ([A-Za-z0-9_+:/-]{1,64}))?\]")
_CATEGORIES = {"category": False, "ordered category": True}

_MARKS = {"NA": pd.NA, "NaT": pd.NaT}
_MOMENTS: dict[str, tuple[Any, Any]] = {
    "timestamp": (pd.Timestamp, pd.Timestamp),
    "timedelta": (pd.Timedelta, pd.Timedelta),
    "datetime": (dt.datetime, dt.datetime.fromisoformat),
    "date": (dt.date, dt.date.fromisoformat),
    "time": (dt.time, dt.time.fromisoformat),
}
"""What of dates and times may stand in a column of objects; the more special types first."""


def to_arrays(name: object, column: pd.Series[Any]) -> dict[str, Array]:
    """Return a column as arrays by name; CommandError in one line if it has no form that can be sent."""
    arrays: dict[str, Array] = {}
    _add(arrays, FEATURE, str(name), column)
    return arrays


def from_arrays(arrays: Mapping[str, Array]) -> dict[str, pd.Series[Any]]:
    """Return the columns that are among `arrays`; CommandError in one line for what is none."""
    names = [name.removeprefix(FEATURE) for name in arrays if name.startswith(FEATURE)]
    return {name: _column(arrays, FEATURE, name) for name in names}


def is_of_column(name: str) -> bool:
    """Whether an array of this name belongs to a column."""
    return name.startswith((FEATURE, DTYPE, CATEGORIES))


def _add(arrays: dict[str, Array], prefix: str, name: str, column: Any) -> None:
    """Add what makes a column: `prefix` says whether it is one of the table, or the categories of one."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf" and dtype.itemsize <= 8:
        arrays[prefix + name] = column.to_numpy()
        return
    if isinstance(dtype, pd.CategoricalDtype) and prefix == FEATURE:
        arrays[prefix + name] = column.cat.codes.to_numpy()
        _add(arrays, CATEGORIES, name, pd.Series(dtype.categories))
        what = "ordered category" if dtype.ordered else "category"
    else:
        what = str(dtype)
        times = _TIMES.fullmatch(what)
        if times is not None and _zone(times[3]) is not None:
            arrays[prefix + name] = column.astype("int64").to_numpy() if times[3] is None else _utc(column)
        elif what == "complex128":
            arrays[prefix + name] = column.to_numpy().view(np.float64)
        elif _TEXT.fullmatch(what):
            arrays[prefix + name] = _as_text(name, column)
        else:
            raise CommandError(f"its feature {name[:64]!r} is of {what[:64]}, which has no form that can be sent")
    arrays[_dtype_name(prefix, name)] = np.array([what])


def _column(arrays: Mapping[str, Array], prefix: str, name: str) -> pd.Series[Any]:
    values = arrays[prefix + name]
    told = arrays.get(_dtype_name(prefix, name))
    if values.ndim != 1 or (told is not None and (told.shape != (1,) or told.dtype.kind != "U")):
        raise CommandError("a feature has one value for each element")
    what = "" if told is None else str(told[0])
    try:
        return _of_dtype(arrays, prefix, name, what)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CommandError(f"feature {name[:64]!r} is no column of {what[:64]}: {reason[:200]}") from None


def _of_dtype(arrays: Mapping[str, Array], prefix: str, name: str, what: str) -> pd.Series[Any]:
    values = arrays[prefix + name]
    times = _TIMES.fullmatch(what)
    if not what:
        return pd.Series(values)
    if what in _CATEGORIES and prefix == FEATURE:
        categories = _column(arrays, CATEGORIES, name)
        kind = pd.CategoricalDtype(pd.Index(categories), ordered=_CATEGORIES[what])
        return pd.Series(pd.Categorical.from_codes(values, dtype=kind))
    if times is not None and (zone := _zone(times[3])) is not None:
        moments = pd.Series(values.astype(np.int64).view(f"{'m' if times[1] == 'timedelta64' else 'M'}8[{times[2]}]"))
        return moments if not zone else moments.dt.tz_localize("UTC").dt.tz_convert(zone)
    if what == "complex128":
        return pd.Series(values.astype(np.float64).view(np.complex128))
    if _TEXT.fullmatch(what):
        return _from_text(values, what)
    raise ValueError("there is no such dtype here")


def _dtype_name(prefix: str, name: str) -> str:
    return DTYPE + (name if prefix == FEATURE else prefix + name)


def _zone(name: str | None) -> str | None:
    """Return a time zone that both sides know by this name, "" for none; None if there is none such."""
    if name is None:
        return ""
    fixed = re.fullmatch(r"UTC([+-]\d\d:\d\d)?", name) is not None
    return name if fixed or name in zoneinfo.available_timezones() else None


def _utc(column: Any) -> Array:
    moments: Array = column.dt.tz_convert("UTC").dt.tz_localize(None).astype("int64").to_numpy()
    return moments


# --- values of several types, or missing ----------------------------------------------------


def _as_text(name: str, column: Any) -> Array:
    values = [_json(name, value) for value in column]
    return np.frombuffer(json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass"), np.uint8)


def _from_text(text: Array, what: str) -> pd.Series[Any]:
    if text.dtype != np.uint8 or len(text) > 32 * _MOST_KINDS:
        raise ValueError("its text is no text")
    values = json.loads(text.tobytes().decode("utf-8", "surrogatepass"))
    if not isinstance(values, list):
        raise ValueError("its text is no list")
    return pd.Series([_native(value) for value in values], dtype=what)


def _json(name: str, value: Any) -> Any:
    """Return one value as JSON: scalars themselves, what JSON has not as {what: text}."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    for mark, missing in _MARKS.items():
        if value is missing:
            return {mark: ""}
    for what, (kind, _read) in _MOMENTS.items():
        if isinstance(value, kind):
            text: str = value.isoformat()
            return {what: text}
    raise CommandError(
        f"its feature {name[:64]!r} has a value of type {type(value).__name__}, which has no form that can be sent"
    )


def _native(value: Any) -> Any:
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ValueError("a list is no value")
        return value
    ((what, text),) = value.items()
    return _MARKS[what] if what in _MARKS else _MOMENTS[what][1](text)
