"""BusyWatch: when it speaks, and what of."""

from __future__ import annotations

import sys
from types import FrameType

from napari_cuda.server.busy_watch import LONGEST_TURN_S, BusyWatch, line_in


class Server:
    """A render thread that was not heard of for some time."""

    def __init__(self, file: str) -> None:
        self.unheard_s = 0.0
        self.told: list[str] = []
        self.watch = BusyWatch(file, "work.py", lambda: self.unheard_s, self.told.append)


def test_it_says_how_long_and_where_and_once_that_it_is_over() -> None:
    server = Server(__file__)
    server.watch.look()
    server.unheard_s = LONGEST_TURN_S
    server.watch.look()
    assert server.told == []
    server.unheard_s = 12.3
    server.watch.look()
    (text,) = server.told
    line = sys._getframe().f_lineno - 2
    assert text == f"work.py is at line {line}, for 12 s now: the picture goes on when napari has its turn again"
    server.unheard_s = 0.1
    server.watch.look()
    server.watch.look()
    assert server.told[1:] == [""]


def test_work_that_is_not_in_the_script_s_lines_is_told_too() -> None:
    server = Server("/nowhere/work.py")
    server.unheard_s = 5.0
    server.watch.look()
    assert server.told == [
        "work.py keeps the server at work, for 5 s now: the picture goes on when napari has its turn again"
    ]


def test_the_innermost_line_of_the_script_counts() -> None:
    space: dict[str, object] = {}
    text = "import sys\ndef inner():\n    return call(sys)\ndef outer():\n    return inner()\n"

    def call(module: object) -> FrameType:
        return sys._getframe()

    space["call"] = call
    exec(compile(text, "work.py", "exec"), space)
    frame = space["outer"]()  # type: ignore[operator]
    assert line_in(frame, "work.py") == 3
    assert line_in(frame, "other.py") == 0


def test_what_concerns_nobody_is_not_told() -> None:
    told: list[str] = []
    concerns = False
    watch = BusyWatch("", "a plugin", lambda: 5.0, told.append, lambda frame: concerns)
    watch.look()
    assert told == []
    concerns = True
    watch.look()
    assert told == [
        "a plugin keeps the server at work, for 5 s now: the picture goes on when napari has its turn again"
    ]
