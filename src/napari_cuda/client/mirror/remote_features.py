"""A layer's table of features, which is on the server: read, set as a whole, and changed in place, from here.

napari's own code gets a table that has names and nothing else; who else reads `layer.features` gets the server's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.utils.events import Event

from napari_cuda.client.mirror.data_elsewhere import asked_by_napari
from napari_cuda.client.mirror.remote_array import Source
from napari_cuda.feature_table import changed_columns

STUB_ELEMENTS = {"surface": 3, "tracks": 1}
"""How many elements the stub of a kind has, where napari does not take none."""

NAPARI_WIDGETS = "napari_builtins"
"""napari's own table widget is of this package: it may never wait for the server."""

OnChange = Callable[[pd.DataFrame], None]


class TablesAtHand(Protocol):
    """Tables for who may not wait for them. Owner: GUI thread."""

    def at_hand(self, layer: Any) -> pd.DataFrame:
        """Return what is known of a layer's table; what is not is asked for, and `events.features` says it is there."""

    def edited(self, layer: Any) -> None:
        """The server says that a layer is another one: its table may be, too."""


class ServedFeatures(pd.DataFrame):
    """A table of features that was read from the server: what is changed in it in place is changed there, too.

    Of the thread that read it. What pandas makes of it (a part, a copy, a sum) is an ordinary table.
    """

    def __init__(self, table: pd.DataFrame, on_change: OnChange) -> None:
        super().__init__(table)
        # pandas would take an attribute for a column.
        object.__setattr__(self, "_on_change", on_change)
        object.__setattr__(self, "_changing", 0)

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Within this the table changes; then it is told, once."""
        object.__setattr__(self, "_changing", self._changing + 1)
        try:
            yield
        finally:
            object.__setattr__(self, "_changing", self._changing - 1)
        if not self._changing:
            self._on_change(self)

    def __setitem__(self, key: Any, value: Any) -> None:
        with self.changing():
            super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        with self.changing():
            super().__delitem__(key)

    def insert(self, *args: Any, **options: Any) -> None:
        """Insert a column, here and on the server."""
        with self.changing():
            super().insert(*args, **options)

    def update(self, *args: Any, **options: Any) -> None:
        """Take over what another table has, here and on the server."""
        with self.changing():
            super().update(*args, **options)

    def _update_inplace(self, *args: Any, **options: Any) -> None:
        # What every method of pandas with `inplace=True` ends with.
        with self.changing():
            super()._update_inplace(*args, **options)

    @property
    def loc(self) -> Any:
        """pandas' own, which tells what it sets."""
        return _Indexer(self, super().loc)

    @property
    def iloc(self) -> Any:
        """pandas' own, which tells what it sets."""
        return _Indexer(self, super().iloc)

    @property
    def at(self) -> Any:
        """pandas' own, which tells what it sets."""
        return _Indexer(self, super().at)

    @property
    def iat(self) -> Any:
        """pandas' own, which tells what it sets."""
        return _Indexer(self, super().iat)


class _Indexer:
    """One of pandas' ways into a table."""

    def __init__(self, table: ServedFeatures, inner: Any) -> None:
        self._table = table
        self._inner = inner

    def __call__(self, *args: Any, **options: Any) -> _Indexer:
        return _Indexer(self._table, self._inner(*args, **options))

    def __getitem__(self, key: Any) -> Any:
        return self._inner[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        with self._table.changing():
            self._inner[key] = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def as_table(features: Any) -> pd.DataFrame:
    """Return what napari takes as features, as a table: rows by their place, of a dict plain arrays."""
    if isinstance(features, pd.DataFrame):
        return pd.DataFrame(features.reset_index(drop=True))
    return pd.DataFrame({} if features is None else {name: np.asarray(column) for name, column in features.items()})


class FeaturesElsewhere:
    """Mixin of remote layers whose elements have features. Owner: GUI thread; the table may be read from any."""

    remote_id: str
    remote_kind: str
    on_data: Source | None = None
    unsent: Any = None
    on_tables: TablesAtHand | None = None
    _quiet: int

    def applying(self) -> AbstractContextManager[None]:
        """Set what the server says, without an echo."""
        raise NotImplementedError  # the layer does it

    def refuse(self, what: str) -> None:
        """Raise DataError that says where the data is."""
        raise NotImplementedError  # as above

    def command(self, name: str, **args: Any) -> None:
        """Ask the server to do something with this layer."""
        raise NotImplementedError  # as above

    def feature_names(self) -> list[str]:
        """Return the names of the layer's features; their values are on the server."""
        return [str(name) for name in getattr(self, "features", ())]

    def features_there(self, stub: pd.DataFrame, here: FrameType | None) -> pd.DataFrame:
        """Return the server's table; for napari's own code and for who has no server the one with names only."""
        if self._quiet or self.on_data is None or self.unsent is not None or asked_by_napari(here):
            return stub
        if self.on_tables is not None and is_widget_of_napari(here):
            return self.on_tables.at_hand(self)
        read = self.on_data.features(self.remote_id)
        if read is None:
            return stub
        return ServedFeatures(read.table, Followed(read.table, self.give_changes))

    def announce_features(self) -> None:
        """Have an event for who shows the table: napari has none for that of tracks."""
        events: Any = self.events  # type: ignore[attr-defined]
        if hasattr(self, "features") and "features" not in events.emitters:
            events.add(features=Event)

    def edited(self) -> None:
        """The server says that the layer's data is other data."""
        if self.on_tables is not None:
            self.on_tables.edited(self)

    def give_changes(self, before: pd.DataFrame, after: pd.DataFrame) -> None:
        """Change on the server what was changed in the table here. Blocks."""
        if self.on_data is None:
            return
        columns = changed_columns(before, after)
        if columns is None:
            self.on_data.set_features(self.remote_id, as_table(after), in_place=False)
        elif columns.shape[1]:
            self.on_data.set_features(self.remote_id, columns, in_place=True)

    def set_features(self, base: property, features: Any) -> None:
        """Set the table on the server, or, from there, the names of what it has."""
        if self._quiet == 0:
            if self.on_data is None or self.unsent is not None:
                self.refuse("features cannot be set here")
                return
            table = as_table(features)
            self.on_data.set_features(self.remote_id, table, in_place=False)
            features = tuple(str(name) for name in table.columns)
            if set(features) <= set(self.feature_names()):
                return  # the rest the server tells
        with self.applying():
            base.__set__(self, self._stub_table(features))

    def _stub_table(self, features: Any) -> Any:
        if not isinstance(features, tuple):
            return features
        count = STUB_ELEMENTS.get(self.remote_kind, 0)
        # Tracks are coloured by numbers. Else anything may be a default.
        return dict.fromkeys(features, np.zeros(count, float if self.remote_kind == "tracks" else object))


class Followed:
    """Tells what a table was, and is now, each time that it changed."""

    def __init__(self, table: pd.DataFrame, tell: Callable[[pd.DataFrame, pd.DataFrame], None]) -> None:
        self._before = table.copy()
        self._tell = tell

    def __call__(self, after: pd.DataFrame) -> None:
        after = pd.DataFrame(after.copy())
        self._tell(self._before, after)
        self._before = after


def is_widget_of_napari(here: FrameType | None) -> bool:
    """Return whether what called the function that runs in a frame is a widget of napari's."""
    caller = here.f_back if here is not None else None
    return str(caller.f_globals.get("__name__", "") if caller is not None else "").startswith(NAPARI_WIDGETS)


def features_member(base: property) -> property:
    """Return what a remote layer has in place of `features`."""

    def fget(self: FeaturesElsewhere) -> pd.DataFrame:
        return self.features_there(base.__get__(self), inspect.currentframe())

    def fset(self: FeaturesElsewhere, value: Any) -> None:
        self.set_features(base, value)

    return property(fget, fset, base.fdel, base.__doc__)


def properties_member(base: property, features: property) -> property:
    """Return what a remote layer has in place of `properties`: napari's older form of features."""

    def fget(self: FeaturesElsewhere) -> dict[str, npt.NDArray[Any]]:
        stub: dict[str, npt.NDArray[Any]] = base.__get__(self)
        if self._quiet or self.on_data is None or asked_by_napari(inspect.currentframe()):
            return stub
        table = self.features_there(pd.DataFrame(stub), inspect.currentframe())
        return {str(name): column.to_numpy() for name, column in table.items()}

    def fset(self: FeaturesElsewhere, value: Any) -> None:
        features.__set__(self, value)

    return property(fget, fset, base.fdel, base.__doc__)


def refreshing(base: Callable[..., Any], what: str) -> Callable[..., None]:
    """Return what has the server make colours or texts anew of the features that it has."""

    def refresh(self: FeaturesElsewhere, *args: Any, **options: Any) -> None:
        if self._quiet or asked_by_napari(inspect.currentframe()):
            base(self, *args, **options)
        else:
            self.command("layer.refresh", what=what, remap=bool((args or [options.get("update_color_mapping")])[0]))

    refresh.__doc__ = base.__doc__
    return refresh


def feature_members(base: Any) -> dict[str, Any]:
    """Return what a remote layer's class has in place of its base's ways to the features."""
    if not hasattr(base, "features"):
        return {}
    members: dict[str, Any] = {"features": features_member(base.features)}
    if hasattr(base, "properties"):
        members["properties"] = properties_member(base.properties, members["features"])
    for name, what in {"refresh_colors": "colors", "refresh_text": "text"}.items():
        if hasattr(base, name):
            members[name] = refreshing(getattr(base, name), what)
    return members
