"""The only place a thread starts: a name, a stop event, a join by a deadline."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import struct
import sys
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""Python's default of 5 ms lets a thread that decodes, encodes or draws hold up the others by that much (measured)."""


SLICE_S = 0.0001
"""The shortest that Linux takes. A picture passes through a dozen threads, each of which waits for a processor."""

_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""Number of the system call `sched_setattr` (man 2 sched_setattr); Python has no name for it."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""size, policy, flags, nice, priority, runtime (ns), deadline, period."""


def take_short_turns() -> None:
    """Have threads hand Python over within half a millisecond, and be asleep for shorter beside other processes."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    ask_for_short_slices()


def ask_for_short_slices() -> bool:
    """Have this thread, and those that it starts from now on, take the processor in short slices; False if none asked.

    Linux (6.12 and newer; older ones take no notice) lets who asks for less at a time begin sooner, whoever he is, and
    gives him no more in all. Under another policy than the usual one nothing is changed.
    """
    number = _SET_ATTRIBUTES.get(platform.machine()) if sys.platform == "linux" else None
    if number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, int(1e9 * SLICE_S), 0, 0)
    # A sandbox may refuse it: then all is as it was.
    return bool(ctypes.CDLL(None).syscall(number, 0, wanted, 0) == 0)


class Worker:
    """A named thread that runs `run(stop)` until it returns.

    `run` must return soon after `stop` is set; `wake` is called by `stop()` to end whatever
    the thread waits for. An exception that leaves `run` is logged once and handed to
    `on_error` on the worker's thread: the owner decides what ends.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[threading.Event], None],
        *,
        wake: Callable[[], object] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        self._run = run
        self._wake = wake
        self._on_error = on_error
        self._stop = threading.Event()
        # A daemon, so that a thread stuck in a native call can never keep the process alive.
        self._thread = threading.Thread(target=self._main, name=f"napari-cuda-{name}", daemon=True)

    @property
    def name(self) -> str:
        """The thread's name, as debuggers show it."""
        return self._thread.name

    @property
    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    def start(self) -> Worker:
        """Start the thread and return self."""
        self._thread.start()
        return self

    def request_stop(self) -> None:
        """Ask the thread to end, without waiting."""
        self._stop.set()
        if self._wake is not None:
            self._wake()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Ask the thread to end and wait for it; False (and a log line) if it did not."""
        self.request_stop()
        if self._thread is threading.current_thread() or self._thread.ident is None:
            return True
        self._thread.join(max(0.0, deadline_s))
        if self._thread.is_alive():
            log.warning("thread %s did not end within %.1f s", self.name, deadline_s)
            return False
        return True

    def _main(self) -> None:
        try:
            self._run(self._stop)
        except Exception as error:  # the root of a thread: said once, and its owner decides
            log.exception("thread %s failed", self.name)
            if self._on_error is not None:
                self._on_error(error)


class Deadline:
    """One time budget shared by several steps."""

    def __init__(self, timeout_s: float) -> None:
        self._until = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._until - time.monotonic())
