"""Interrupts: Ctrl+C from afar, for code of the user's that keeps the main thread."""

from __future__ import annotations

import logging
import signal
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType

from napari_cuda.server.busy_watch import LONGEST_TURN_S

log = logging.getLogger(__name__)

LOOP = "napari_cuda.server.render.loop"
"""The module whose frames are below all that runs in a turn."""

NOTHING_TO_INTERRUPT = "there is nothing to interrupt: the server draws and answers"
NOT_HERE = "this server runs nothing that could be interrupted"
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

    def __init__(
        self,
        unheard_s: Callable[[], float],
        tell: Callable[[str, str], None],
        plugins: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        """`unheard_s` says for how long the render thread has not come round; `tell` tells all clients something, with
        its severity; `plugins` are the roots of the plugins' modules.
        """
        self._unheard_s = unheard_s
        self._tell = tell
        self._plugins = plugins
        self._asked = False
        self._raised: KeyboardInterrupt | None = None
        self.name = "a plugin"
        """What is interrupted here, if anything is."""
        self.possible = False
        """Set while the handler of SIGINT calls `handle`."""

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

    def handle(self, frame: FrameType | None, *, in_loop: bool) -> bool:
        """In the handler of SIGINT: raise KeyboardInterrupt if the signal is one of `ask`; False if it is not.

        Within the loop in code of the user's only, which is told otherwise.
        """
        asked, self._asked = self._asked, False
        if not asked:
            return False
        if in_loop and not self.concerns(frame):
            self._tell("warning", NOT_THE_USERS)
            return True
        self._raised = KeyboardInterrupt()
        raise self._raised

    def concerns(self, frame: FrameType | None) -> bool:
        """Return whether a stack of the loop is in code of the user's."""
        return is_in_users_code(frame, self._plugins())

    def told(self, error: BaseException) -> bool:
        """Tell all clients what was interrupted, if this is what was raised here last; else return False."""
        if error is not self._raised:
            return False
        self._raised = None
        log.warning("interrupted by a client", exc_info=error)
        self._tell("error", words_of(error, self.name, self._plugins()))
        return True

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Within this, what was interrupted where Qt had called it is told, too; napari would end the program."""
        before = sys.excepthook

        def on_raised(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            if not self.told(error):
                before(kind, error, trace)

        sys.excepthook = on_raised
        try:
            yield
        finally:
            sys.excepthook = before


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
