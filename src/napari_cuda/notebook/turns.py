"""Turns: the server's work between the cells of a notebook, on the kernel's main thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable


class Turns:
    """Owner: the kernel's main thread; `wake` from any.

    The user's cells and the server change one viewer, and napari has no locks: both run on this thread, one after the
    other. The kernel's event loop gives the server its turns; after each one it looks for messages first.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, turn: Callable[[], float]) -> None:
        """`turn` does what there is to do, and returns the seconds until there may be more."""
        self._loop = loop
        self._turn = turn
        self._woken = threading.Event()
        """Also that a call is under way: one is enough."""
        self._again: asyncio.TimerHandle | None = None
        self._over = False

    def wake(self) -> None:
        """Have a turn soon; any thread."""
        if self._woken.is_set():
            return
        self._woken.set()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the kernel ends
            self._loop.call_soon_threadsafe(self._run)

    def wait(self, timeout_s: float) -> None:
        """Return when there is something to do, or after `timeout_s`."""
        self._woken.wait(timeout_s)

    def run_for(self, seconds: float) -> None:
        """Have turns here and now, within a cell: at least one, and more until the time is over."""
        until_s = time.monotonic() + seconds
        while True:
            self._woken.clear()
            pause_s = self._turn()
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return
            self.wait(min(left_s, pause_s))

    def stop(self) -> None:
        """Have no more turns."""
        self._over = True
        if self._again is not None:
            self._again.cancel()

    def _run(self) -> None:
        self._woken.clear()
        if self._over:
            return
        if self._again is not None:
            self._again.cancel()
        self._again = self._loop.call_later(self._turn(), self._run)
