"""SurfacePool: how many surfaces a decoder may have out, and those that wait to be taken; PooledSurface: one."""

from __future__ import annotations

import threading
from collections import deque

from napari_cuda.client.decode.live import DecoderCounts
from napari_cuda.client.playout.picture import ColorSpec
from napari_cuda.client.playout.surface import Surface, SurfaceKind

DEFAULT_SURFACES = 16
"""What the presenter holds at a latency of 100 ms and 60 frames/s, the renderer's two (shown and on
the GPU), the decoder's own, and some to spare. A 1080p surface is 3 MB."""


class SurfacePool:
    """Counts the surfaces of one decoder. Thread-safe.

    A surface is promised before its access unit is decoded, then waits, then is out, and counts
    until it is freed: so a decoder can never owe more pictures than it has surfaces for.
    """

    def __init__(self, capacity: int = DEFAULT_SURFACES) -> None:
        self._capacity = capacity
        self._changed = threading.Condition()
        self._promised = 0
        self._waiting: deque[Surface] = deque()  # bounded: all of them are counted in `_used`
        self._used = 0
        self._closed = False

    def counts(self) -> DecoderCounts:
        """Return what is promised or waits, and what is in use altogether: zero in the end, or a surface leaked."""
        with self._changed:
            return DecoderCounts(self._promised + len(self._waiting), self._used)

    def promise(self, timeout_s: float = 0.0) -> bool:
        """Set one surface aside; False if none became free within `timeout_s`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._used < self._capacity, timeout_s):
                return False
            self._used += 1
            self._promised += 1
            return True

    def put(self, surface: Surface, *, ahead_of: int = 0) -> None:
        """Let a promised surface wait to be taken, `ahead_of` that many others."""
        with self._changed:
            self._promised -= 1
            self._waiting.insert(max(0, len(self._waiting) - ahead_of), surface)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Surface | None:
        """Return the surface whose turn it is; None if none came in time, or the pool is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            return self._waiting.popleft() if self._waiting else None

    def put_back(self, surface: Surface) -> None:
        """Let a surface that was taken be the next again; it is closed if the pool is."""
        with self._changed:
            closed = self._closed
            if not closed:
                self._waiting.appendleft(surface)
        if closed:
            surface.close()

    def free(self) -> None:
        """A surface that was taken was closed."""
        with self._changed:
            self._used -= 1
            self._changed.notify_all()

    def clear(self) -> None:
        """Close all surfaces that wait, and take back all promises."""
        with self._changed:
            waiting, self._waiting = list(self._waiting), deque()
            self._used -= self._promised
            self._promised = 0
            self._changed.notify_all()
        for surface in waiting:
            surface.close()

    def close(self) -> None:
        """Clear it; `take` waits no more from now on."""
        with self._changed:
            self._closed = True
        self.clear()


class PooledSurface:
    """What every surface of a pool says of itself. Owner: the lease that wraps it."""

    def __init__(self, pool: SurfacePool, pts: int, color: ColorSpec, kind: SurfaceKind, handle: int = 0) -> None:
        self._pool = pool
        self._pts = pts
        self._color = color
        self._kind = kind
        self._handle = handle

    @property
    def kind(self) -> SurfaceKind:
        """Where the samples are."""
        return self._kind

    @property
    def pts(self) -> int:
        """The PTS the access unit was submitted with."""
        return self._pts

    @property
    def color(self) -> ColorSpec:
        """What the bitstream says about the samples."""
        return self._color

    @property
    def handle(self) -> int:
        """The native object; 0 for planes in memory."""
        return self._handle

    def close(self) -> None:
        """Give the surface back to its pool."""
        self._pool.free()
