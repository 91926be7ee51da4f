"""Errands: calls that block on network or disk, on threads of their own; the results come to the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from napari_cuda.client.net.transfer import TransferCancelled
from napari_cuda.client.net.transport import Post
from napari_cuda.protocol.errors import NapariCudaError
from napari_cuda.worker import Deadline, Worker

MOST_ERRANDS = 8
"""Threads at a time: a dialog's listing, and as many transfers as anybody watches."""

T = TypeVar("T")


class Errands:
    """Owner: GUI thread."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._running: list[Worker] = []

    def run(
        self,
        name: str,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
        cancel: Callable[[], object] = lambda: None,
    ) -> None:
        """Do `work` on a thread, then `done` with its result here, or `failed` with the NapariCudaError, OSError or
        TransferCancelled that it raised.

        `cancel` asks the work to end, when the session does. NapariCudaError if too much is going on.
        """
        self._running = [worker for worker in self._running if worker.alive]
        if len(self._running) >= MOST_ERRANDS:
            raise NapariCudaError(f"{MOST_ERRANDS} transfers are under way already; wait for one, or cancel it")

        def errand(_stop: object) -> None:
            try:
                result = work()
            except (NapariCudaError, OSError, TransferCancelled) as error:
                self._post(partial(failed, error))
            else:
                self._post(partial(done, result))

        worker = Worker(name, errand, wake=cancel)
        self._running.append(worker)
        worker.start()

    def close(self, deadline_s: float = 2.0) -> None:
        """Ask all to end, and wait a little."""
        deadline = Deadline(deadline_s)
        for worker in self._running:
            worker.request_stop()
        for worker in self._running:
            worker.stop(deadline.left_s())
