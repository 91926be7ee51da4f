"""The status bar, the tooltip and `get_value` say what stock napari says, from the data on the server."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from integration.conftest import Connect, Serve
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.protocol import messages as m
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient
from value_scenes import CANVAS_PX, CENTER, add_values, draw_stock, places, put_cursor

PLACES = 1000
"""All layers and views together."""
FAR, NEAR = 2.9, 6.0
"""Zooms: all data and a margin on the canvas, or one level of a pyramid cropped."""
VIEWS = [(2, FAR), (2, NEAR), (3, FAR)]
ANSWER_S = 0.02
"""An answer may take so much longer than a ping."""


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("values", size=CANVAS_PX)


@pytest.fixture
def viewer(server: ServerProcess, connect: Connect) -> Iterator[RemoteViewer]:
    """A client whose mouse is over the canvas, tooltips shown; the scene as it was afterwards."""
    viewer = connect(server)
    viewer.mouse_over_canvas = viewer.tooltip.visible = True
    yield viewer
    viewer.dims.ndisplay = 2
    viewer.dims.set_point(0, CENTER[0])
    viewer.reset_view()
    viewer.sync()


@pytest.fixture(scope="module")
def stock() -> ViewerModel:
    """Stock napari with the same layers."""
    stock = ViewerModel()
    add_values(stock)
    stock.mouse_over_canvas = stock.tooltip.visible = True
    return stock


def same_view(viewer: RemoteViewer, stock: ViewerModel, ndisplay: int = 2, zoom: float = FAR) -> None:
    """Show the same slice in both, at the same place."""
    for each in (viewer, stock):
        each.dims.ndisplay = ndisplay
        each.dims.set_point(0, CENTER[0])
        each.scene.camera.center = CENTER
        each.scene.camera.zoom = zoom
    for layer in stock.layers:
        if getattr(layer, "multiscale", False):
            # Of a volume that fits, the finest level is shown; napari would take the coarsest.
            layer.locked_data_level = 0 if ndisplay == 3 else None
    viewer.screenshot()
    if ndisplay == 2:
        draw_stock(stock)


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    if expected is None:
        return found is None
    return np.asarray(found).dtype == np.asarray(expected).dtype and np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize(("ndisplay", "zoom"), VIEWS)
def test_a_thousand_places_say_what_stock_napari_says(
    viewer: RemoteViewer, stock: ViewerModel, ndisplay: int, zoom: float
) -> None:
    same_view(viewer, stock, ndisplay, zoom)
    count = PLACES // len(VIEWS) // len(stock.layers) + 1
    values = 0
    for name in [layer.name for layer in stock.layers]:
        for each in (viewer, stock):
            each.layers.selection.active = each.layers[name]
        for position, direction in places(count, ndisplay, zoom):
            for each in (viewer, stock):
                put_cursor(each, position, direction)
            viewer.sync()
            assert (viewer.status, viewer.tooltip.text) == stock._calc_status_from_cursor()
            values += bool(stock.layers[name].get_status(position, world=True)["value"])
            # A script gets the raw value.
            if values % 10 == 0:
                how = {"view_direction": direction, "dims_displayed": list(stock.dims.displayed), "world": True}
                found = viewer.layers[name].get_value(position, **how)
                assert same(found, stock.layers[name].get_value(position, **how)), name
    assert values > PLACES / 10, "hardly any place has a value: this test compares nothing"


def test_several_layers_are_told_of_as_stock_napari_does(viewer: RemoteViewer, stock: ViewerModel) -> None:
    same_view(viewer, stock)
    for each in (viewer, stock):
        each.layers.selection = {each.layers["uint16"], each.layers["labels"], each.layers["pyramid"]}
    for position, _ in places(10, 2, FAR):
        for each in (viewer, stock):
            each.cursor.position = position
        viewer.sync()
        assert (viewer.status, viewer.tooltip.text) == stock._calc_status_from_cursor()
        assert " » " in viewer.status


def test_no_value_is_of_an_older_slice_or_place(viewer: RemoteViewer, stock: ViewerModel) -> None:
    same_view(viewer, stock)
    volume = stock.layers["uint16"].data
    viewer.layers.selection.active = viewer.layers["uint16"]
    seen: list[dict[str, str]] = []
    viewer.events.status.connect(lambda event: seen.append(event.value))
    rng = np.random.default_rng(13)
    z = 0
    for step, (other_z, y, x) in enumerate(rng.integers((0, 0, 0), volume.shape, (200, 3))):
        # Slice and cursor change while answers are on their way; now and then all have come.
        if step % 10 == 0:
            z = other_z
            viewer.dims.set_point(0, float(z))
        viewer.cursor.position = (float(z), float(y), float(x))
        if step % 8 == 7:
            viewer.sync()
        else:
            viewer.pump(float(rng.uniform(0, 0.008)))
    viewer.sync()
    told = [status for status in seen if isinstance(status, dict) and status["value"]]
    for status in told:
        place = tuple(int(part) for part in status["coords"].strip("[]").split(","))
        assert status["value"] == str(volume[place])
    assert len(told) >= 25
    assert seen[-1]["value"] == str(volume[z, y, x])


def test_the_shared_cursor_and_the_scene_stay_as_they_are(viewer: RemoteViewer, server: ServerProcess) -> None:
    viewer.cursor.position = (3.0, 20.0, 20.0)
    revision = viewer.sync()
    for x in range(20):
        viewer.cursor.position = (3.0, 20.0, float(x))
        viewer.sync()
    with RawClient(server) as other:
        assert other.snapshot.revision == revision, "to look is no change"


def test_an_answer_takes_a_round_trip_and_twenty_milliseconds_at_most(
    server: ServerProcess, stock: ViewerModel
) -> None:
    """Pings and queries in turn on one socket; 95 of 100."""
    pings_s: list[float] = []
    answers_s: list[float] = []
    with RawClient(server) as client:
        for number, (position, _) in enumerate(places(300, 2, FAR), 1):
            for message, answer, times_s in (
                (m.Ping(number), m.Pong, pings_s),
                (m.CursorQuery(number, list(position), [1, 2]), m.CursorValue, answers_s),
            ):
                began_s = time.perf_counter()
                client.send(message)
                client.wait_for(answer)
                times_s.append(time.perf_counter() - began_s)
    ping_s, answer_s = (statistics.quantiles(times_s, n=20)[-1] for times_s in (pings_s, answers_s))
    print(f"p95: ping {1e3 * ping_s:.1f} ms, answer {1e3 * answer_s:.1f} ms")
    assert answer_s <= ping_s + ANSWER_S


def test_a_query_that_makes_no_sense_is_answered_and_hurts_nobody(server: ServerProcess) -> None:
    with RawClient(server) as client:
        for number, query in enumerate(
            (
                m.CursorQuery(1, []),
                m.CursorQuery(2, [0.0] * 64, [61, 62, 63], [1.0]),
                m.CursorQuery(3, [1e300, -1e300, 0.0], [9, 9, 9], [0.0, 0.0, 0.0]),
                m.CursorQuery(4, [0.0], layer="L999"),
                m.CursorQuery(5, [], [0, 1], layer="L1"),
            ),
            1,
        ):
            client.send(query)
            assert client.wait_for(m.CursorValue).query == number
        client.send(m.CursorQuery(6, [3.0, 20.0, 20.0], [1, 2], layer="L1"))
        assert client.wait_for(m.CursorValue).value is not None
