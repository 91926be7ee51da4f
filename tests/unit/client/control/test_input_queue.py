"""InputQueue: merges neighbours, loses no last step, never reorders."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.client.control.input_queue import UNNUMBERED, InputQueue
from napari_cuda.protocol import messages as m


def pointer(action: str, x: int, buttons: tuple[int, ...] = (), modifiers: tuple[str, ...] = ()) -> m.InputPointer:
    return m.InputPointer(UNNUMBERED, action, [x, 0], list(buttons), list(modifiers))


def wheel(y: float, x: int = 0, modifiers: tuple[str, ...] = ()) -> m.InputWheel:
    return m.InputWheel(UNNUMBERED, [x, 0], [0.0, y], list(modifiers))


def key(action: str, name: str) -> m.InputKey:
    return m.InputKey(UNNUMBERED, action, name)


def numbers() -> Callable[[], int]:
    return count(1).__next__


def filled(*events: m.InputEvent) -> list[m.InputEvent]:
    queue = InputQueue()
    for event in events:
        queue.add(event)
    return queue.take(numbers())


def test_moves_merge_into_the_last_place() -> None:
    assert [event.position for event in filled(*(pointer("move", x) for x in range(10)))] == [[9, 0]]


def test_wheel_turns_add_up_at_the_last_place() -> None:
    (merged,) = filled(wheel(0.25, 1), wheel(-0.125, 2), wheel(1.0, 3))
    assert (merged.delta, merged.position) == ([0.0, 1.125], [3, 0])


@pytest.mark.parametrize(
    "between",
    [pointer("press", 5, (1,)), pointer("release", 5), pointer("double", 5, (1,)), key("press", "A"), wheel(1.0)],
)
def test_nothing_merges_across_another_event(between: m.InputEvent) -> None:
    events = filled(pointer("move", 1), pointer("move", 2), between, pointer("move", 3), pointer("move", 4))
    assert [getattr(event, "position", None) for event in (events[0], events[-1])] == [[2, 0], [4, 0]]
    assert len(events) == 3


def test_other_buttons_or_modifiers_do_not_merge() -> None:
    assert len(filled(pointer("move", 1), pointer("move", 2, (1,)), pointer("move", 3, (1,), ("shift",)))) == 3
    assert len(filled(wheel(1.0), wheel(1.0, modifiers=("control",)))) == 2


def test_each_event_gets_its_own_number_in_order() -> None:
    events = filled(pointer("press", 1, (1,)), pointer("move", 2, (1,)), pointer("release", 3))
    assert [event.intent for event in events] == [1, 2, 3]


def test_taken_is_gone_and_later_events_do_not_change_it() -> None:
    queue = InputQueue()
    queue.add(wheel(1.0))
    first = queue.take(numbers())
    queue.add(wheel(2.0))
    assert first[0].delta == [0.0, 1.0]
    assert queue.take(numbers())[0].delta == [0.0, 2.0]
    assert len(queue) == 0


def test_keys_that_are_held_are_released_when_the_keyboard_goes() -> None:
    queue = InputQueue()
    for event in (key("press", "Space"), key("press", "A"), key("release", "A")):
        queue.add(event)
    queue.release_keys()
    assert [(event.action, event.key) for event in queue.take(numbers())][-1] == ("release", "Space")
    queue.release_keys()
    queue.add(key("release", "Space"))
    assert len(queue) == 0, "it was released already"


def test_cleared_nothing_is_sent_late() -> None:
    queue = InputQueue()
    queue.add(key("press", "A"))
    queue.clear()
    queue.release_keys()
    assert queue.take(numbers()) == []


events_of_a_hand = st.one_of(
    st.builds(pointer, st.just("move"), st.integers(0, 99), st.sampled_from([(), (1,)])),
    st.builds(pointer, st.sampled_from(["press", "release"]), st.integers(0, 99)),
    st.builds(wheel, st.integers(-8, 8).map(lambda n: n / 8), st.integers(0, 99)),
)


@given(st.lists(st.one_of(events_of_a_hand, st.none()), max_size=40))
def test_whatever_the_hand_does_and_whenever_it_is_sent(steps: list[m.InputEvent | None]) -> None:
    queue, number, sent = InputQueue(), numbers(), []
    for step in steps:
        if step is None:
            sent.extend(queue.take(number))
        else:
            queue.add(step)
    sent.extend(queue.take(number))

    def clicks(events: list) -> list:
        return [(e.action, e.position) for e in events if isinstance(e, m.InputPointer) and e.action != "move"]

    done = [step for step in steps if step is not None]
    assert clicks(sent) == clicks(done)
    turned = [[e.delta[1] for e in events if isinstance(e, m.InputWheel)] for events in (sent, done)]
    assert sum(turned[0]) == sum(turned[1])
    assert [e.intent for e in sent] == list(range(1, len(sent) + 1))
    if done:
        assert sent[-1].position == done[-1].position
    # Every click finds the pointer where it was: the move just before it is the one just before it there.
    for index, event in enumerate(sent[1:], 1):
        if isinstance(event, m.InputPointer) and event.action != "move":
            before = next(i for i, e in enumerate(done) if clicks(done[: i + 1]) == clicks(sent[: index + 1])) - 1
            assert sent[index - 1].position == done[before].position
