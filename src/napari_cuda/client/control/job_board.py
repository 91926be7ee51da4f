"""JobBoard: the long work that a client waits for, on the server and of its own, and how it stands. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from msgspec.structs import replace

from napari_cuda.protocol.messages import JobUpdate

OWN = "local-"
"""Begins the names of a client's own transfers."""

MOST_ENDED = 64
"""Twice what a server remembers, so that what it tells again is known here to have ended."""


class JobBoard:
    """Owner: GUI thread.

    Watchers are called with every change of a job; the last one says how it ended.
    """

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, JobUpdate] = OrderedDict()
        self._watchers: list[Callable[[JobUpdate], object]] = []

    def watch(self, watcher: Callable[[JobUpdate], object]) -> None:
        """Call `watcher` with every change from now on."""
        self._watchers.append(watcher)

    def take(self, update: JobUpdate) -> None:
        """Take over how a job stands; one that has ended stays so."""
        known = self._jobs.get(update.job)
        if known == update or (known is not None and known.state != "running"):
            return
        self._jobs[update.job] = update
        if update.state != "running":
            self._jobs.move_to_end(update.job)
            self._forget_oldest()
        for watcher in self._watchers:
            watcher(update)

    def of_intent(self, number: int) -> JobUpdate | None:
        """Return how the job stands that a command began, or None if there is none."""
        return next((job for job in reversed(self._jobs.values()) if job.intent == number), None)

    def get(self, name: str) -> JobUpdate | None:
        """Return how a job stands, or None if nobody knows it (any more)."""
        return self._jobs.get(name)

    def is_running(self, name: str) -> bool:
        """Return whether a job has not ended."""
        job = self._jobs.get(name)
        return job is not None and job.state == "running"

    @property
    def running(self) -> list[JobUpdate]:
        """Jobs that have not ended."""
        return [job for job in self._jobs.values() if job.state == "running"]

    def lose(self, why: str) -> None:
        """The server that knew of them is gone: what it was doing has failed."""
        for job in self.running:
            if job.intent > 0:
                self.take(replace(job, state="failed", error=f"{job.title}: {why}"))
            elif not job.job.startswith(OWN):  # what it told everybody of
                self.take(replace(job, state="cancelled"))

    def _forget_oldest(self) -> None:
        ended = [name for name, job in self._jobs.items() if job.state != "running"]
        for name in ended[: max(0, len(ended) - MOST_ENDED)]:
            del self._jobs[name]
