"""Activity: the jobs of a session in napari's activity dock, each with a bar and a Cancel button. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.utils import cancelable_progress, progress

from napari_cuda.client.control.job_board import JobBoard
from napari_cuda.protocol import messages as m

PERCENT = 100


class _JobProgress(cancelable_progress):
    """One bar. napari's cancels an iteration; here there is none, so the job is told at once."""

    def __init__(self, job: m.JobUpdate, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        super().__init__(desc=job.title, total=0)

    def cancel(self) -> None:
        """The user pressed Cancel."""
        super().cancel()
        self._cancel()


class Activity:
    """Owner: GUI thread."""

    def __init__(self, board: JobBoard, cancel: Callable[[str], object]) -> None:
        self._cancel = cancel
        self._bars: dict[str, Any] = {}
        """Bars of running jobs. Bound: what server and client run at a time."""
        self._closed = False
        board.watch(self._show)

    def close(self) -> None:
        """Take all bars away."""
        self._closed = True
        bars, self._bars = self._bars, {}
        for bar in bars.values():
            if bar is not None:
                bar.close()

    def _begin(self, job: m.JobUpdate) -> None:
        # napari runs Qt's events while it makes a bar: the job may be over before there is one.
        self._bars[job.job] = None
        if job.can_cancel:
            bar = _JobProgress(job, lambda: self._cancel(job.job))
        else:
            bar = progress(desc=job.title, total=0)
        if job.job in self._bars:
            self._bars[job.job] = bar
        else:
            bar.close()

    def _show(self, job: m.JobUpdate) -> None:
        if self._closed:
            return
        if job.state != "running":
            bar = self._bars.pop(job.job, None)
            if bar is not None:
                bar.close()
            return
        if job.job not in self._bars:
            self._begin(job)
        bar = self._bars.get(job.job)
        if bar is not None and bar.desc.removesuffix(": ") != job.title:
            bar.set_description(job.title)
        if bar is not None and job.fraction is not None:
            if not bar.total:
                bar.total = PERCENT
            bar.update(int(job.fraction * PERCENT) - bar.n)
