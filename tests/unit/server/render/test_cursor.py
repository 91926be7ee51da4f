"""Which queries are answered, and when. A scene of our own making; napari's is in the integration test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import PropertyError
from napari_cuda.server.render.cursor import CHEAP_S, LARGEST_SHARE, CursorQueries


class Scene:
    """One layer, "L1"; a look at it takes `cost_s`."""

    def __init__(self) -> None:
        self.layer: Any = SimpleNamespace(loaded=True, visible=True)
        self.now_s = 0.0
        self.cost_s = 0.0
        self.error: Exception | None = None
        self.looks = 0

    def layers_under_cursor(self) -> list[Any]:
        return [self.layer]

    def status_at(self, query: m.CursorQuery) -> tuple[str | dict[str, str], str]:
        self.now_s += self.cost_s
        self.looks += 1
        if self.error is not None:
            raise self.error
        return f"at {query.position}", "tip" if query.tooltip else ""

    def value_at(self, layer: Any, query: m.CursorQuery) -> object:
        return query.position[0]

    def find(self, layer_id: str) -> Any:
        if layer_id != "L1":
            raise PropertyError(f"there is no layer {layer_id!r}")
        return self.layer


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def cursors(scene: Scene) -> CursorQueries:
    return CursorQueries(scene, scene.find, clock=lambda: scene.now_s)


def numbers(answers: list[tuple[str, m.CursorValue]]) -> list[tuple[str, int]]:
    return [(viewer, answer.query) for viewer, answer in answers]


def test_only_the_newest_query_of_each_viewer_is_answered(scene: Scene, cursors: CursorQueries) -> None:
    for number in range(1, 6):
        cursors.put("V1", m.CursorQuery(number, [float(number)]))
    cursors.put("V2", m.CursorQuery(1, [9.0], tooltip=True))
    assert cursors.answer({"V1": 0, "V2": 0}) == [
        ("V1", m.CursorValue(5, "at [5.0]")),
        ("V2", m.CursorValue(1, "at [9.0]", "tip")),
    ]
    assert cursors.answer({"V1": 0, "V2": 0}) == []
    assert scene.looks == 2


def test_it_waits_for_the_intents_that_were_sent_before_it(cursors: CursorQueries) -> None:
    cursors.put("V1", m.CursorQuery(1, [0.0], after=7))
    assert not cursors.answer({"V1": 6})
    assert numbers(cursors.answer({"V1": 7})) == [("V1", 1)]


def test_it_waits_for_data_that_is_on_its_way(scene: Scene, cursors: CursorQueries) -> None:
    scene.layer.loaded = False
    cursors.put("V1", m.CursorQuery(1, [0.0]))
    assert not cursors.answer({"V1": 0})
    scene.layer.loaded = True
    assert numbers(cursors.answer({"V1": 0})) == [("V1", 1)]


def test_a_hidden_layer_is_never_waited_for(scene: Scene, cursors: CursorQueries) -> None:
    scene.layer.loaded = scene.layer.visible = False
    cursors.put("V1", m.CursorQuery(1, [0.0]))
    assert numbers(cursors.answer({"V1": 0})) == [("V1", 1)]


def test_queries_of_a_viewer_that_is_gone_are_forgotten(scene: Scene, cursors: CursorQueries) -> None:
    cursors.put("V1", m.CursorQuery(1, [0.0]))
    assert not cursors.answer({})
    assert not cursors.answer({"V1": 0})
    assert not scene.looks


def test_a_script_s_query_and_the_status_bar_s_are_both_answered(cursors: CursorQueries) -> None:
    cursors.put("V1", m.CursorQuery(1, [4.0], layer="L1"))
    cursors.put("V1", m.CursorQuery(2, [0.0]))
    answers = dict((answer.query, answer) for _, answer in cursors.answer({"V1": 0}))
    assert sorted(answers) == [1, 2]
    assert answers[1].status is None
    assert answers[1].value is not None


@pytest.mark.parametrize("layer", ["", "L9"])
def test_what_cannot_be_told_is_answered_too(
    scene: Scene, cursors: CursorQueries, layer: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene.error = RuntimeError("no value here")
    cursors.put("V1", m.CursorQuery(3, [0.0], layer=layer))
    assert cursors.answer({"V1": 0}) == [("V1", m.CursorValue(3))]
    assert ("L9" if layer else "no value here") in caplog.text


def test_dear_looks_leave_the_thread_its_time(scene: Scene, cursors: CursorQueries) -> None:
    scene.cost_s = 4 * CHEAP_S
    cursors.put("V1", m.CursorQuery(1, [0.0]))
    assert cursors.due_s(None) is None
    assert cursors.answer({"V1": 0})
    cursors.put("V1", m.CursorQuery(2, [0.0]))
    assert not cursors.answer({"V1": 0})
    held_s = scene.cost_s * (1 / LARGEST_SHARE - 1)
    assert cursors.due_s(None) == pytest.approx(held_s)
    assert cursors.due_s(held_s / 2) == pytest.approx(held_s / 2)
    assert cursors.due_s(10 * held_s) == pytest.approx(held_s)
    scene.now_s += held_s + 1e-9
    assert cursors.due_s(None) is None
    assert numbers(cursors.answer({"V1": 0})) == [("V1", 2)]


def test_cheap_looks_wait_for_nothing(scene: Scene, cursors: CursorQueries) -> None:
    scene.cost_s = CHEAP_S / 2
    for number in (1, 2, 3):
        cursors.put("V1", m.CursorQuery(number, [0.0]))
        assert numbers(cursors.answer({"V1": 0})) == [("V1", number)]
