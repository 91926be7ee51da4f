"""Interrupts: Ctrl+C from afar, for code of the user's that keeps the main thread."""

from __future__ import annotations

import signal
import sysconfig
import threading
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType

from napari_cuda.server.busy_watch import LONGEST_TURN_S

LOOP = "napari_cuda.server.render.loop"
"""The module whose frames are below all that runs in a turn."""

NOTHING_TO_INTERRUPT = "there is nothing to interrupt: the server draws and answers"
NOT_HERE = "this server runs no script that could be interrupted"
NOT_THE_USERS = "it is napari itself that is at work, and no code of yours: that cannot be interrupted"

MOST_FRAMES = 8
"""Of a traceback that is shown in a window: the innermost."""

_HERE = str(Path(__file__).parents[1])
_LIBRARIES = tuple({_HERE, *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))})


class Interrupts:
    """Owner: main (render) thread; `ask` from any.

    A signal and not an exception that is set in the thread: what sleeps or waits in the main thread returns for it, and
    a handler of the script's own has it as under a terminal. Python raises between two instructions: a call of numpy's
    comes to its end first.
    """

    def __init__(self, unheard_s: Callable[[], float]) -> None:
        """`unheard_s` says for how long the render thread has not come round."""
        self._unheard_s = unheard_s
        self._asked = False
        self._raised: KeyboardInterrupt | None = None
        self.possible = False
        """Set while the handler of SIGINT calls `take`."""

    def ask(self) -> str:
        """Interrupt what keeps the main thread; return why that cannot be, empty if it is asked for."""
        main = threading.main_thread().ident
        if not self.possible or main is None:
            return NOT_HERE
        if self._unheard_s() <= LONGEST_TURN_S:
            return NOTHING_TO_INTERRUPT
        self._asked = True
        signal.pthread_kill(main, signal.SIGINT)
        return ""

    def take(self) -> bool:
        """Return whether the signal that has just come is one of `ask`, and no other."""
        asked, self._asked = self._asked, False
        return asked

    def carry_out(self) -> None:
        """Raise KeyboardInterrupt where the main thread is."""
        self._raised = KeyboardInterrupt()
        raise self._raised

    def take_raised(self, error: BaseException) -> bool:
        """Return whether this is what was raised last, once."""
        if error is not self._raised:
            return False
        self._raised = None
        return True


def is_users_frame(frame: FrameType, plugins: Collection[str] = ()) -> bool:
    """Return whether a frame is of a script, its modules, or a plugin; `plugins` are the roots of their modules."""
    of_library = frame.f_code.co_filename.startswith((*_LIBRARIES, "<frozen"))
    return not of_library or _module(frame).partition(".")[0] in plugins


def is_in_users_code(frame: FrameType | None, plugins: Collection[str] = ()) -> bool:
    """Return whether a stack, above the loop's own frames, is in code of the user's.

    What is raised there leaves the loop's own work, and napari's, whole: they expect it of a callback.
    """
    while frame is not None and _module(frame) != LOOP:
        if is_users_frame(frame, plugins):
            return True
        frame = frame.f_back
    return False


def words_of(error: BaseException, name: str, plugins: Collection[str] = ()) -> str:
    """Return what a window says of an interrupted callback: a line, and the traceback from the user's code on."""
    calls = list(traceback.walk_tb(error.__traceback__))
    while calls and calls[-1][0].f_code.co_filename.startswith(_HERE):
        calls.pop()  # of the signal's handler
    first = next((index for index, (frame, _) in enumerate(calls) if is_users_frame(frame, plugins)), 0)
    lines = traceback.StackSummary.extract(iter(calls[first:])).format()[-MOST_FRAMES:]
    return f"{name} was interrupted, and the server goes on:\n{''.join(lines)}{type(error).__name__}"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
