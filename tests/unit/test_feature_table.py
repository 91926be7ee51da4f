"""Tables of features as bodies of requests, what of a table is another, and what is told of changes in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from data_scenes import features
from napari_cuda.client.mirror.remote_features import ServedFeatures, as_table
from napari_cuda.feature_table import changed_columns, from_body, tag_of, to_body, with_columns
from napari_cuda.protocol.errors import NapariCudaError


@pytest.mark.parametrize("table", [features(7), features(0), pd.DataFrame(index=range(5))])
def test_a_table_comes_back_as_it_went(table: pd.DataFrame) -> None:
    body = to_body(table)
    back = from_body(body)
    pd.testing.assert_frame_equal(back, table, check_index_type=False, check_column_type=False)
    assert tag_of(to_body(back)) == tag_of(body)


def test_what_is_no_table_is_refused_in_one_line() -> None:
    body = to_body(features(7))
    for bad in (b"", b"nonsense", body[:-1], body[: len(body) // 2], to_body(features(7))[128:]):
        with pytest.raises(NapariCudaError) as caught:
            from_body(bad)
        assert "\n" not in str(caught.value)
    with pytest.raises(NapariCudaError, match="no form that can be sent"):
        to_body(pd.DataFrame({"lists": [[1], [2]]}))


def test_columns_that_changed_and_what_is_more_than_that() -> None:
    table = features(7)
    after = table.copy()
    after["weight"] *= 2
    after["new"] = 1
    changed = changed_columns(table, after)
    assert changed is not None and list(changed.columns) == ["weight", "new"]
    assert changed_columns(table, table.copy()).shape == (7, 0)  # type: ignore[union-attr]
    for other in (table.iloc[:3], table.drop(columns="kind"), table[table.columns[::-1]]):
        assert changed_columns(table, other) is None
    pd.testing.assert_frame_equal(with_columns(table, changed), after)
    head = pd.DataFrame({"weight": [9.0, 8.0]})
    assert with_columns(table, head)["weight"].tolist() == [9.0, 8.0, *table["weight"][2:]]
    for wrong in (pd.DataFrame({"weight": np.zeros(8)}), pd.DataFrame({"other": [1]})):
        with pytest.raises(ValueError, match="one value for each element"):
            with_columns(table, wrong)


def _set_attribute(table: pd.DataFrame) -> None:
    table.number = np.zeros(len(table), int)  # pandas takes it for the column


CHANGES: dict[str, Callable[[pd.DataFrame], object]] = {
    "a column": lambda table: table.__setitem__("number", 5),
    "a new column": lambda table: table.__setitem__("new", 5),
    "an attribute": _set_attribute,
    "iloc": lambda table: table.iloc.__setitem__((2, 1), 77),
    "loc": lambda table: table.loc.__setitem__((table["number"] > 3, "number"), 77),
    "at": lambda table: table.at.__setitem__((2, "number"), 77),
    "iat": lambda table: table.iat.__setitem__((2, 1), 77),
    "del": lambda table: table.__delitem__("number"),
    "pop": lambda table: table.pop("number"),
    "insert": lambda table: table.insert(0, "first", 1),
    "drop in place": lambda table: table.drop(columns="number", inplace=True),
    "rename in place": lambda table: table.rename(columns={"number": "count"}, inplace=True),
    "update": lambda table: table.update(pd.DataFrame({"number": [70, 71]})),
}


@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("how", CHANGES)
def test_a_change_in_place_is_told_once_and_is_pandas_own(how: str) -> None:
    told: list[pd.DataFrame] = []
    table, plain = ServedFeatures(features(6), lambda after: told.append(after.copy())), features(6)
    assert isinstance(table, pd.DataFrame)
    CHANGES[how](table)
    CHANGES[how](plain)
    assert len(told) == 1
    pd.testing.assert_frame_equal(told[0], plain)


def test_what_is_made_of_a_table_is_an_ordinary_one() -> None:
    told: list[object] = []
    table = ServedFeatures(features(6), told.append)
    for made in (table.copy(), table[["weight"]], table.iloc[:3], table.sort_values("weight"), table.assign(new=1)):
        assert type(made) is pd.DataFrame
        made["weight"] = 0
    assert told == []


def test_what_napari_takes_as_features() -> None:
    assert as_table(None).shape == (0, 0)
    assert as_table({"a": pd.Series([1, 2], index=[5, 6])})["a"].tolist() == [1, 2]
    assert as_table(pd.DataFrame({"a": [1, 2]}, index=[7, 8])).index.tolist() == [0, 1]
