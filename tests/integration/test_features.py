"""Tables of features from afar: read, set, changed in place, and shown by napari's own table in the window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.utils.notifications import notification_manager

import napari_cuda
from data_scenes import MANY, cells, features
from integration.conftest import Connect, Serve, connected_window
from integration.test_window import pump_until
from integration.test_window_actions import menu_entry
from napari_cuda.client.feature_tables import MOST_SHOWN_ROWS
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.protocol.errors import NapariCudaError
from scene_server import SceneServer

COUNTS = {"cells": int(cells().max()) + 1, "points": 30, "shapes": 3, "surface": 30, "tracks": 30, "vectors": 30}


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> SceneServer:
    return serve_scene("features_of_each_kind", size=(160, 120))


@pytest.fixture(scope="module")
def viewer(server: SceneServer) -> Iterator[RemoteViewer]:
    """One for all tests: what a test sets it puts back."""
    viewer = napari_cuda.connect(server.connect_url, window=False, timeout_s=60)
    yield viewer
    viewer.close()


@pytest.fixture(scope="module")
def window(server: SceneServer) -> Iterator[StreamedViewer]:
    with connected_window(server) as viewer:
        yield viewer


def of(layer: Any) -> pd.DataFrame:
    """Return a layer's table as it is now, without what napari adds to that of tracks."""
    return layer.features.drop(columns="track_id", errors="ignore")


@contextmanager
def put_back(layer: Any) -> Iterator[None]:
    before = layer.features.copy()
    try:
        yield
    finally:
        layer.features = before


@pytest.mark.parametrize("name", COUNTS)
def test_a_table_is_read_and_set(viewer: RemoteViewer, server: SceneServer, connect: Connect, name: str) -> None:
    layer, expected = viewer.layers[name], features(COUNTS[name])
    other = connect(server).layers[name]
    pd.testing.assert_frame_equal(of(layer), expected, check_column_type=False)
    if hasattr(type(layer), "properties"):
        assert {key: values.tolist() for key, values in layer.properties.items() if key != "track_id"} == {
            key: values.tolist() for key, values in expected.items()
        }
    with put_back(layer):
        layer.features["weight"] *= 2
        layer.features.loc[1, "number"] = 1000
        layer.features["new"] = np.arange(COUNTS[name])
        changed = expected.assign(weight=expected["weight"] * 2, new=np.arange(COUNTS[name]))
        changed.loc[1, "number"] = 1000
        pd.testing.assert_frame_equal(of(other), changed, check_column_type=False)
        layer.features = {"only": np.arange(COUNTS[name]) / 2}
        assert of(other)["only"].tolist() == (np.arange(COUNTS[name]) / 2).tolist()
        assert list(of(other)) == ["only"]
        if hasattr(type(layer), "properties"):
            layer.properties = {"again": np.ones(COUNTS[name])}
            assert list(of(other)) == ["again"]
    pd.testing.assert_frame_equal(of(other), expected, check_column_type=False)


def test_what_does_not_fit_is_raised_here(viewer: RemoteViewer) -> None:
    layer = viewer.layers["points"]
    with pytest.raises(ValueError, match="one value for each element: 3 for 30"):
        layer.features = {"weight": [1.0, 2.0, 3.0]}
    with pytest.raises(NapariCudaError, match="no form that can be sent"):
        layer.features = {"lists": _lists(30)}
    assert not hasattr(viewer.layers["memory"], "features")
    assert viewer.layers["none"].features.shape == (3, 0)
    pd.testing.assert_frame_equal(layer.features, features(30), check_column_type=False)


def _lists(count: int) -> Any:
    column = np.empty(count, object)
    column[:] = [[number] for number in range(count)]
    return column


def test_colours_follow_features_once_they_are_refreshed(viewer: RemoteViewer) -> None:
    """As in napari: setting all of a table recolours, changing it in place does when it is asked for."""
    layer = viewer.layers["points"]
    for one in viewer.layers:
        one.visible = one is layer
    layer.size = 6
    viewer.dims.ndisplay = 3
    with put_back(layer):
        layer.features = {"heat": np.linspace(0, 1, 30)}
        layer.face_color = "heat"
        layer.face_colormap = "gray"
        first = viewer.screenshot()
        layer.features["heat"] = np.linspace(1, 0, 30)
        assert np.array_equal(viewer.screenshot(), first)
        layer.refresh_colors()
        assert not np.array_equal(viewer.screenshot(), first)
        layer.face_color = "white"
        viewer.dims.ndisplay = 2
    layer.feature_defaults = layer.feature_defaults.assign(weight=0.5)
    viewer.sync()
    assert layer.feature_defaults["weight"].tolist() == [0.5]


def test_a_million_rows(viewer: RemoteViewer) -> None:
    layer = viewer.layers["many"]
    table = layer.features
    assert table["number"].to_numpy()[[0, -1]].tolist() == [0, MANY - 1]
    table["number"] = table["number"].to_numpy()[::-1]
    assert layer.features["number"].iloc[0] == MANY - 1
    layer.features = {"number": np.arange(MANY)}
    assert layer.features["number"].iloc[0] == 0


def shown(widget: Any) -> list[list[str]]:
    """Return what napari's table shows, without the column of row numbers."""
    model = widget.table.model()
    return [
        [str(model.index(row, column).data()) for column in range(1, model.columnCount())]
        for row in range(min(40, model.rowCount()))
    ]


def cell(value: Any) -> str:
    return "" if isinstance(value, (bool, np.bool_)) else str(value)


def as_shown(table: pd.DataFrame) -> list[list[str]]:
    return [[cell(value) for value in row] for row in table.itertuples(index=False)]


def test_napari_s_own_table_shows_and_edits_them(window: StreamedViewer, viewer: RemoteViewer) -> None:
    said = len(notification_manager.records)
    menu_entry(window, "Layers", "Metadata", "Features table").trigger()
    widget: Any = next(iter(window.window.dock_widgets.values()))
    for name in ("points", "cells", "tracks", "vectors"):
        window.layers.selection = {window.layers[name]}
        expected = as_shown(viewer.layers[name].features.copy())[:40]
        assert pump_until(window, lambda wanted=expected: shown(widget) == wanted), name
    layer, there = window.layers["points"], viewer.layers["points"]
    window.layers.selection = {layer}
    assert pump_until(window, lambda: len(shown(widget)) == 30 and shown(widget)[0][4] == "cell 0")
    with put_back(there):
        widget.toggle.setChecked(True)
        model = widget.table.model().sourceModel()
        for row, text in ((0, "a1"), (1, "a2"), (0, "a3")):  # faster than any answer
            assert model.setData(model.index(row, 5), text)
        assert pump_until(window, lambda: there.features["text"].tolist()[:3] == ["a3", "a2", "cell 2"])
        there.features["number"] = 7  # somebody else
        assert pump_until(window, lambda: [row[1] for row in shown(widget)] == ["7"] * 30)
        assert shown(widget)[0][4] == "a3"
        widget.table.selectRow(4)
        window.sync(30)
        there.remove_selected()
        assert pump_until(window, lambda: len(shown(widget)) == 29)
        assert "cell 4" not in there.features["text"].tolist()
        there.data = np.concatenate([np.asarray(there.data), np.zeros((1, 3))])
    window.layers.selection = {window.layers["many"]}
    assert pump_until(window, lambda: widget.table.model().rowCount() == MOST_SHOWN_ROWS)
    words = [record.message for record in notification_manager.records[said:]]
    assert words == ["The table shows the first 100,000 of 1,000,000 features of 'many'"]
    window.window.remove_dock_widget("all")
