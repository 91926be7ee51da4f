"""InFlight: what was given to a decoder, in the order of the packets, until it can be presented."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from napari_cuda.client.decode.pipeline import Packet
from napari_cuda.client.playout.lease import FrameLease, LeaseRole
from napari_cuda.client.playout.picture import ExactPicture

CAPACITY = 32
"""More than any pool has surfaces; it bounds the stills and UNCHANGED packets that wait behind a picture."""


@dataclass(slots=True)
class Entry:
    """A packet and what became of it. `pts` is None for what needs no decoder; `given`: the decoder has it."""

    packet: Packet
    began_s: float
    pts: int | None = None
    picture: FrameLease | ExactPicture | None = None
    given: bool = False

    @property
    def ready(self) -> bool:
        """True if nothing more has to come for it."""
        return self.pts is None or self.picture is not None


class InFlight:
    """Owner: its lock; the submit worker puts, the drain worker presents, the submit worker clears.

    Pictures may come out of a decoder in another order than they went in. What was cleared is
    never presented afterwards, not even by a worker that was about to.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._entries: deque[Entry] = deque()

    def put(self, entry: Entry, ended: Callable[[], bool]) -> bool:
        """Append an entry, when there is room; False if `ended()` came first."""
        with self._changed:
            self._changed.wait_for(lambda: ended() or len(self._entries) < CAPACITY)
            if ended():
                return False
            self._entries.append(entry)
            self._changed.notify_all()
            return True

    def wait(self, ended: Callable[[], bool]) -> bool:
        """Wait for something to do; False if `ended()` came first."""
        with self._changed:
            self._changed.wait_for(lambda: ended() or self._entries)
            return not ended()

    def wake(self) -> None:
        """Let those that wait look at `ended`."""
        with self._changed:
            self._changed.notify_all()

    def arrived(self, lease: FrameLease) -> Entry | None:
        """Give a surface to its entry and return that; release the surface if nobody waits for it any more."""
        with self._changed:
            pts = lease.surface.pts
            entry = next((entry for entry in self._entries if entry.pts == pts and not entry.ready), None)
            if entry is not None:
                entry.picture = lease
                return entry
        lease.release(LeaseRole.DECODER)
        return None

    def owed(self) -> Entry | None:
        """Return what is to be presented next, if the decoder has it and did not give its surface yet."""
        with self._changed:
            first = self._entries[0] if self._entries else None
            return first if first is not None and first.given and not first.ready else None

    def present_ready(self, present: Callable[[Entry], None]) -> bool:
        """Hand all that is ready, and that nothing unready precedes, to `present`; True if something is left.

        `present` is called under the lock, and releases what it is given.
        """
        with self._changed:
            while self._entries and self._entries[0].ready:
                present(self._entries.popleft())
            self._changed.notify_all()
            return bool(self._entries)

    def clear(self) -> int:
        """Drop everything, release its surfaces, and return how many packets that were."""
        with self._changed:
            dropped, self._entries = self._entries, deque()
            self._changed.notify_all()
        for entry in dropped:
            if isinstance(entry.picture, FrameLease):
                entry.picture.release(LeaseRole.DECODER)
        return len(dropped)
