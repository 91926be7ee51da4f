"""LiveDecoder: what VTPipeline needs of a decoder that keeps its pictures in surfaces of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from napari_cuda.bitstream.avcc import ParameterSets
from napari_cuda.client.playout.surface import Surface
from napari_cuda.protocol.errors import StreamError


class LiveDecoderError(StreamError):
    """The decoder is of no more use: close it and go on with another one, at an IDR."""


class DecoderUnavailableError(LiveDecoderError):
    """It does not open here: no such hardware, no driver, or not for this stream."""


class DecodeFailedError(LiveDecoderError):
    """It refused an access unit, or lost its device."""


class DecoderStalledError(LiveDecoderError):
    """It took access units and gives no pictures back."""


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """What a decoder is opened with; other parameter sets need another decoder.

    `record` is the avcC record, which announces the size of the lengths in the access units;
    `coded_size` the pictures' (width, height) in pixels.
    """

    record: bytes
    coded_size: tuple[int, int]

    @classmethod
    def of(cls, sets: ParameterSets, length_size: int = 4) -> DecoderConfig:
        """Return the configuration of a stream. Raises StreamError if its sets are damaged or missing."""
        return cls(sets.record(length_size), sets.first_sps().coded_size)


@dataclass(frozen=True, slots=True)
class DecoderCounts:
    """What a decoder holds at this moment."""

    in_flight: int
    """Access units whose surface was not taken yet."""
    surfaces: int
    """Surfaces that are not free: in flight, or with those that show them."""


class LiveDecoder(Protocol):
    """An open decoder with a bounded pool of surfaces.

    Owner: `submit`, `flush` and `close` belong to one thread, `poll` and `counts` may be called on
    another. Every access unit that was taken gives one surface, in whatever order, without another
    access unit having to follow. Surfaces outlive `flush` and `close`.
    """

    @property
    def counts(self) -> DecoderCounts:
        """What is in flight, and how many surfaces are in use."""

    def submit(self, unit: bytes, pts: int, *, keyframe: bool, timeout_s: float = 0.0) -> bool:
        """Take an access unit, length-prefixed; its surface will have that `pts`.

        False if no surface became free within `timeout_s`: all are held by those that show them.
        That is no failure; the same unit can be submitted again. Raises DecodeFailedError.
        """

    def poll(self, timeout_s: float) -> Surface | None:
        """Return the next surface, the caller's to close; None if none came, or the decoder was closed.

        Raises DecodeFailedError.
        """

    def flush(self) -> None:
        """Forget all that is in flight; the next access unit must be an IDR."""

    def close(self) -> None:
        """Free the decoder; `poll` returns at once from then on. May be called twice."""


DecoderFactory = Callable[[DecoderConfig], LiveDecoder]
"""Opens a decoder. Raises DecoderUnavailableError in one line if that is not possible here."""
