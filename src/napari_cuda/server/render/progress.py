"""ProgressBars: napari's progress bars on the server, as jobs that all clients see.

A script's bars move where its code runs: in the main thread, which is the render thread and then does nothing else, or
in a thread of its own. So they are told, and cancelled, without the render loop.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from napari.utils import cancelable_progress, progress

from napari_cuda.protocol import messages as m
from napari_cuda.server.data.jobs import MOST_ENDED, TELL_EVERY_S
from napari_cuda.server.render.napari_model import progress_bars, worker_of


@dataclass(slots=True)
class _Bar:
    update: m.JobUpdate
    told_s: float


class ProgressBars:
    """Any thread. `tell` tells all clients how a job stands, and is called on any thread, too."""

    def __init__(self, tell: Callable[[m.JobUpdate], None]) -> None:
        self._tell = tell
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._bars: dict[progress, _Bar] = {}
        """Those that are not closed. Bound: the script's own."""
        self._ended: OrderedDict[str, m.JobUpdate] = OrderedDict()
        """The last MOST_ENDED, for a client that comes back."""
        progress_bars().events.changed.connect(self._on_changed)

    def close(self) -> None:
        """Watch no more."""
        progress_bars().events.changed.disconnect(self._on_changed)

    def known(self) -> list[m.JobUpdate]:
        """Return how the bars stand, and how the last ones ended."""
        with self._lock:
            return [*self._ended.values(), *(bar.update for bar in self._bars.values())]

    def cancel(self, job: str) -> None:
        """Have what a bar is of end, if it is one that can; nothing if there is no such bar."""
        with self._lock:
            found = next((bar for bar, known in self._bars.items() if known.update.job == job), None)
        if isinstance(found, cancelable_progress):
            found.cancel()
        elif found is not None and (worker := worker_of(found)) is not None:
            worker.quit()

    def _on_changed(self, event: Any) -> None:
        for bar in event.added or ():
            self._begin(bar)
        for bar in event.removed or ():
            self._end(bar)

    def _begin(self, bar: progress) -> None:
        can_cancel = isinstance(bar, cancelable_progress) or worker_of(bar) is not None
        update = m.JobUpdate(f"progress-{next(self._numbers)}", 0, bar.desc, can_cancel=can_cancel)
        with self._lock:
            self._bars[bar] = _Bar(update, 0.0)
        for moved in (bar.events.value, bar.events.total, bar.events.description):
            moved.connect(lambda _event=None: self._moved(bar))
        self._moved(bar)

    def _moved(self, bar: progress) -> None:
        with self._lock:
            known = self._bars.get(bar)
            if known is None:
                return
            total, now_s = bar.total, time.monotonic()
            fraction = min(1.0, bar.n / total) if total else None
            known.update = replace(known.update, title=bar.desc.removesuffix(": "), fraction=fraction)
            if now_s - known.told_s < TELL_EVERY_S:
                return
            known.told_s = now_s
            update = known.update
        self._tell(update)

    def _end(self, bar: progress) -> None:
        with self._lock:
            known = self._bars.pop(bar, None)
            if known is None:
                return
            worker = worker_of(bar)
            gone = getattr(bar, "is_canceled", False) or (worker is not None and worker.abort_requested)
            update = replace(known.update, state="cancelled" if gone else "done")
            self._ended[update.job] = update
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)
        self._tell(update)
