"""FrameLease: one decoded surface, held by counted roles, given back once."""

from __future__ import annotations

import enum
import threading
from collections import Counter

from napari_cuda.client.playout.surface import Surface
from napari_cuda.protocol.errors import LeaseError


class LeaseRole(enum.Enum):
    """Who may hold a surface."""

    DECODER = "decoder"
    CACHE = "cache"
    PRESENTER = "presenter"
    RENDERER = "renderer"


class DoubleReleaseError(LeaseError):
    """A role let go of more than it held."""


class NotAcquiredError(LeaseError):
    """A role let go of what it never held."""


class UseAfterReleaseError(LeaseError):
    """The surface was given back already."""


class LeaseLedger:
    """How many leases of a client are alive. Thread-safe; zero at shutdown, or something leaked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live = 0

    @property
    def live(self) -> int:
        """Leases whose surface was not given back yet."""
        return self._live

    def add(self, n: int) -> None:
        """Count leases that began (1) or ended (-1)."""
        with self._lock:
            self._live += n


class FrameLease:
    """Holds `surface` until the last role lets go. Thread-safe.

    Born held once by `LeaseRole.DECODER`: the one native retain, which `Surface.close` undoes. A
    role closes only itself; nobody can close for another. The surface is closed outside the lock,
    on the thread of the last release.
    """

    def __init__(self, surface: Surface, ledger: LeaseLedger) -> None:
        self._surface = surface
        self._ledger = ledger
        self._lock = threading.Lock()
        self._held: Counter[LeaseRole] = Counter({LeaseRole.DECODER: 1})
        self._ever = {LeaseRole.DECODER}
        ledger.add(1)

    @property
    def surface(self) -> Surface:
        """The surface; UseAfterReleaseError once it was given back."""
        if self.released:
            raise UseAfterReleaseError("the surface was given back: its memory may show another picture by now")
        return self._surface

    @property
    def released(self) -> bool:
        """True once the last role let go."""
        return not self._held

    def held(self, role: LeaseRole) -> int:
        """Return how often `role` holds the surface."""
        return self._held[role]

    def acquire(self, role: LeaseRole) -> None:
        """Hold the surface in `role`, once more. Raises UseAfterReleaseError."""
        with self._lock:
            if not self._held:
                raise UseAfterReleaseError(f"{role.value} cannot hold a surface that was given back")
            self._held[role] += 1
            self._ever.add(role)

    def release(self, role: LeaseRole) -> None:
        """Let go of one hold of `role`; the last of all gives the surface back.

        Raises NotAcquiredError or DoubleReleaseError; nothing changes then.
        """
        with self._lock:
            if not self._held[role]:
                if role in self._ever:
                    raise DoubleReleaseError(f"{role.value} let go of a surface that it no longer holds")
                raise NotAcquiredError(f"{role.value} let go of a surface that it never held")
            self._held[role] -= 1
            self._held = +self._held
            last = not self._held
        if last:
            try:
                self._surface.close()
            finally:
                self._ledger.add(-1)  # not before: who sees 0 may close the decoder
