"""Transfer: one upload or download under way, which can be given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from napari_cuda.client.net.http_line import HttpLine
from napari_cuda.protocol.errors import ConnectError

TRY_AGAIN_FOR_S = 60.0
"""How long a transfer goes on trying after its connection was lost."""

TRY_AGAIN_AFTER_S = 0.5
TELL_EVERY_S = 0.1

T = TypeVar("T")


class TransferCancelled(Exception):
    """Leaves a transfer after `cancel`."""


class Transfer:
    """One upload or download under way. Owner: its thread; `cancel` from any.

    `report` is called with the bytes done so far, at most every TELL_EVERY_S.
    """

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report = report
        self._cancelled = threading.Event()
        self._told_s = 0.0
        self._lock = threading.Lock()
        self._line: HttpLine | None = None
        self._arrived = False

    def cancel(self) -> bool:
        """Give it up; its thread leaves with TransferCancelled, at once. False: all of it is there already."""
        with self._lock:
            if self._arrived:
                return False
            self._cancelled.set()
            line = self._line
        if line is not None:
            line.end()  # it may wait for a network that carries nothing
        return True

    @contextmanager
    def over(self, line: HttpLine) -> Iterator[None]:
        """Within this it goes over a line, which ends when it is given up."""
        with self._lock:
            self._line = line
        try:
            yield
        finally:
            with self._lock:
                self._line = None

    def arrive(self) -> None:
        """All of it is there: it cannot be given up any more. Raises TransferCancelled if it was."""
        with self._lock:
            if self._cancelled.is_set():
                raise TransferCancelled
            self._arrived = True

    def done(self, count_bytes: int) -> None:
        """Tell how far it is; raises TransferCancelled if nobody wants the rest."""
        if self._cancelled.is_set():
            raise TransferCancelled
        now_s = time.monotonic()
        if now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            self._report(count_bytes)

    def patiently(self, call: Callable[[], T]) -> T:
        """Call until the server answers; ConnectError if it does not for TRY_AGAIN_FOR_S."""
        until_s = time.monotonic() + TRY_AGAIN_FOR_S
        while True:
            try:
                return call()
            except ConnectError:
                if time.monotonic() >= until_s:
                    raise
                if self._cancelled.wait(TRY_AGAIN_AFTER_S):
                    raise TransferCancelled from None
