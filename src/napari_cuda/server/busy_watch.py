"""BusyWatch: says when a script's own code keeps the render thread, and where it is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType

from napari_cuda.worker import Worker

LOOK_EVERY_S = 0.5
LONGEST_TURN_S = 2.0
"""More than the render thread waits for work, and than any turn of it takes that does not run a script's code."""


class BusyWatch:
    """Owner: whoever starts it; looks on a thread of its own.

    As in napari, nothing is drawn while a script computes in the main thread; but here the window is elsewhere, and
    would only seem to hang.
    """

    def __init__(
        self,
        file: str,
        name: str,
        unheard_s: Callable[[], float],
        tell: Callable[[str], None],
        concerns: Callable[[FrameType | None], bool] = lambda frame: True,
    ) -> None:
        """Watch for code of `file`; `unheard_s` says for how long the render thread has not come round.

        What it is at is told if it `concerns` the user.
        """
        self._file = file
        self._name = name
        self._unheard_s = unheard_s
        self._tell = tell
        self._concerns = concerns
        self._main = threading.main_thread().ident
        self._told = False
        self._worker = Worker("busy-watch", self._run)

    def start(self) -> None:
        """Begin to look."""
        self._worker.start()

    def stop(self) -> None:
        """Look no more."""
        self._worker.stop()

    def look(self) -> None:
        """Tell what there is to tell."""
        busy_s = self._unheard_s()
        # Python's own way to see another thread's stack, whatever its name looks like.
        frame = sys._current_frames().get(self._main) if self._main is not None else None  # noqa: SLF001 -- public, documented
        if busy_s > LONGEST_TURN_S and (self._told or self._concerns(frame)):
            self._told = True
            self._tell(self._words(busy_s, frame))
        elif busy_s <= LONGEST_TURN_S and self._told:
            self._told = False
            self._tell("")

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_EVERY_S):
            self.look()

    def _words(self, busy_s: float, frame: FrameType | None) -> str:
        line = line_in(frame, self._file)
        place = f"{self._name} is at line {line}" if line else f"{self._name} keeps the server at work"
        return f"{place}, for {busy_s:.0f} s now: the picture goes on when napari has its turn again"


def line_in(frame: FrameType | None, file: str) -> int:
    """Return the innermost line of a file that a stack is in; 0 if it is not in it."""
    while frame is not None:
        if frame.f_code.co_filename == file:
            return frame.f_lineno
        frame = frame.f_back
    return 0
