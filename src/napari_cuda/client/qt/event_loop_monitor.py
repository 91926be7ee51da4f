"""EventLoopMonitor: notices when the GUI thread hangs, and when a picture is due but not drawn.

Owner: GUI thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import QObject, Qt, QTimer

from napari_cuda.client.rate_limit import RateLimit
from napari_cuda.client.telemetry import ClientMetrics

log = logging.getLogger(__name__)

INTERVAL_S = 0.1
STALL_S = 0.25
"""A hang that a user feels. Seen from `INTERVAL_S` apart, one a little longer may go unnoticed."""
OVERDUE_S = 0.5
"""How long a picture may wait to be drawn: 50 ms is usual for a large one on software OpenGL, more in a busy window."""
LOG_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: how long the thread hung (0: it did not), and whether to repaint."""

    stall_s: float = 0.0
    kick: bool = False


class EventLoopWatch:
    """Decides. Owner: GUI thread; pure, told the time at every look.

    A hang is told once, when it is over. A picture that waits is kicked once, and not while a hang
    has just ended: then it is only late.
    """

    def __init__(self) -> None:
        self._looked_s: float | None = None
        self._kicked_s: float | None = None

    def look(self, now_s: float, waiting_since_s: float | None) -> Look:
        """Look at `now_s`; a picture waits to be drawn since `waiting_since_s`, or none does."""
        late_s = 0.0 if self._looked_s is None else now_s - self._looked_s - INTERVAL_S
        self._looked_s = now_s
        if late_s >= STALL_S:
            return Look(stall_s=late_s)
        if waiting_since_s is None or waiting_since_s == self._kicked_s or now_s - waiting_since_s < OVERDUE_S:
            return Look()
        self._kicked_s = waiting_since_s
        return Look(kick=True)


class EventLoopMonitor(QObject):
    """Looks ten times a second, notes `gui_stall` and `draw_kicks`, and has a forgotten picture repainted.

    Owner: GUI thread. `waiting_since_s()` is when the picture that is not drawn yet was due, on
    `clock`; `kick()` repaints. One look costs microseconds (benchmarks/client_frame.py).
    """

    def __init__(
        self,
        metrics: ClientMetrics,
        *,
        waiting_since_s: Callable[[], float | None],
        kick: Callable[[], object],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._metrics = metrics
        self._waiting_since_s = waiting_since_s
        self._kick = kick
        self._clock = clock
        self._watch = EventLoopWatch()
        self._stall_log = RateLimit(LOG_EVERY_S)
        self._kick_log = RateLimit(LOG_EVERY_S)
        self._timer = QTimer(self)
        # Coarse: the system may wake for it together with others.
        self._timer.setTimerType(Qt.TimerType.CoarseTimer)
        self._timer.setInterval(round(INTERVAL_S * 1000))
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Look once; the timer's slot."""
        now_s = self._clock()
        found = self._watch.look(now_s, self._waiting_since_s())
        if found.stall_s:
            self._metrics.observe("gui_stall", found.stall_s)
            self._log(self._stall_log, now_s, f"the window did not answer for {found.stall_s:.1f} s")
        if found.kick:
            self._metrics.count("draw_kicks")
            self._log(self._kick_log, now_s, f"a picture was not drawn within {OVERDUE_S:g} s: drawing it again")
            self._kick()

    def close(self) -> None:
        """Look no more; harmless when repeated."""
        self._timer.stop()

    @staticmethod
    def _log(limit: RateLimit, now_s: float, text: str) -> None:
        held_back = limit.passes(now_s)
        if held_back is not None:
            log.warning("%s%s", text, f" ({held_back} more times since it was last said)" if held_back else "")
