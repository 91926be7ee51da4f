"""InputReplay: one hand at a time, and no drag without its press."""

from __future__ import annotations

from typing import Any

import pytest

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.render.input_replay import LONGEST_WAIT_S, InputReplay


class Canvas:
    """Notes what napari would see."""

    def __init__(self) -> None:
        self.size_px = (400, 300)
        self.seen: list[m.InputPointer | float] = []
        self.fails: Exception | None = None

    def pointer(self, event: m.InputPointer) -> None:
        if self.fails is not None:
            raise self.fails
        self.seen.append(event)

    def wait_for_active_slice(self, timeout_s: float) -> None:
        self.seen.append(timeout_s)

    @property
    def story(self) -> list[tuple[str, int, list[int]]]:
        return [(event.action, event.button, event.buttons) for event in self.seen if isinstance(event, m.InputPointer)]


class Tools:
    """Counts the hands that come down; refuses them, if told why."""

    def __init__(self) -> None:
        self.begun = 0
        self.taken_back = 0
        self.refuses = ""

    def begin(self) -> None:
        if self.refuses:
            raise CommandError(self.refuses)
        self.begun += 1

    def take_back(self) -> None:
        self.taken_back += 1


def event(action: Any, button: int = 0, buttons: tuple[int, ...] = (), x: int = 5) -> m.InputPointer:
    return m.InputPointer(1, action, [x, 7], [400, 300], button, list(buttons))


PRESS, DRAG, RELEASE = event("press", 1, (1,)), event("move", 0, (1,)), event("release", 1)


@pytest.fixture
def canvas() -> Canvas:
    return Canvas()


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture
def replay(canvas: Canvas, tools: Tools) -> InputReplay:
    return InputReplay(canvas, tools)


def test_every_event_of_a_drag_arrives_in_order(canvas: Canvas, replay: InputReplay) -> None:
    drag = [event("move"), PRESS, DRAG, DRAG, DRAG, RELEASE, event("double", 1, (1,)), RELEASE]
    assert [replay.apply("V1", one) for one in drag] == [{}] * len(drag)
    assert [one for one in canvas.seen if isinstance(one, m.InputPointer)] == drag


def test_a_tool_begins_on_the_slice_that_the_user_sees(canvas: Canvas, replay: InputReplay) -> None:
    for one in (event("move"), PRESS, DRAG):
        replay.apply("V1", one)
    assert canvas.seen == [event("move"), LONGEST_WAIT_S, PRESS, DRAG]


def test_another_hand_waits_until_the_last_button_is_up(canvas: Canvas, replay: InputReplay) -> None:
    for one in (PRESS, event("press", 2, (1, 2)), event("release", 1, (2,))):
        replay.apply("V1", one)
    before = list(canvas.seen)
    assert "another viewer" in replay.apply("V2", PRESS)["input.pointer"]
    assert "another viewer" in replay.apply("V2", event("double", 1, (1,)))["input.pointer"]
    for one in (DRAG, RELEASE, event("move")):
        assert replay.apply("V2", one) == {}
    assert canvas.seen == before
    replay.apply("V1", event("release", 2))
    assert replay.apply("V2", PRESS) == {}
    assert canvas.seen[-1] == PRESS


def test_the_rest_of_a_refused_drag_means_nothing(canvas: Canvas, replay: InputReplay) -> None:
    replay.apply("V1", PRESS)
    replay.apply("V2", PRESS)
    replay.apply("V1", RELEASE)
    before = list(canvas.seen)
    replay.apply("V2", DRAG)
    replay.apply("V2", RELEASE)
    assert canvas.seen == before


def test_a_lost_connection_lets_go_of_all_buttons_where_they_were(canvas: Canvas, replay: InputReplay) -> None:
    replay.apply("V1", event("press", 1, (1,)))
    replay.apply("V1", event("press", 2, (1, 2), x=90))
    replay.let_go("V2")
    assert len(canvas.story) == 2
    replay.let_go("V1")
    assert canvas.story[2:] == [("release", 1, [2]), ("release", 2, [])]
    assert isinstance(canvas.seen[-1], m.InputPointer)
    assert canvas.seen[-1].position == [90, 7]
    replay.let_go("V1")
    assert len(canvas.story) == 4
    replay.apply("V1", DRAG)
    assert len(canvas.story) == 4
    assert replay.apply("V2", PRESS) == {}


def test_a_place_is_measured_from_the_middle_of_either_canvas(canvas: Canvas, replay: InputReplay) -> None:
    replay.apply("V1", m.InputPointer(1, "move", [300, 200], [600, 400]))
    replay.apply("V1", m.InputPointer(2, "move", [10, 10], [200, 100]))
    assert [one.position for one in canvas.seen if isinstance(one, m.InputPointer)] == [[200, 150], [110, 110]]


def test_a_hand_comes_down_once_however_many_buttons(replay: InputReplay, tools: Tools) -> None:
    for one in (PRESS, event("press", 2, (1, 2)), DRAG, event("release", 2, (1,)), RELEASE):
        replay.apply("V1", one)
    assert tools.begun == 1
    replay.apply("V1", event("double", 1, (1,)))
    assert tools.begun == 2


def test_a_drag_that_can_do_nothing_here_is_refused_once_and_whole(
    canvas: Canvas, replay: InputReplay, tools: Tools
) -> None:
    tools.refuses = "switch the view to 2D"
    assert replay.apply("V1", PRESS) == {"input.pointer": "switch the view to 2D"}
    assert [replay.apply("V1", one) for one in (DRAG, RELEASE)] == [{}, {}]
    assert canvas.story == []
    assert replay.apply("V2", event("move")) == {}


def test_a_tool_that_fails_is_taken_back_and_let_go(canvas: Canvas, replay: InputReplay, tools: Tools) -> None:
    replay.apply("V1", PRESS)
    canvas.fails = ValueError("shapes of 2 and 3 dimensions")
    reason = replay.apply("V1", DRAG)["input.pointer"]
    assert "let go" in reason and reason.endswith("shapes of 2 and 3 dimensions")
    assert tools.taken_back == 1
    canvas.fails = None
    assert [replay.apply("V1", one) for one in (DRAG, RELEASE)] == [{}, {}]
    assert len(canvas.story) == 1
    assert replay.apply("V2", PRESS) == {}
