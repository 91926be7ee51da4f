"""LayerUploads: layers made here whose data is too large for a message: the data goes as a file, the rest as ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari_cuda.client.data_access import DataAccess
from napari_cuda.client.mirror.unsent_layers import Senders
from napari_cuda.protocol import messages as m


class LayerUploads(Senders):
    """Owner: GUI thread. `wait` returns when what it is given says so; a window's returns at once."""

    def __init__(self, data: DataAccess, wait: Callable[[Callable[[], bool]], None]) -> None:
        self._data = data
        self._wait = wait
        self._made_badly: Callable[[int, str, str], object] = lambda number, why, trace: None
        data.board.watch(self._look)

    def send(
        self, name: str, arrays: Sequence[Any], then: Callable[[str], object], failed: Callable[[str], object]
    ) -> str:
        """Send arrays; return the name of the job."""
        return self._data.send_arrays(name, arrays, then, failed)

    def watch(self, made_badly: Callable[[int, str, str], object]) -> None:
        """Call back when what a command began has failed."""
        self._made_badly = made_badly

    def is_known(self, number: int) -> bool:
        """Return whether a command began a job."""
        return self._data.board.of_intent(number) is not None

    def give_up(self, job: str, number: int) -> None:
        """Give up a job of ours, or what a command began with what it sent."""
        making = self._data.board.of_intent(number) if number else None
        self._data.cancel(making.job if making is not None else job)

    def wait_for(self, done: Callable[[], bool]) -> None:
        """In a script return when it is done."""
        self._wait(done)

    def _look(self, job: m.JobUpdate) -> None:
        if job.intent > 0 and job.state in ("failed", "cancelled"):
            self._made_badly(job.intent, job.error, job.traceback)
