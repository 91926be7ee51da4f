"""Jobs: long work for a client, on threads of its own, told step by step."""

from __future__ import annotations

import logging
import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import NapariCudaError
from napari_cuda.worker import Deadline, Worker

log = logging.getLogger(__name__)

MOST_JOBS = 4
"""At a time: more only wait for the disk."""

MOST_ABANDONED = 16
"""Threads of cancelled jobs whose plugin does not return, which nothing can end. With more of them nothing is begun:
something is wrong that another thread does not mend."""

MOST_ENDED = 32
"""Ended jobs that a client who comes back is still told of."""

TELL_EVERY_S = 0.1
"""Nobody reads a progress bar faster."""


LONGEST_TRACE = 16_000
"""Characters, the last of it: what raised stands there."""


class JobCancelled(Exception):
    """Leaves a job's work after `cancel`."""


class Job:
    """What the work of a job sees of it. Owner: the job's thread."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._told_s = 0.0
        self.cancelled = threading.Event()

    def check(self) -> None:
        """Raise JobCancelled if nobody wants the rest."""
        if self.cancelled.is_set():
            raise JobCancelled

    def progress(self, fraction: float) -> None:
        """Say how much is done, 0 to 1; raises JobCancelled if nobody wants the rest."""
        self.check()
        now_s = time.monotonic()
        if now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            self._tell(fraction)


Steps = Generator[float, None, dict[str, Any]]
"""Yields how much is done, 0 to 1, wherever others may have a turn; returns what the client is told."""

Finish = Callable[[], dict[str, Any] | Steps]
"""The end of a job's work, on the render thread: changes the scene, at once or in steps if that takes long."""

Work = Callable[[Job], Finish]
"""A job's work, on its own thread. A NapariCudaError says in one line why it failed."""


class Jobs:
    """Owner: render thread. `post` runs a call there; `tell` sends a viewer a message, after what changed before."""

    def __init__(self, post: Callable[[Callable[[], None]], None], tell: Callable[[str, m.JobUpdate], None]) -> None:
        self._post = post
        self._tell = tell
        self._running: dict[str, tuple[Job, Worker]] = {}
        self._known: dict[str, tuple[str, m.JobUpdate]] = {}
        """Job → whose it is, and how it stands; running ones and the last MOST_ENDED."""
        self._ended: deque[str] = deque()
        self.cancel_other: Callable[[str], object] = lambda job: None
        """Called for what is no job of these: what the picture waits for."""

    def start(self, viewer: str, intent: int, title: str, work: Work) -> bool:
        """Begin a job for the command `intent` (0: none) of a viewer; False if too many run, which it is told."""
        name = f"J{secrets.token_hex(4)}"
        self._known[name] = (viewer, m.JobUpdate(name, intent, title))
        if why := self._no_room():
            self._end(name, "failed", f"{title}: {why}")
            return False
        job = Job(lambda fraction: self._post(lambda: self._update(name, fraction=fraction)))
        worker = Worker(f"job-{name}", lambda _stop: self._run(name, job, work), wake=job.cancelled.set)
        self._running[name] = (job, worker)
        self._update(name)
        worker.start()
        return True

    def cancel(self, viewer: str, name: str) -> None:
        """Give a job up. What a plugin is in the middle of goes on unseen; nothing comes of it."""
        if name not in self._known:
            self.cancel_other(name)
        elif self._known[name][0] == viewer:
            if name in self._running:
                self._running[name][0].cancelled.set()
            self._update(name, state="cancelled")

    def known_to(self, viewer: str) -> list[m.JobUpdate]:
        """Return how a viewer's jobs stand, for one that comes back."""
        return [update for owner, update in self._known.values() if owner == viewer]

    def close(self, deadline_s: float = 1.0) -> None:
        """Give all up. A thread in the middle of a plugin ends with the process."""
        deadline = Deadline(deadline_s)
        for _, worker in self._running.values():
            worker.request_stop()
        for _, worker in self._running.values():
            worker.stop(deadline.left_s())

    def _no_room(self) -> str:
        """Return why no job can begin now; empty if one can."""
        abandoned = [self._known[name][1].title for name, (job, _) in self._running.items() if job.cancelled.is_set()]
        if abandoned:
            log.warning("cancelled and still at work: %s", "; ".join(abandoned))
        if len(abandoned) >= MOST_ABANDONED:
            return f"{len(abandoned)} cancelled jobs hang in their plugins; the server must be started anew"
        if len(self._running) - len(abandoned) >= MOST_JOBS:
            return f"{MOST_JOBS} jobs are running already; try again when one has ended, or cancel one"
        return ""

    def _run(self, name: str, job: Job, work: Work) -> None:
        """The job's thread."""
        why, trace = "", ""
        finish: Finish = dict
        try:
            finish = work(job)
        except JobCancelled:
            log.debug("job %s was cancelled", name)
        except NapariCudaError as error:
            why, trace = str(error), _trace(error) if error.__cause__ is not None else ""
        except Exception as error:  # a reader or writer plugin may raise anything
            log.exception("a job failed")
            why = f"the server failed: {type(error).__name__}: {error}".splitlines()[0]
            trace = _trace(error)
        self._post(lambda: self._returned(name, finish, why, trace))

    def _returned(self, name: str, finish: Finish, why: str, trace: str) -> None:
        del self._running[name]
        if self._known[name][1].state != "running":
            self._note_ended(name)  # cancelled meanwhile
        elif why:
            self._end(name, "failed", why, trace=trace)
        else:
            self._finish(name, finish)

    def _finish(self, name: str, finish: Finish) -> None:
        with self._telling_failure(name):
            result = finish()
            if isinstance(result, dict):
                self._end(name, "done", result=result)
            else:
                self._step(name, result)

    def _step(self, name: str, steps: Steps) -> None:
        """Take one step; whatever else waits has its turn before the next."""
        if self._known[name][1].state != "running":
            self._note_ended(name)  # cancelled: what it did to the scene stays
            return
        with self._telling_failure(name):
            try:
                fraction = next(steps)
            except StopIteration as end:
                self._end(name, "done", result=end.value)
            else:
                self._update(name, fraction=fraction)
                self._post(lambda: self._step(name, steps))

    @contextmanager
    def _telling_failure(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # napari may raise anything on what a plugin read
            log.exception("the result of a job could not be used")
            why = f"napari refuses it: {type(error).__name__}: {error}".splitlines()[0]
            self._end(name, "failed", why, trace=_trace(error))

    def _end(
        self, name: str, state: str, error: str = "", result: dict[str, Any] | None = None, trace: str = ""
    ) -> None:
        self._update(name, state=state, error=error, result=result or {}, traceback=trace)
        self._note_ended(name)

    def _note_ended(self, name: str) -> None:
        self._ended.append(name)
        if len(self._ended) > MOST_ENDED:
            del self._known[self._ended.popleft()]

    def _update(self, name: str, **changes: Any) -> None:
        viewer, update = self._known.get(name, ("", None))
        if update is None or update.state != "running":
            return
        update = replace(update, **changes)
        self._known[name] = (viewer, update)
        self._tell(viewer, update)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-LONGEST_TRACE:]
