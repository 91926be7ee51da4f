"""Interrupts: when one is sent, and whose code it may end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from napari_cuda.server.busy_watch import LONGEST_TURN_S
from napari_cuda.server.interrupts import (
    LOOP,
    NOT_HERE,
    NOT_THE_USERS,
    NOTHING_TO_INTERRUPT,
    Interrupts,
    is_in_users_code,
    words_of,
)


@contextmanager
def handled(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_is_sent_only_while_something_keeps_the_thread_and_somebody_handles_it() -> None:
    unheard_s = LONGEST_TURN_S
    told: list[str] = []
    interrupts = Interrupts(lambda: unheard_s, lambda _severity, text: told.append(text))
    assert interrupts.ask() == NOT_HERE
    own: list[bool] = []
    with handled(lambda _number, _frame: own.append(interrupts.handle(None, in_loop=True))):
        interrupts.possible = True
        assert interrupts.ask() == NOTHING_TO_INTERRUPT
        unheard_s = LONGEST_TURN_S + 0.1
        assert interrupts.ask() == ""
        signal.raise_signal(signal.SIGINT)  # and one that nobody here asked for
    assert own == [True, False]
    assert told == [NOT_THE_USERS]


def test_what_was_raised_is_told_once_and_nothing_else() -> None:
    told: list[str] = []
    interrupts = Interrupts(lambda: 9.0, lambda _severity, text: told.append(text))
    interrupts.name = "work.py"
    interrupts.possible = True
    with handled(lambda _number, frame: interrupts.handle(frame, in_loop=False)):
        with pytest.raises(KeyboardInterrupt) as raised:
            interrupts.ask()
            time.sleep(5)
        assert not interrupts.told(KeyboardInterrupt())
        hooked: list[BaseException] = []
        before, sys.excepthook = sys.excepthook, lambda _kind, error, _trace: hooked.append(error)
        try:
            with interrupts.telling():
                for _ in range(2):
                    sys.excepthook(KeyboardInterrupt, raised.value, raised.value.__traceback__)
        finally:
            sys.excepthook = before
    (text,) = told
    assert text.startswith("work.py was interrupted, and the server goes on:\n")
    assert hooked == [raised.value]


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
