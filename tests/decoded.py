"""Decoded pictures without a decoder: surfaces that count, and frames around them."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np

from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import FrameLease, LeaseLedger, LeaseRole
from napari_cuda.client.playout.picture import ColorSpec, ExactPicture, YuvPicture
from napari_cuda.client.playout.surface import SurfaceKind
from napari_cuda.protocol.packet import PacketFlag, PacketHeader, PacketKind

STILL_PICTURE = ExactPicture(np.zeros((2, 2, 4), np.uint8))


class CountingSurface:
    """A surface of no pixels that counts how often it was given back. Thread-safe."""

    kind = SurfaceKind.CPU_PLANES
    pts = 0
    color = ColorSpec()
    handle = 0

    def __init__(self) -> None:
        self.closed = 0
        self._lock = threading.Lock()

    def planes(self) -> YuvPicture:
        """Return no picture to speak of."""
        plane = np.zeros((2, 2), np.uint8)
        return YuvPicture(plane, plane, plane, self.color)

    def close(self) -> None:
        """Count."""
        with self._lock:
            self.closed += 1


class Decoder:
    """Makes frames whose PRESENTER role is acquired and whose DECODER role is released, as a pipeline does."""

    def __init__(self) -> None:
        self.ledger = LeaseLedger()
        self.surfaces: list[CountingSurface] = []

    def frame(
        self,
        seq: int,
        *,
        epoch: int = 1,
        captured_s: float = 0.0,
        received_s: float = 0.0,
        decode_s: float = 0.0,
        kind: PacketKind = PacketKind.ACCESS_UNIT,
    ) -> SubmittedFrame:
        """Return a picture of packet `seq`, drawn and received at those times; a still has no surface."""
        header = PacketHeader(
            kind=kind,
            seq=seq % 2**32,
            epoch=epoch,
            revision=seq + 1,
            input_id=0,
            capture_time_us=round(captured_s * 1e6),
            canvas_size=(2, 2),
            coded_size=(2, 2),
            flags=PacketFlag.NONE,
        )
        decoded_s = received_s + decode_s
        if kind is PacketKind.STILL:
            return SubmittedFrame(header, STILL_PICTURE, decoded_s, received_s, decoded_s)
        self.surfaces.append(CountingSurface())
        lease = FrameLease(self.surfaces[-1], self.ledger)
        frame = SubmittedFrame(header, lease, decoded_s, received_s, decoded_s)
        frame.acquire(LeaseRole.PRESENTER)
        frame.release(LeaseRole.DECODER)
        return frame

    def all_given_back(self) -> bool:
        """True if every surface was given back, once."""
        return self.ledger.live == 0 and all(surface.closed == 1 for surface in self.surfaces)


def held_roles(frames: Iterable[SubmittedFrame]) -> list[dict[str, int]]:
    """Return how often each role holds each frame's surface, by name, without the zeros."""
    leases = [frame.picture for frame in frames if isinstance(frame.picture, FrameLease)]
    return [{role.value: count for role in LeaseRole if (count := lease.held(role))} for lease in leases]
