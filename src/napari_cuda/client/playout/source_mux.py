"""SourceMux: which of two pipelines the presenter shows."""

from __future__ import annotations

import enum
import threading

from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import LeaseRole
from napari_cuda.client.playout.presenter import FixedLatencyPresenter, follows


class Source(enum.Enum):
    """A pipeline that decodes."""

    VT = "vt"
    """The hardware's."""
    PYAV = "pyav"
    """The software's."""


class SourceMux:
    """Lets the active source present and keeps the other one's newest picture. Owner: its lock.

    Both sources decode the same stream, so (epoch, seq) orders the pictures of both, and the
    presenter refuses what is older than the one on screen, whoever decoded it. The submitter
    acquires PRESENTER as for the presenter; a picture that is only kept is held as CACHE.
    """

    def __init__(self, presenter: FixedLatencyPresenter, active: Source) -> None:
        self._lock = threading.Lock()
        self._presenter = presenter
        self._active = active
        # One: of a source that does not present only the newest picture will ever be wanted.
        self._cached: SubmittedFrame | None = None
        self._closed = False

    @property
    def active(self) -> Source:
        """The source that presents."""
        return self._active

    def submit(self, source: Source, frame: SubmittedFrame, now_s: float) -> bool:
        """Take a decoded picture; True if the presenter took it, so that a wake is to be scheduled."""
        outdated: SubmittedFrame | None = None
        with self._lock:
            presents = source is self._active or self._closed
            if not presents and (self._cached is None or follows(frame.header, self._cached.header)):
                frame.acquire(LeaseRole.CACHE)
                outdated, self._cached = self._cached, frame
        # Outside the lock, like every release. Should another source become active meanwhile, then
        # this picture comes a moment late, which the presenter judges as ever.
        if presents:
            return self._presenter.submit(frame, now_s)
        frame.release(LeaseRole.PRESENTER)
        if outdated is not None:
            outdated.release(LeaseRole.CACHE)
        return False

    def switch(self, source: Source, now_s: float) -> bool:
        """Let `source` present; True if the presenter took the picture that was kept of it."""
        with self._lock:
            if source is self._active:
                return False
            self._active = source
            kept, self._cached = self._cached, None
        if kept is None:
            return False
        kept.acquire(LeaseRole.PRESENTER)
        kept.release(LeaseRole.CACHE)
        return self._presenter.submit(kept, now_s)

    def close(self) -> None:
        """Let go of what is kept, and close the presenter: it lets go of whatever still comes."""
        with self._lock:
            self._closed = True
            kept, self._cached = self._cached, None
        self._presenter.close()
        if kept is not None:
            kept.release(LeaseRole.CACHE)
