"""FixedLatencyPresenter: holds decoded pictures until they are due, and hands out the newest."""

from __future__ import annotations

import enum
import threading

from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.gate import seq_distance


class PlayoutMode(enum.Enum):
    """When a decoded picture is due."""

    LATEST = "latest"
    """At once; a newer picture replaces one not yet shown."""


class FixedLatencyPresenter:
    """The one place where decoded pictures wait. Owner: its lock.

    Decode threads `submit`, the GUI thread takes. Nothing here ever goes back in time: a
    picture of an older epoch, or with an older `seq`, than the one shown is never returned.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mode = PlayoutMode.LATEST
        # One: in this mode a picture that is not the newest will never be shown.
        self._waiting: SubmittedFrame | None = None
        self._shown: SubmittedFrame | None = None

    @property
    def mode(self) -> PlayoutMode:
        """When a decoded picture is due."""
        return self._mode

    def set_mode(self, mode: PlayoutMode) -> None:
        """Change when pictures are due; one that waits keeps waiting."""
        with self._lock:
            self._mode = mode

    def submit(self, frame: SubmittedFrame) -> bool:
        """Take a decoded picture; False if it is older than what is shown or waiting already."""
        with self._lock:
            if any(other is not None and not _follows(frame, other) for other in (self._shown, self._waiting)):
                return False
            self._waiting = frame
            return True

    def take_due(self, now_s: float) -> SubmittedFrame | None:
        """Return the newest picture that is due at `now_s` (client's clock), once; None if there is none."""
        with self._lock:
            frame, self._waiting = self._waiting, None
            if frame is not None:
                self._shown = frame
            return frame

    def next_due_s(self) -> float | None:
        """Return when the next picture is due on the client's clock; None if none waits."""
        with self._lock:
            return None if self._waiting is None else self._waiting.decoded_s

    def on_reconnect(self) -> None:
        """A new connection begins, whose epochs and `seq` count from anew: forget the old ones."""
        with self._lock:
            self._waiting = None
            self._shown = None


def _follows(frame: SubmittedFrame, other: SubmittedFrame) -> bool:
    new, old = frame.header, other.header
    if new.epoch != old.epoch:
        return new.epoch > old.epoch
    return seq_distance(new.seq, old.seq) > 0
