from __future__ import annotations

import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.protocol import messages as m
from napari_cuda.server.render.inbox import LOOK_S, Inbox, ViewerIntent, coalesce
from napari_cuda.worker import Worker


def by(viewer: str, *intents: m.Intent) -> list[Any]:
    return [ViewerIntent(viewer, intent) for intent in intents]


def a_call() -> None:
    """A command that is not an intent."""


def moved(number: int) -> m.InputPointer:
    return m.InputPointer(number, "move", [number, 0], [9, 9], 0, [1])


def test_a_run_of_one_viewer_for_one_object_is_one_intent() -> None:
    run = by("V1", *(m.CameraIntent(n, {"zoom": n, f"p{n}": n}) for n in (1, 2, 3)))
    assert coalesce(run) == by("V1", m.CameraIntent(3, {"zoom": 3, "p1": 1, "p2": 2, "p3": 3}))


def test_what_does_not_merge_keeps_its_place() -> None:
    entries = [
        *by("V1", m.CameraIntent(1, {"zoom": 1})),
        *by("V2", m.CameraIntent(1, {"zoom": 9})),
        *by("V1", m.CameraIntent(2, {"zoom": 2})),
        *by("V1", m.DimsIntent(3, {"point": [1]}), m.LayerIntent(4, "L1", {"a": 1}), m.LayerIntent(5, "L2", {"a": 1})),
        *by("V1", m.SceneIntent(6, {"order": []}), m.SceneIntent(7, {"order": []})),
        *by("V1", m.Command(8, "x"), m.Command(9, "x"), moved(10), moved(11)),
        a_call,
        a_call,
    ]
    assert coalesce(entries) == entries


def test_nothing_merges_across_a_call() -> None:
    entries = [*by("V1", m.CameraIntent(1, {"zoom": 1})), a_call, *by("V1", m.CameraIntent(2, {"zoom": 2}))]
    assert coalesce(entries) == entries


def test_nothing_at_all() -> None:
    assert coalesce([]) == []


values = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=2)
kinds = st.sampled_from(
    [
        lambda n, v: m.CameraIntent(n, v),
        lambda n, v: m.DimsIntent(n, v),
        lambda n, v: m.ViewIntent(n, v),
        lambda n, v: m.LayerIntent(n, "L1", v),
        lambda n, v: m.LayerIntent(n, "L2", v),
        lambda n, v: m.SceneIntent(n, v),
    ]
)


@given(st.lists(st.tuples(st.sampled_from(["V1", "V2"]), kinds, values), max_size=30))
def test_merged_intents_have_the_same_effect_and_the_same_last_number(history: list[Any]) -> None:
    entries = [ViewerIntent(viewer, make(n, v)) for n, (viewer, make, v) in enumerate(history, 1)]

    def effect(sequence: list[Any]) -> tuple[dict[tuple[str, str], Any], dict[str, int]]:
        state: dict[tuple[str, str], Any] = {}
        last: dict[str, int] = {}
        for entry in sequence:
            assert entry.intent.intent > last.get(entry.viewer, 0)
            last[entry.viewer] = entry.intent.intent
            for name, value in entry.intent.values.items():
                state[m.target_of(entry.intent), name] = value
        return state, last

    before = m.encode(entries[0].intent) if entries else ""
    assert effect(coalesce(entries)) == effect(entries)
    assert before == (m.encode(entries[0].intent) if entries else "")


def test_take_returns_all_in_order_once() -> None:
    inbox = Inbox()
    entries = [*by("V1", m.CameraIntent(1, {})), a_call]
    for entry in entries:
        inbox.put(entry)
    assert inbox.take() == entries
    assert inbox.take() == []


def test_wait_returns_at_once_if_something_is_there_or_it_was_woken() -> None:
    inbox = Inbox()
    inbox.put(a_call)
    inbox.wait(None)
    assert inbox.take() == [a_call]
    inbox.wake()
    inbox.wait(None)
    inbox.wait(0.0)  # the wake was used up: this one ends by its time
    inbox.wake()
    inbox.wait_for_wake(600.0)


def test_a_command_does_not_end_a_wait_for_the_wake() -> None:
    inbox = Inbox()
    inbox.put(a_call)
    inbox.wait_for_wake(0.0)
    assert inbox.take() == [a_call]


def test_a_waiting_thread_wakes_for_a_command_and_for_a_wake() -> None:
    inbox, done, passed = Inbox(), threading.Semaphore(0), []

    def run(stop: threading.Event) -> None:
        inbox.wait(None)
        passed.append(inbox.take())
        done.release()
        inbox.wait(None)
        passed.append(inbox.take())
        done.release()
        inbox.wait_for_wake(600.0)
        passed.append(inbox.take())

    worker = Worker("inbox-test", run).start()
    inbox.put(a_call)
    assert done.acquire(timeout=60)
    inbox.wake()
    assert done.acquire(timeout=60)
    inbox.put(a_call)
    inbox.wake()
    assert worker.stop(60)
    assert passed == [[a_call], [], [a_call]]


class QtLike:
    """Another way to wait, which notes what is asked of it."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.woken = 0

    def wait(self, timeout_s: float) -> None:
        self.waited.append(timeout_s)

    def wake(self) -> None:
        self.woken += 1


def test_another_way_to_wait_is_used_and_woken() -> None:
    inbox, idle = Inbox(), QtLike()
    inbox.idle = idle
    inbox.wait(0.25)
    inbox.wait(None)
    assert idle.waited == [0.25, LOOK_S]
    inbox.wake()
    inbox.wait(0.25)
    inbox.put(lambda: None)
    inbox.wait(0.25)
    assert (idle.waited, idle.woken) == ([0.25, LOOK_S], 2)
