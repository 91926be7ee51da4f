"""EmulatedDecoder: libavcodec made to behave like a hardware decoder, faults included. Runs everywhere."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.live import (
    DecodeFailedError,
    DecoderConfig,
    DecoderCounts,
    DecoderFactory,
    DecoderUnavailableError,
)
from napari_cuda.client.decode.surface_pool import DEFAULT_SURFACES, PooledSurface, SurfacePool
from napari_cuda.client.playout.lease import UseAfterReleaseError
from napari_cuda.client.playout.picture import YuvPicture
from napari_cuda.client.playout.surface import Surface, SurfaceKind
from napari_cuda.protocol.errors import StreamError


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What an emulated decoder does; the default is: its best.

    Access units are counted from 0 over all decoders of one `emulated` call, so that a fault
    happens once, however often the decoder is rebuilt.
    """

    surfaces: int = DEFAULT_SURFACES
    delay_s: float = 0.0
    """How long a picture that is ready takes to come out."""
    reorder: int = 0
    """How many waiting pictures every second one overtakes."""
    opens: bool = True
    refuses: int | None = None
    """The access unit that `submit` fails for."""
    loses: int | None = None
    """The access unit after which `poll` fails."""
    stalls: int | None = None
    """The access unit after which `stalled_polls` polls in a row return nothing."""
    stalled_polls: int = 0


def emulated(behaviour: Behaviour | None = None) -> DecoderFactory:
    """Return a factory of decoders that behave like that."""
    chosen, numbers = behaviour or Behaviour(), itertools.count()
    return lambda config: EmulatedDecoder(config, chosen, numbers)


class EmulatedDecoder:
    """A LiveDecoder on planes in memory. Owner: see `LiveDecoder`."""

    def __init__(self, config: DecoderConfig, behaviour: Behaviour, numbers: Iterator[int]) -> None:
        if not behaviour.opens:
            raise DecoderUnavailableError("the emulated decoder does not open: it was told not to")
        self._behaviour = behaviour
        self._numbers = numbers
        self._size = config.coded_size
        self._decoder = H264Decoder(config.record)
        self._pool = SurfacePool(behaviour.surfaces)
        self._closed = threading.Event()
        self._lost = False
        self._stalled_polls = 0

    @property
    def counts(self) -> DecoderCounts:
        """What is in flight, and how many surfaces are in use."""
        return self._pool.counts()

    def submit(self, unit: bytes, pts: int, *, keyframe: bool, timeout_s: float = 0.0) -> bool:
        """Decode an access unit: see `LiveDecoder`."""
        if not self._pool.promise(timeout_s):
            return False
        number, behaviour = next(self._numbers), self._behaviour
        if number == behaviour.refuses:
            raise DecodeFailedError("the emulated decoder refuses this access unit: it was told to")
        try:
            picture = self._decoder.decode(unit, expected_size=self._size)
        except StreamError as error:
            raise DecodeFailedError(str(error)) from error
        if number == behaviour.stalls:
            self._stalled_polls = behaviour.stalled_polls
        self._lost = self._lost or number == behaviour.loses
        self._pool.put(PlaneSurface(picture, pts, self._pool), ahead_of=behaviour.reorder if number % 2 else 0)
        return True

    def poll(self, timeout_s: float) -> Surface | None:
        """Return the next surface: see `LiveDecoder`."""
        surface = self._pool.take(timeout_s)
        if surface is None:
            return None
        if self._lost:
            surface.close()
            raise DecodeFailedError("the emulated decoder lost its device: it was told to")
        if self._stalled_polls:
            self._stalled_polls -= 1
            self._pool.put_back(surface)
            self._closed.wait(timeout_s)
            return None
        if self._behaviour.delay_s:
            self._closed.wait(self._behaviour.delay_s)
        return surface

    def flush(self) -> None:
        """Forget all that is in flight."""
        self._decoder.reset()
        self._pool.clear()

    def close(self) -> None:
        """Free the decoder."""
        self._closed.set()
        self._pool.close()


class PlaneSurface(PooledSurface):
    """A surface in memory. Owner: the lease that wraps it."""

    def __init__(self, picture: YuvPicture, pts: int, pool: SurfacePool) -> None:
        super().__init__(pool, pts, picture.color, SurfaceKind.CPU_PLANES)
        self._picture: YuvPicture | None = picture

    def planes(self) -> YuvPicture:
        """Return the decoder's planes; UseAfterReleaseError once the surface is closed."""
        if self._picture is None:
            raise UseAfterReleaseError("the surface is closed: its planes belong to the decoder again")
        return self._picture

    def close(self) -> None:
        """Give the surface back to its pool."""
        self._picture = None
        super().close()
