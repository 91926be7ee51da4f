"""FeatureTables: the tables of features that a widget shows, which may not wait for the server."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pandas as pd

from napari_cuda.client.errands import Errands
from napari_cuda.client.mirror.remote_array import Source
from napari_cuda.client.mirror.remote_features import NAPARI_WIDGETS, Followed, ServedFeatures
from napari_cuda.feature_table import Features, changed_columns
from napari_cuda.protocol.errors import DataError, NapariCudaError

MOST_SHOWN_ROWS = 100_000
"""Of one table in a widget: napari's takes 0.1 s to show so many, and the window stands still meanwhile."""

T = TypeVar("T")


@dataclass(slots=True)
class _Known:
    """What is known of a layer's table."""

    table: pd.DataFrame
    tag: str = ""
    rows: int = -1
    """On the server; -1: it has not said yet."""


class FeatureTables:
    """Owner: GUI thread.

    One request for a layer at a time: what is changed here meanwhile goes together with the next one, and what is
    read before that is there is not shown.
    """

    def __init__(self, errands: Errands, source: Callable[[], Source], notify: Callable[[str], object]) -> None:
        self._errands = errands
        self._source = source
        self._notify = notify
        self._known: weakref.WeakKeyDictionary[Any, _Known] = weakref.WeakKeyDictionary()
        self._unsaved: weakref.WeakKeyDictionary[Any, set[Any]] = weakref.WeakKeyDictionary()
        """Columns that were changed here and are not sent yet."""
        self._asking: weakref.WeakSet[Any] = weakref.WeakSet()
        self._again: weakref.WeakSet[Any] = weakref.WeakSet()
        """Of which something is told that a request that is under way may not have seen."""
        self._telling = False

    def at_hand(self, layer: Any) -> pd.DataFrame:
        """Return what is known of a layer's table; what is not is asked for, and `events.features` says it is there."""
        known = self._known.get(layer)
        if known is None:
            names = layer.feature_names()
            known = self._known[layer] = _Known(pd.DataFrame({name: pd.Series(dtype=object) for name in names}))
        if not self._telling and layer not in self._asking:
            self._read(layer)
        return ServedFeatures(known.table, Followed(known.table, partial(self._changed, weakref.ref(layer))))

    def edited(self, layer: Any) -> None:
        """The server says that a layer is another one: its table may be, too."""
        if layer not in self._known or not _is_shown(layer):
            return
        if layer in self._asking:
            self._again.add(layer)
        else:
            self._read(layer)

    def _read(self, layer: Any) -> None:
        layer_id, tag, source = layer.remote_id, self._known[layer].tag, self._source()
        self._run(layer, lambda: source.features(layer_id, tag, MOST_SHOWN_ROWS), partial(self._take, layer))

    def _take(self, layer: Any, read: Features | None) -> None:
        if self._goes_on(layer) or read is None:
            return
        known = self._known[layer]
        first, same = known.rows < 0, known.table.equals(read.table)
        known.table, known.tag, known.rows = read.table, read.tag, read.rows
        if first and read.rows > len(read.table):
            self._notify(f"The table shows the first {len(read.table):,} of {read.rows:,} features of {layer.name!r}")
        if not same or first:
            self._tell(layer)

    def _tell(self, layer: Any) -> None:
        self._telling = True
        try:
            layer.events.features()
        finally:
            self._telling = False

    def _changed(self, of: weakref.ref[Any], before: pd.DataFrame, after: pd.DataFrame) -> None:
        """The widget changed values."""
        layer = of()
        columns = changed_columns(before, after)
        if layer is None or columns is None:
            return
        self._known[layer].table = after
        self._unsaved.setdefault(layer, set()).update(columns.columns)
        if layer not in self._asking:
            self._write(layer)

    def _write(self, layer: Any) -> None:
        names = self._unsaved.pop(layer)
        table, layer_id, source = self._known[layer].table, layer.remote_id, self._source()
        columns = table[[name for name in table.columns if name in names]]
        if not columns.shape[1]:
            return

        def saved(_nothing: None) -> None:
            if not self._goes_on(layer):
                self._read(layer)

        self._run(layer, lambda: source.set_features(layer_id, columns, in_place=True), saved)

    def _goes_on(self, layer: Any) -> bool:
        """Begin what waited for the end of a request; False if nothing did."""
        again = layer in self._again
        self._again.discard(layer)
        if layer in self._unsaved:
            self._write(layer)
            return True
        if again:
            self._read(layer)
        return again

    def _run(self, layer: Any, work: Callable[[], T], done: Callable[[T], object]) -> None:
        self._asking.add(layer)

        def ended(result: T) -> None:
            self._asking.discard(layer)
            done(result)

        def failed(error: Exception) -> None:
            self._asking.discard(layer)
            self._again.discard(layer)
            unsaved = self._unsaved.pop(layer, None)
            self._notify(f"The features of {layer.name!r}: {error}")
            if unsaved is not None:
                self._known[layer].tag = ""  # what is shown is not there: with the next look at it, it goes

        try:
            self._errands.run("features", partial(_raising_data_errors, work), ended, failed)
        except NapariCudaError as error:
            failed(error)


def _raising_data_errors(work: Callable[[], T]) -> T:
    try:
        return work()
    except (NapariCudaError, OSError):
        raise
    except Exception as error:  # what the server's data raised, as what it was there
        raise DataError(f"{type(error).__name__}: {error}".splitlines()[0]) from error


def _is_shown(layer: Any) -> bool:
    """Return whether a widget of napari's listens to a layer's features."""
    listeners = [call[0]() for call in layer.events.features.callbacks if isinstance(call, tuple)]
    return any(type(one).__module__.startswith(NAPARI_WIDGETS) for one in listeners)
