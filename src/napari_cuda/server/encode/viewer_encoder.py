"""ViewerEncoder: the open H.264 context of one viewer, and when another one is opened."""

from __future__ import annotations

import time
from dataclasses import dataclass

from napari_cuda.protocol.errors import StreamError
from napari_cuda.server.encode.choice import EncoderChoice
from napari_cuda.server.encode.effort import Effort
from napari_cuda.server.encode.h264 import AccessUnit, H264Encoder, coded_size_for
from napari_cuda.server.frames import RenderedFrame

_WIDEST = 2.2
"""The largest picture of a context has so many times what is asked for at most: an IDR takes less than three frame
times."""
_WIDEST_FIXED = 1.4
"""The same for an encoder that cannot be steered: it makes its pictures of the size it was opened for."""
_STEP_UP = 1.1
_HEADROOM = 1.4
"""A context opened for more than is needed just now; half of that is still in its range: it does not go to and fro."""
_NOTICED = 0.02
"""What is asked for and changes by less is left as it is."""
_MOST_MORE = 1.5
"""Asked for, of a budget: x264 with so small a VBV makes pictures of 0.7 to 1.0 of what it is told to make."""
_EASY = 0.5
"""A picture of less than this part of its budget needs no more: it does not tell what the encoder makes of a budget."""
_LEARNT, _UNLEARNT = 0.1, 0.25
"""Of what a picture lacks, or has too much, by the next one."""


def largest_picture(largest: int, budget: int, most: int, *, steers: bool = True) -> int:
    """Return what a context's largest picture is to be, in bytes, from what it is: another number, another context.

    libx264 keeps the size at which it was opened as the cap of each picture, whatever it is steered to; `most` is
    the cap where the link carries everything.
    """
    if not largest or budget * (_WIDEST if steers else _WIDEST_FIXED) < largest or budget > largest * _STEP_UP:
        return min(int(budget * _HEADROOM) if steers else budget, most)
    return largest


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a context was opened for."""

    canvas_size: tuple[int, int]
    largest: int
    preset: str
    full_color: bool


class ViewerEncoder:
    """Encodes one viewer's pictures. Each context is an epoch. Owner: the viewer's encoder thread."""

    refines = True
    """The same picture again is better."""

    def __init__(
        self,
        choice: EncoderChoice,
        effort: Effort,
        *,
        frame_rate: float,
        bit_rate: int,
        takes_full_color: bool = False,
        full_range: bool = True,
    ) -> None:
        self.epoch = 0
        self._choice = choice
        self._effort = effort
        self._frame_rate = frame_rate
        self._takes_full_color = takes_full_color
        self._full_range = full_range
        self._most = int(bit_rate / frame_rate / 8)
        self._asked = 0
        self._more = 1.0
        """Times its budget is asked for, so that a picture has it."""
        self._backend = choice.backend
        self._opened: _Opened | None = None
        self._context: H264Encoder | None = None

    def encode(
        self, frame: RenderedFrame, *, keyframe: bool, budget: int, scale: float = 1.0
    ) -> tuple[AccessUnit, tuple[int, int]]:
        """Return the access unit of a frame of about `budget` bytes at most, and the size (w, h) it is coded in.

        It is an IDR if `keyframe`, or if another context had to be opened: software takes over at once from an
        encoder that fails. Raises StreamError.
        """
        began_s = time.thread_time()
        try:
            unit = self._encode(frame, keyframe, budget, scale)
        except StreamError as error:
            self.close()
            if not self._choice.give_up(self._backend, error):
                raise
            unit = self._encode(frame, keyframe, budget, scale)
        full_color = self._opened is not None and self._opened.full_color
        if not unit.keyframe:
            self._effort.observe(time.thread_time() - began_s, time.monotonic(), in_full_color=full_color)
        return unit, coded_size_for(frame.picture_size)

    @property
    def coding(self) -> str:
        """How pictures are coded now, in words. Any thread."""
        opened = self._opened
        if opened is None:
            return "-"
        preset = f" {opened.preset}" if self._backend.codec == "libx264" else ""
        return f"{self._backend.codec}{preset} {'4:4:4' if opened.full_color else '4:2:0'}"

    def close(self) -> None:
        """Close the context; the next frame opens another."""
        self._opened = None
        if self._context is not None:
            self._context.close()
            self._context = None

    def _encode(self, frame: RenderedFrame, keyframe: bool, budget: int, scale: float) -> AccessUnit:
        before = self._opened.largest if self._opened is not None else 0
        asked = min(int(self._more * budget), self._most)
        full_color = self._takes_full_color and frame.sharp_color and self._effort.full_color
        largest = largest_picture(before, asked, self._most, steers=self._backend.steers)
        wanted = _Opened(frame.picture_size, largest, self._effort.preset, full_color)
        context = self._context
        if context is None or wanted != self._opened:
            context = self._open(wanted)
        if abs(asked - self._asked) > _NOTICED * self._asked:
            self._asked = asked
            context.steer(self._bit_rate(asked))
        unit = context.encode(frame.buffer.rgba, keyframe=keyframe, scale=scale)
        if not unit.keyframe:
            self._learn(len(unit.data) / budget)
        return unit

    def _learn(self, used: float) -> None:
        """Ask for more from now on if a picture has less than its budget, and for less if it has more."""
        if used > _EASY:
            share = _LEARNT if used < 1.0 else _UNLEARNT
            self._more = min(max(self._more * (1.0 + share * (1.0 - used)), 1.0), _MOST_MORE)

    def _open(self, wanted: _Opened) -> H264Encoder:
        self.close()
        self._backend = self._choice.backend
        self._context = H264Encoder(
            wanted.canvas_size,
            frame_rate=self._frame_rate,
            bit_rate=self._bit_rate(wanted.largest),
            preset=wanted.preset,
            threads=self._effort.threads(wanted.canvas_size),
            full_color=wanted.full_color,
            full_range=self._full_range,
            backend=self._backend,
        )
        self._opened, self._asked = wanted, wanted.largest
        self.epoch += 1
        return self._context

    def _bit_rate(self, picture_bytes: int) -> int:
        """Return the rate, in bit/s, of which one picture's share is so many bytes: x264 knows no other measure."""
        return max(1, int(8 * picture_bytes * self._frame_rate))
