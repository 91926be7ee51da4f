"""Chunks: reads the chunks of stored arrays on threads of its own, and keeps what was read."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol

import numpy.typing as npt

from napari_cuda.server.data.allocator import give_large_blocks_back
from napari_cuda.server.data.chunk_queue import ByteLru, ChunkQueue, ReadLimit
from napari_cuda.worker import Deadline, Worker

log = logging.getLogger(__name__)

Pixels = npt.NDArray[Any]

FEWEST_READS, MOST_READS = 4, 16
"""Chunks that are read at a time; see ReadLimit. Threads that wait cost nothing."""

AHEAD_SHARE = 0.25
"""Of the cache, for what may be wanted next: it must not push out what is seen."""

FLIGHT_SHARE = 0.25
"""Of the cache, for what is being read: large chunks are read fewer at a time, one if it must be."""

RETRY_S = 5.0
"""A chunk that could not be read is asked for again after so long."""


class ChunkSource(Protocol):
    """A stored array, read chunk by chunk. Compared by identity."""

    def read(self, index: tuple[int, ...]) -> Pixels:
        """Return a chunk. Blocks; raises what the store raises."""


ChunkKey = tuple[ChunkSource, tuple[int, ...]]


class Chunks:
    """A cache of decoded chunks for all layers, `budget_bytes` at most. Any thread.

    Each chunk is read once, however many wait for it. `on_arrival` is called on a reader's thread when a chunk came
    that was wanted, `on_failure` with one line when one could not be read.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.on_arrival: Callable[[], None] = lambda: None
        self.on_failure: Callable[[str], None] = lambda line: None
        self._kept: ByteLru[ChunkKey, Pixels] = ByteLru(budget_bytes)
        self._queue: ChunkQueue[ChunkKey] = ChunkQueue()
        self._limit = ReadLimit(FEWEST_READS, MOST_READS)
        self._largest_bytes = 1
        """Of the chunks that came."""
        self._failed: dict[ChunkKey, float] = {}
        """When what could not be read last failed. Bound: pruned after RETRY_S."""
        self._lock = threading.Lock()
        self._todo = threading.Condition(self._lock)
        self._arrived = threading.Condition(self._lock)
        self._readers = [
            Worker(f"chunk-reader-{number}", self._work, wake=self._notify) for number in range(MOST_READS)
        ]
        self._started = False

    @property
    def budget_bytes(self) -> int:
        """What is kept at most."""
        return self._kept.budget_bytes

    @property
    def ahead_bytes(self) -> int:
        """What may be read ahead of what is seen at a time."""
        return int(AHEAD_SHARE * self._kept.budget_bytes)

    @property
    def kept_bytes(self) -> int:
        """What is kept now."""
        return self._kept.bytes

    def get(self, key: ChunkKey) -> Pixels | None:
        """Return a chunk if it is here."""
        with self._lock:
            return self._kept.get(key)

    def show(self, owner: Hashable, keys: Sequence[ChunkKey]) -> None:
        """Read these soon, instead of what the owner wanted before."""
        with self._lock:
            self._start()
            self._queue.show(owner, [key for key in keys if not self._settled(key)])
            self._todo.notify(self._limit.limit)

    def ahead(self, owner: Hashable, keys: Sequence[ChunkKey]) -> None:
        """Read these when nobody waits for anything."""
        with self._lock:
            self._start()
            self._queue.ahead(owner, [key for key in keys if not self._settled(key)])
            self._todo.notify(self._limit.limit)

    def forget(self, owner: Hashable) -> None:
        """An owner is gone."""
        with self._lock:
            self._queue.forget(owner)

    def pending(self, keys: Iterable[ChunkKey]) -> int:
        """Return how many of these are still on their way; the others came, or could not be read."""
        with self._lock:
            return self._queue.pending(keys)

    def wait(self, keys: Sequence[ChunkKey], timeout_s: float) -> bool:
        """Wait until these are here, or could not be read; False if that takes more than `timeout_s`, or is sure to."""
        with self._lock:
            missing = sum(not self._settled(key) for key in keys)
            if self._limit.expected_s(missing) >= timeout_s:
                return not missing
            return self._arrived.wait_for(lambda: all(self._settled(key) for key in keys), timeout_s)

    def close(self, deadline_s: float = 1.0) -> None:
        """End the readers; one in the middle of a store's read ends with the process."""
        if not self._started:
            return
        deadline = Deadline(deadline_s)
        for reader in self._readers:
            reader.request_stop()
        for reader in self._readers:
            reader.stop(deadline.left_s())

    def _settled(self, key: ChunkKey) -> bool:
        return key in self._kept or self._failed.get(key, -RETRY_S) + RETRY_S > time.monotonic()

    def _at_a_time(self) -> int:
        fit = int(FLIGHT_SHARE * self._kept.budget_bytes) // self._largest_bytes
        return min(self._limit.limit, max(1, fit))

    def _start(self) -> None:
        if not self._started:
            self._started = True
            give_large_blocks_back()
            for reader in self._readers:
                reader.start()

    def _notify(self) -> None:
        with self._lock:
            self._todo.notify_all()

    def _work(self, stop: threading.Event) -> None:
        """A reader's thread."""
        while not stop.is_set():
            with self._lock:
                key = self._queue.next(self._at_a_time())
                if key is None:
                    if not stop.is_set():
                        self._todo.wait()
                    continue
                if self._settled(key):
                    # It came while it waited here: it was on its way for somebody else.
                    self._queue.done(key)
                    continue
            self._read(key)

    def _read(self, key: ChunkKey) -> None:
        source, index = key
        chunk, failure = None, ""
        began_s = time.monotonic()
        try:
            chunk = source.read(index)
        except Exception as error:  # stores, file systems and codecs raise anything; it is told
            log.debug("a chunk could not be read", exc_info=True)
            failure = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        now_s = time.monotonic()
        with self._lock:
            self._queue.done(key)
            self._failed = {other: at_s for other, at_s in self._failed.items() if at_s + RETRY_S > now_s}
            if chunk is not None:
                self._kept.put(key, chunk, chunk.nbytes)
                self._largest_bytes = max(self._largest_bytes, chunk.nbytes)
                self._limit.took(now_s - began_s)
            else:
                self._failed[key] = now_s
            self._arrived.notify_all()
            self._todo.notify(self._limit.limit)
        if failure:
            self.on_failure(failure)
        self.on_arrival()
