"""RemoteViewer: the mirrored viewer model without a window, for scripts and tests."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.utils import progress
from pydantic import PrivateAttr

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.loop import ClientStreamLoop
from napari_cuda.client.remote_session import Connected, RemoteSession
from napari_cuda.protocol.messages import JobUpdate
from napari_cuda.protocol.packet import PacketHeader

log = logging.getLogger(__name__)


class RemoteViewer(Connected, ViewerModel):
    """A napari viewer model whose scene is on a server.

    `layers`, `dims`, `scene.camera` … are as in napari: setting them steers the server.
    What the server or others changed is taken in by `sync` and `pump`. Use it from one
    thread; close it, or use it as a context manager.
    """

    _session: RemoteSession = PrivateAttr()

    def screenshot(self, timeout_s: float = 30.0) -> npt.NDArray[np.uint8]:
        """Return the exact picture of the present state, overlays included: (H, W, 4) uint8 RGBA."""
        return self._session.screenshot(timeout_s)

    def close(self) -> None:
        """Leave the server."""
        self.leave()

    def __enter__(self) -> RemoteViewer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HeadlessHost:
    """The loop's host in a script: calls wait in a mailbox until the script lets them run.

    Owner: the script's thread. Bound: the ack window of pictures, and one call of each channel,
    which keeps what it has to tell until the script takes it.
    """

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._calls: deque[Callable[[], None]] = deque()
        self._loop: ClientStreamLoop | None = None

    def attach(self, loop: ClientStreamLoop) -> None:
        """Give the host the loop it wakes."""
        self._loop = loop

    def post(self, call: Callable[[], None]) -> None:
        """Queue a call; any thread."""
        with self._arrived:
            self._calls.append(call)
            self._arrived.notify()

    def call_at(self, due_s: float, call: Callable[[], None]) -> None:
        """Run `call` the next time the script waits."""
        self.post(call)

    def schedule_wake(self, due_s: float) -> None:
        """A picture waits; in a script it is due at once."""
        if self._loop is not None:
            self.post(self._loop.present)

    def request_draw(self) -> bool:
        """Nothing to draw on."""
        return False

    def presented(self, header: PacketHeader) -> None:
        """Nothing waits for it here: `wait_until` looks."""

    def notify(self, text: str) -> None:
        """Tell the script's log."""
        log.warning("%s", text)

    def viewer_renewed(self) -> None:
        """No slider plays here."""

    def show_state(self, text: str | None) -> None:
        """No picture to show it over; the log has it."""

    def close(self) -> None:
        """Drop what waits."""
        with self._arrived:
            self._calls.clear()

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Run what arrives until `done()`; False if it did not become so in time."""
        until_s = time.monotonic() + timeout_s
        while True:
            while (call := self._next_call()) is not None:
                call()
            if done():
                return True
            with self._arrived:
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._arrived.wait_for(lambda: self._calls, left_s)

    def _next_call(self) -> Callable[[], None] | None:
        # One at a time: what one raises must not lose the others.
        with self._arrived:
            return self._calls.popleft() if self._calls else None


class TerminalProgress:
    """Shows on a terminal how far long work is, one bar at a time. Owner: the script's thread."""

    def __init__(self, bar: Callable[..., Any] = progress) -> None:
        self._make = bar
        self._bar: Any = None
        self._job = ""

    def show(self, job: JobUpdate) -> None:
        """A job goes on, or has ended."""
        if job.state == "running" and job.fraction is not None and self._bar is None:
            self._job, self._bar = job.job, self._make(total=100, desc=job.title)
        if self._bar is None or job.job != self._job:
            return
        if job.fraction is not None:
            self._bar.update(max(0, round(100 * job.fraction) - self._bar.n))
        if job.state != "running":
            self._bar.close()
            self._bar = None


def connect_headless(config: ClientConfig, *, timeout_s: float, client: str) -> RemoteViewer:
    """Connect and return the mirrored viewer; ConnectError in one line if that fails."""
    viewer = RemoteViewer()
    host = HeadlessHost()
    config = replace(config, overlays=True)
    session = RemoteSession(config, viewer, host, client=client, own_canvas=False)
    host.attach(session.loop)
    viewer.attach(session)
    if sys.stderr.isatty():
        session.data.board.watch(TerminalProgress().show)
    try:
        session.open(timeout_s)
    except BaseException:  # an interrupt too: no thread may stay
        viewer.close()
        raise
    return viewer
