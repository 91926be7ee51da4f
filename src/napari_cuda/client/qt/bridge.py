"""CallProxy and WakeProxy: how other threads reach the GUI thread.

Owner: GUI thread; `post` and `wake_at` may be called from any thread.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_cuda.client.control.cadence import TURN_S

log = logging.getLogger(__name__)

# Below this the timer's own resolution is the larger error, and spinning is cheap.
_SPIN_S = 0.001

# QTimer counts in 32-bit milliseconds; a longer wait is armed again.
_LONGEST_S = 3600.0

# A healthy GUI thread empties the queue every few milliseconds: thousands waiting mean that it hangs.
_CAPACITY = 10_000


class CallProxy(QObject):
    """Runs functions on the GUI thread, in the order in which they were posted.

    Owner: GUI thread (create it there). However many calls wait, at most one Qt event does; calls that take
    long get several.
    """

    _wake = Signal()

    def __init__(self, parent: QObject | None = None, *, capacity: int = _CAPACITY) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._calls: deque[Callable[[], object]] = deque()
        self._capacity = capacity
        self._woken = False
        self._closed = False
        self._wake.connect(self._run, Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg] # not in the stubs

    def post(self, call: Callable[[], object]) -> bool:
        """Have `call()` run on the GUI thread; any thread. Returns at once.

        False means that it will never run: the proxy is closed, or full because the GUI
        thread hangs (logged); who posted state must then ask for all of it again.
        """
        with self._lock:
            if self._closed:
                return False
            if len(self._calls) >= self._capacity:
                log.error("the GUI thread does not answer: a call was dropped, %d are waiting", self._capacity)
                return False
            self._calls.append(call)
            if not self._woken:
                self._woken = True
                # Under the lock, so that it cannot come after close(). It only posts an event.
                self._wake.emit()
            return True

    def __len__(self) -> int:
        """How many calls wait; any thread."""
        return len(self._calls)

    def close(self) -> None:
        """Drop the calls that wait and all later ones; GUI thread, harmless when repeated."""
        with self._lock:
            self._closed = True
            self._calls.clear()

    def _run(self) -> None:
        with self._lock:
            self._woken = False
            waiting = len(self._calls)
        # Calls posted meanwhile have their own event: Qt gets a turn between two batches.
        until_s = time.monotonic() + TURN_S
        for number in range(waiting):
            with self._lock:
                if not self._calls:
                    return
                if number and time.monotonic() >= until_s:
                    if not self._woken:
                        self._woken = True
                        self._wake.emit()
                    return
                call = self._calls.popleft()
            try:
                call()
            except Exception:  # a failed call must neither stop the others nor abort Qt
                log.exception("a call posted to the GUI thread failed")


class WakeProxy(QObject):
    """Calls `callback()` on the GUI thread at a given time, to a fraction of a millisecond.

    Owner: GUI thread (create it there). It keeps one time: the earliest asked for. The
    callback looks at what is due and asks again for the next. Nothing due, nothing runs.
    """

    _asked = Signal()

    def __init__(
        self,
        callback: Callable[[], object],
        parent: QObject | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._callback = callback
        self._clock = clock
        self._lock = threading.Lock()
        self._due_s: float | None = None
        self._asking = False
        self._closed = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._arm)
        self._asked.connect(self._arm, Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg] # not in the stubs

    def wake_at(self, due_s: float) -> None:
        """Ask for a call at `due_s` (the clock's seconds; past means at once); any thread.

        Ignored if an earlier call is already coming.
        """
        with self._lock:
            if self._closed or (self._due_s is not None and self._due_s <= due_s):
                return
            self._due_s = due_s
            if not self._asking:
                self._asking = True
                # Under the lock, so that it cannot come after close(). It only posts an event.
                self._asked.emit()

    def cancel(self) -> None:
        """Forget the time asked for; GUI thread."""
        with self._lock:
            self._due_s = None
        self._timer.stop()

    def close(self) -> None:
        """Never call again; GUI thread, harmless when repeated."""
        with self._lock:
            self._closed = True
        self.cancel()

    def _arm(self) -> None:
        with self._lock:
            self._asking = False
            due_s = self._due_s
        if due_s is None:
            return
        left_s = due_s - self._clock()
        if left_s >= _SPIN_S:
            # Rounded down: an early timer is made up for by spinning, a late one by nothing.
            self._timer.start(math.floor(min(left_s, _LONGEST_S) * 1000))
            return
        self._timer.stop()
        while self._clock() < due_s:
            pass
        with self._lock:
            # An even earlier time may have been asked for while spinning: this call serves it.
            self._due_s = None
        try:
            self._callback()
        except Exception:  # the root of a Qt event: report, never abort the process
            log.exception("the callback of a timed wake failed")
