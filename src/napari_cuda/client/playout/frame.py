"""SubmittedFrame: the one type in which a decoded picture travels to the screen."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cuda.client.playout.lease import FrameLease, LeaseRole
from napari_cuda.client.playout.picture import ExactPicture, YuvPicture
from napari_cuda.protocol.packet import PacketHeader

Picture = YuvPicture | ExactPicture | FrameLease
"""Planes in memory, the exact picture, or a surface of a hardware decoder."""


@dataclass(frozen=True, slots=True)
class SubmittedFrame:
    """A decoded picture, when it is due, and what it shows. `due_s` is the client's clock.

    Revision, epoch and camera are those of `header`. Whoever passes the frame on passes on the
    lease's role too: `acquire` before, `release` after; without a lease both do nothing.
    """

    header: PacketHeader
    picture: Picture
    due_s: float
    received_s: float
    decoded_s: float

    def acquire(self, role: LeaseRole) -> None:
        """Hold the picture's surface, if it is one."""
        if isinstance(self.picture, FrameLease):
            self.picture.acquire(role)

    def release(self, role: LeaseRole) -> None:
        """Let go of the picture's surface, if it is one."""
        if isinstance(self.picture, FrameLease):
            self.picture.release(role)
