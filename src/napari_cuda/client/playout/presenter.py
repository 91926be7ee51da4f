"""FixedLatencyPresenter: holds decoded pictures until they are due, and hands out the newest."""

from __future__ import annotations

import enum
import math
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.gate import seq_distance
from napari_cuda.client.playout.lease import LeaseRole
from napari_cuda.client.playout.timing import PlayoutTiming
from napari_cuda.protocol.packet import PacketFlag, PacketHeader, PacketKind

_EARLY_S = 0.05
"""A path may become this much shorter and pictures come as much earlier, until the offset is learned again."""


class PlayoutMode(enum.Enum):
    """When a decoded picture is due."""

    LATEST = "latest"
    """At once; a newer picture replaces one not yet shown."""
    FIXED = "fixed"
    """A fixed latency after it could have arrived at the earliest: as evenly as the server drew it."""


class FixedLatencyPresenter:
    """The one place where decoded pictures wait. Owner: its lock.

    Decode threads `submit`, the GUI thread takes. Pictures are ordered by (epoch, seq), epochs as
    the client's gate counts them; nothing older than what was taken is ever returned.

    Leases: the submitter acquires PRESENTER for the presenter. The presenter releases it for every
    picture that it refuses or skips, and passes it on with the one that `take_due` returns: the
    taker acquires RENDERER, then releases PRESENTER.

    `latency_s` counts from the earliest possible arrival (`PlayoutTiming`) and so has to cover
    jitter and decoding; a picture that is late nevertheless is due at once.
    """

    def __init__(self, *, latency_s: float = 0.1, frame_rate: float = 60.0) -> None:
        self._lock = threading.Lock()
        self._mode = PlayoutMode.LATEST
        self._latency_s = latency_s
        self._frame_rate = frame_rate
        self._timing = PlayoutTiming()
        self._waiting: deque[SubmittedFrame] = deque()
        self._taken: PacketHeader | None = None
        self._closed = False
        self._skipped = 0

    @property
    def mode(self) -> PlayoutMode:
        """When a decoded picture is due."""
        return self._mode

    @property
    def latency_s(self) -> float:
        """How long after its earliest arrival a picture is shown in fixed mode."""
        return self._latency_s

    @property
    def frame_rate(self) -> float:
        """How many pictures the server draws in a second at most."""
        return self._frame_rate

    @property
    def offset_s(self) -> float | None:
        """What the server's capture clock and the fastest path add up to; None before the first picture."""
        return self._timing.offset_s

    @property
    def capacity(self) -> int:
        """How many pictures may wait: one, or in fixed mode those that are due within the latency."""
        if self._mode is PlayoutMode.LATEST:
            return 1  # a picture that is not the newest will never be shown
        return math.floor((self._latency_s + _EARLY_S) * self._frame_rate) + 2

    @property
    def depth(self) -> int:
        """How many pictures wait."""
        return len(self._waiting)

    @property
    def skipped(self) -> int:
        """How many pictures were given up for a newer one."""
        return self._skipped

    def set_mode(self, mode: PlayoutMode) -> None:
        """Change when pictures are due, those that wait included: schedule the next wake anew."""
        with self._lock:
            if mode is self._mode:
                return
            self._mode = mode
            waiting, self._waiting = self._waiting, deque()
            for frame in waiting:
                self._append(frame)
            skipped = self._trim()
        _release(skipped)

    def set_latency(self, latency_s: float) -> None:
        """Change the latency of pictures submitted from now on."""
        with self._lock:
            self._latency_s = latency_s

    def set_frame_rate(self, frame_rate: float) -> None:
        """Say how many pictures the server draws in a second at most: the bound follows it."""
        with self._lock:
            self._frame_rate = frame_rate

    def submit(self, frame: SubmittedFrame, now_s: float) -> bool:
        """Take a decoded picture; False, and released, if it does not follow all that came before."""
        with self._lock:
            accepted = not self._closed and self._follows(frame.header)
            skipped = self._accept(frame, now_s) if accepted else [frame]
        _release(skipped)
        return accepted

    def unchanged(self, header: PacketHeader) -> bool:
        """The newest picture is also that of `header`; False if it does not wait here any more.

        The waiting picture then says so itself, when it is taken: not before it is seen.
        """
        with self._lock:
            if not self._waiting or not self._follows(header):
                return False
            newest = self._waiting[-1]
            says = replace(
                newest.header,
                seq=header.seq,
                epoch=header.epoch,
                revision=header.revision,
                input_id=header.input_id,
                flags=header.flags | (newest.header.flags & PacketFlag.KEYFRAME),
            )
            self._waiting[-1] = replace(newest, header=says)
            return True

    def take_due(self, now_s: float) -> SubmittedFrame | None:
        """Return the newest picture that is due at `now_s` (client's clock), once; None if there is none."""
        due: SubmittedFrame | None = None
        skipped: list[SubmittedFrame] = []
        with self._lock:
            while self._waiting and self._waiting[0].due_s <= now_s:
                if due is not None:
                    skipped.append(due)
                due = self._waiting.popleft()
            if due is not None:
                self._taken = due.header
            self._skipped += len(skipped)
        _release(skipped)
        return due

    def next_due_s(self) -> float | None:
        """Return when the next picture is due on the client's clock; None if none waits."""
        with self._lock:
            return self._waiting[0].due_s if self._waiting else None

    def on_reconnect(self) -> None:
        """A new connection begins: the server's clock may be another. The epochs keep the order."""
        with self._lock:
            self._timing.reset()

    def close(self) -> None:
        """Let go of all that waits, and of whatever is still submitted."""
        with self._lock:
            self._closed = True
            skipped = list(self._waiting)
            self._waiting.clear()
        _release(skipped)

    # --- under the lock -----------------------------------------------------------------

    def _follows(self, header: PacketHeader) -> bool:
        newest = self._waiting[-1].header if self._waiting else self._taken
        return newest is None or follows(header, newest)

    def _accept(self, frame: SubmittedFrame, now_s: float) -> list[SubmittedFrame]:
        # A still repeats a picture that was drawn before: its arrival says nothing about the path.
        if frame.header.kind is PacketKind.ACCESS_UNIT:
            self._timing.observe(_captured_s(frame), frame.received_s)
        self._append(frame)
        skipped = self._trim()
        if self._mode is PlayoutMode.FIXED and len(self._waiting) == self.capacity:
            # More wait than the latency has room for, so the offset is too high: the first packet
            # was late, say. What would be pushed out next is shown instead.
            oldest = self._waiting[0]
            self._waiting[0] = replace(oldest, due_s=min(oldest.due_s, now_s))
        return skipped

    def _append(self, frame: SubmittedFrame) -> None:
        """Let a picture wait, never to be due before those that precede it."""
        due_s = frame.decoded_s
        if self._mode is PlayoutMode.FIXED and self._timing.offset_s is not None:
            due_s = _captured_s(frame) + self._timing.offset_s + self._latency_s
        if self._waiting:
            due_s = max(due_s, self._waiting[-1].due_s)
        self._waiting.append(replace(frame, due_s=due_s))

    def _trim(self) -> list[SubmittedFrame]:
        skipped = [self._waiting.popleft() for _ in range(len(self._waiting) - self.capacity)]
        self._skipped += len(skipped)
        return skipped


def follows(header: PacketHeader, other: PacketHeader) -> bool:
    """Return True if the server sent `header` after `other`."""
    if header.epoch != other.epoch:
        return header.epoch > other.epoch
    return seq_distance(header.seq, other.seq) > 0


def _captured_s(frame: SubmittedFrame) -> float:
    return frame.header.capture_time_us * 1e-6


def _release(frames: Iterable[SubmittedFrame]) -> None:
    """Outside the lock: the last release gives a surface back to its decoder."""
    for frame in frames:
        frame.release(LeaseRole.PRESENTER)
