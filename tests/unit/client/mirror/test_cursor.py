"""What the status bar shows while answers come, late, or never. A real viewer model, no server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.settings import get_settings

from napari_cuda.client.control.control_state import ControlStateContext
from napari_cuda.client.mirror.cursor import CursorMirror
from napari_cuda.client.mirror.napari_adapter import NoLocalStatus
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.data_value import to_wire
from napari_cuda.protocol.errors import ConnectError
from unit.client.mirror.test_remote_layers import build

SNAPSHOT = m.SceneSnapshot(1, [], {}, {}, {}, {})


class Viewer(NoLocalStatus, ViewerModel):
    """A viewer whose status is told from elsewhere."""


class Host:
    """Calls wait until the test runs them; waiting for an answer runs `while_waiting`."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.while_waiting: Callable[[], object] = lambda: None

    def call_at(self, due_s: float, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        self.while_waiting()
        return done()


class Bar:
    """A viewer with the mouse over it, its mirror, and what was asked."""

    def __init__(self, interval_s: float = 0.0) -> None:
        self.viewer = Viewer()
        self.host = Host()
        self.asked: list[m.CursorQuery] = []
        self.flushed = 0
        self.control = ControlStateContext()
        self.control.begin(SNAPSHOT)
        self.mirror = CursorMirror(
            self.viewer, self.control, self.host, flush=self._flush, ask=self.asked.append, interval_s=interval_s
        )
        self.layer: Any = build("image")
        self.viewer.add_layer(self.layer)
        self.layer.attach(lambda *_: None, lambda *_: None)
        self.viewer.mouse_over_canvas = True
        self.asked.clear()

    def _flush(self) -> None:
        self.flushed += 1

    def move(self, *position: float) -> m.CursorQuery:
        self.viewer.cursor.position = position
        return self.asked[-1]

    def answer(self, query: m.CursorQuery, value: str) -> None:
        self.mirror.follow(m.CursorValue(query.query, status_of(value), f"tip {value}"))

    @property
    def shown(self) -> str:
        assert isinstance(self.viewer.status, dict)
        return self.viewer.status["coordinates"]


def status_of(value: str) -> dict[str, str]:
    return {
        "layer_name": "é µ 核",
        "layer_base": "file.tif",
        "source_type": "plugin",
        "plugin": "a reader",
        "coordinates": f"[somewhere]: {value}",
        "coords": "[somewhere]",
        "value": value,
    }


@pytest.fixture
def bar() -> Bar:
    return Bar()


def test_the_answer_for_the_newest_place_is_shown(bar: Bar) -> None:
    query = bar.move(1, 2, 3)
    assert query.position == [1, 2, 3]
    assert not bar.mirror.settled
    bar.answer(query, "17")
    assert bar.shown == "[somewhere]: 17"
    assert bar.viewer.tooltip.text == "tip 17"
    assert bar.mirror.settled


def test_an_answer_for_an_older_place_never_is(bar: Bar) -> None:
    first = bar.move(1, 2, 3)
    second = bar.move(4, 5, 6)
    coordinates = bar.shown
    bar.answer(first, "17")
    assert bar.shown == coordinates
    assert "17" not in bar.viewer.tooltip.text
    assert not bar.mirror.settled
    bar.answer(second, "18")
    assert bar.shown == "[somewhere]: 18"


def test_a_new_place_shows_its_coordinates_and_no_value_at_once(bar: Bar) -> None:
    bar.layer.name = status_of("")["layer_name"]
    bar.answer(bar.move(1, 2, 3), "17")
    bar.move(14, 25, 36)
    assert "17" not in bar.shown
    assert "14" in bar.shown and "25" in bar.shown and "36" in bar.shown
    assert bar.viewer.tooltip.text == ""
    assert bar.viewer.status["plugin"] == "a reader", "where the layer comes from did not change"


def test_nothing_is_read_or_asked_locally(bar: Bar) -> None:
    bar.answer(bar.move(1, 2, 3), "17")
    bar.viewer.update_status_from_cursor()
    assert bar.shown == "[somewhere]: 17"


def test_off_the_canvas_nothing_is_asked_and_late_answers_are_dropped(bar: Bar) -> None:
    late = bar.move(1, 2, 3)
    bar.viewer.mouse_over_canvas = False
    bar.viewer.status = ""
    bar.asked.clear()
    bar.viewer.cursor.position = (4, 5, 6)
    bar.answer(late, "17")
    assert not bar.asked
    assert bar.viewer.status == ""
    assert bar.mirror.settled


def test_the_setting_that_turns_it_off_is_obeyed(bar: Bar) -> None:
    appearance = get_settings().appearance
    appearance.update_status_based_on_layer = False
    try:
        bar.viewer.cursor.position = (1, 2, 3)
        assert not bar.asked
    finally:
        appearance.update_status_based_on_layer = True


def test_a_place_that_is_none_is_not_asked_about(bar: Bar) -> None:
    bar.viewer.cursor.position = (1, np.nan, 3)
    assert not bar.asked


def test_what_is_there_is_asked_again_when_the_scene_changes_and_shown_until_then(bar: Bar) -> None:
    first = bar.move(1, 2, 3)
    bar.answer(first, "17")
    bar.mirror.follow(m.LayerUpdate(2, "L1", {"visible": False}))
    assert bar.shown == "[somewhere]: 17", "it is of the same place"
    assert bar.asked[-1].query > first.query
    assert bar.asked[-1].position == first.position
    bar.answer(bar.asked[-1], "")
    assert bar.shown == "[somewhere]: "


def test_a_camera_that_moves_changes_no_value(bar: Bar) -> None:
    bar.answer(bar.move(1, 2, 3), "17")
    bar.mirror.follow(m.CameraUpdate(2, {"zoom": 2.0}))
    assert len(bar.asked) == 1


def test_another_selection_is_another_question(bar: Bar) -> None:
    bar.answer(bar.move(1, 2, 3), "17")
    bar.viewer.layers.selection.clear()
    assert len(bar.asked) > 1
    assert not bar.mirror.settled


def test_moves_go_out_together_and_the_newest_place_always_does() -> None:
    bar = Bar(interval_s=1000.0)
    bar.host.calls.clear()
    bar.mirror._cadence._taken_s = None
    for step in range(10):
        bar.viewer.cursor.position = (0, 0, step)
    assert len(bar.asked) == 1
    (call,) = bar.host.calls
    call()
    assert bar.asked[-1].position == [0, 0, 9]
    bar.answer(bar.asked[-1], "9")
    assert bar.shown == "[somewhere]: 9"


def test_the_query_goes_after_what_the_user_set_and_says_which_intent_that_was(bar: Bar) -> None:
    bar.control.set_local("layer:L1", "opacity", 0.5)
    bar.control.take_intents()
    assert bar.move(1, 2, 3).after == 1
    assert bar.flushed
    bar.control.acked(m.Ack(1, 2))
    assert bar.move(1, 2, 4).after == 0


def test_without_a_connection_nothing_is_asked_until_the_scene_comes(bar: Bar) -> None:
    bar.control.disconnected()
    bar.viewer.cursor.position = (1, 2, 3)
    assert not bar.asked
    bar.control.begin(SNAPSHOT)
    bar.mirror.follow(SNAPSHOT)
    assert bar.asked[-1].position == [1, 2, 3]


def test_a_script_gets_a_layer_s_value(bar: Bar) -> None:
    def reply() -> None:
        bar.mirror.follow(m.CursorValue(bar.asked[-1].query, value=to_wire(np.uint16(300))))

    bar.host.while_waiting = reply
    value = bar.layer.get_value(np.array([1.0, 2, 3]), view_direction=[0, 1, 0], dims_displayed=[0, 1, 2], world=True)
    assert (value, value.dtype) == (300, np.uint16)
    query = bar.asked[-1]
    assert (query.layer, query.position, query.world) == ("L1", [1, 2, 3], True)
    assert (query.view_direction, query.dims_displayed) == ([0, 1, 0], [0, 1, 2])


def test_a_callback_that_asks_while_a_script_waits_gets_nothing(bar: Bar) -> None:
    inner: list[object] = []

    def reply() -> None:
        inner.append(bar.layer.get_value((0, 0, 0)))
        bar.mirror.follow(m.CursorValue(bar.asked[-1].query, value=7))

    bar.host.while_waiting = reply
    assert bar.layer.get_value((1, 2, 3)) == 7
    assert inner == [None]


@pytest.mark.parametrize("connected", [True, False])
def test_a_value_that_does_not_come_is_an_error(bar: Bar, connected: bool) -> None:
    if not connected:
        bar.control.disconnected()
    with pytest.raises(ConnectError):
        bar.layer.get_value((1, 2, 3))
    bar.host.while_waiting = lambda: bar.mirror.follow(m.CursorValue(bar.asked[-1].query, value=7))
    bar.control.begin(SNAPSHOT)
    assert bar.layer.get_value((1, 2, 3)) == 7
