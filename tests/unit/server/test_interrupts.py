"""Interrupts: when one is sent, and whose code it may end."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import pytest

from napari_cuda.server.busy_watch import LONGEST_TURN_S
from napari_cuda.server.interrupts import (
    LOOP,
    NOT_HERE,
    NOTHING_TO_INTERRUPT,
    Interrupts,
    is_in_users_code,
    words_of,
)


def test_it_is_sent_only_while_something_keeps_the_thread_and_somebody_takes_it() -> None:
    unheard_s = LONGEST_TURN_S
    interrupts = Interrupts(lambda: unheard_s)
    assert interrupts.ask() == NOT_HERE
    taken: list[bool] = []
    before = signal.signal(signal.SIGINT, lambda _number, _frame: taken.append(interrupts.take()))
    try:
        interrupts.possible = True
        assert interrupts.ask() == NOTHING_TO_INTERRUPT
        unheard_s = LONGEST_TURN_S + 0.1
        assert interrupts.ask() == ""
        signal.raise_signal(signal.SIGINT)  # and one that nobody here asked for
    finally:
        signal.signal(signal.SIGINT, before)
    assert taken == [True, False]


def test_what_was_raised_is_known_once() -> None:
    interrupts = Interrupts(lambda: 9.0)
    with pytest.raises(KeyboardInterrupt) as raised:
        interrupts.carry_out()
    assert not interrupts.take_raised(KeyboardInterrupt())
    assert interrupts.take_raised(raised.value)
    assert not interrupts.take_raised(raised.value)


def frame_in(file: str, module: str) -> FrameType:
    """Return a frame that is of a file and a module, called by a library's code and that by the loop's."""
    space: dict[str, object] = {"__name__": module, "look": sys._getframe}
    exec(compile("def inner():\n    return look()\n", file, "exec"), space)
    library: dict[str, object] = {"__name__": "napari.utils", "call": space["inner"]}
    exec(compile("def middle():\n    return call()\n", signal.__file__, "exec"), library)
    loop: dict[str, object] = {"__name__": LOOP, "call": library["middle"]}
    exec(compile("def turn():\n    return call()\n", signal.__file__, "exec"), loop)
    frame = loop["turn"]()  # type: ignore[operator]
    assert isinstance(frame, FrameType)
    return frame


def test_only_the_users_own_code_is_interrupted() -> None:
    library = signal.__file__
    assert is_in_users_code(frame_in("/somewhere/work.py", "__main__"))
    assert is_in_users_code(frame_in("<string>", "made_by_exec"))
    assert is_in_users_code(frame_in(library, "a_plugin.filters"), {"a_plugin"})
    assert not is_in_users_code(frame_in(library, "a_plugin.filters"))
    assert not is_in_users_code(frame_in("<frozen importlib._bootstrap>", "importlib._bootstrap"))


def test_the_words_begin_with_the_users_code() -> None:
    space: dict[str, object] = {"__name__": "__main__"}
    exec(compile("def callback():\n    raise KeyboardInterrupt\n", "/somewhere/work.py", "exec"), space)
    with pytest.raises(KeyboardInterrupt) as raised:
        space["callback"]()  # type: ignore[operator]
    # This test's own frame is the user's, too.
    lines = words_of(raised.value, "work.py").splitlines()
    assert lines[0] == "work.py was interrupted, and the server goes on:"
    assert '  File "/somewhere/work.py", line 2, in callback' in lines
    assert lines[-1] == "KeyboardInterrupt"
