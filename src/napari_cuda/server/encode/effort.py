"""Effort: how much the encoder may take upon itself, by what it takes of a core. Pure; `now_s` is passed in."""

from __future__ import annotations

import math

from napari_cuda.server.encode.backends import DEFAULT_PRESET

THOROUGH_PRESET = "superfast"
"""Saves a third of the bytes on labels and projections; takes up to 2.2 times as long (docs/adr/0002-codec.md)."""

_FEWEST_CORES = 4
"""On fewer the renderer, or the client beside it, has better use for the time."""
_TIMES_AS_LONG = 2.2
_LITTLE, _MUCH = 0.4, 0.9
"""Of a frame's time: with less the encoder may do more, with more it must do less."""
_SURE_AFTER_S = 3.0
_SORRY_AFTER_S = 1.0
_TRIED_AGAIN_S = 30.0
_SMOOTHING = 1 / 16
_PIXELS_PER_THREAD = 2_000_000
"""Up to 1080p one thread is quick enough."""


class Effort:
    """Chooses x264's preset, and whether colour may be coded in full. Owner: one encoder thread.

    Both change only after a while of encoding, and what proved too much is not tried again soon: each change
    costs a keyframe.
    """

    def __init__(self, *, frame_rate: float, cores: int) -> None:
        self.preset = DEFAULT_PRESET
        self.full_color = True
        """Whether there is time for it."""
        self._frame_s = 1.0 / frame_rate
        self._cores = cores
        self._mean_s = 0.0
        self._since_s = math.inf
        """Since when the time has been too little, or plenty."""
        self._tried_s = -math.inf

    def threads(self, coded_size: tuple[int, int]) -> int:
        """Return in how many slices to cut a picture."""
        return max(1, min(self._cores // 2, math.prod(coded_size) // _PIXELS_PER_THREAD))

    def observe(self, encode_s: float, now_s: float, *, in_full_color: bool) -> None:
        """Take in how much of a core's time a picture took: what else the machine does is no reason to do less."""
        self._mean_s += _SMOOTHING * (encode_s - self._mean_s) if self._mean_s else encode_s
        if self._mean_s > _MUCH * self._frame_s:
            if self._lasts(_SORRY_AFTER_S, now_s):
                self._do_less(now_s, in_full_color=in_full_color)
        elif self._has_plenty(now_s):
            if self._lasts(_SURE_AFTER_S, now_s):
                self._do_more(now_s)
        else:
            self._since_s = math.inf

    def _has_plenty(self, now_s: float) -> bool:
        all_done = self.full_color and (self.preset == THOROUGH_PRESET or self._cores < _FEWEST_CORES)
        enough = self._mean_s * _TIMES_AS_LONG < _LITTLE * self._frame_s
        return enough and not all_done and now_s - self._tried_s > _TRIED_AGAIN_S

    def _lasts(self, how_long_s: float, now_s: float) -> bool:
        self._since_s = min(self._since_s, now_s)
        return now_s - self._since_s >= how_long_s

    def _do_less(self, now_s: float, *, in_full_color: bool) -> None:
        if self.preset != DEFAULT_PRESET:
            self.preset = DEFAULT_PRESET
        elif in_full_color:
            self.full_color = False
        self._begin_anew(now_s)

    def _do_more(self, now_s: float) -> None:
        if not self.full_color:
            self.full_color = True
        else:
            self.preset = THOROUGH_PRESET
        self._begin_anew(now_s)

    def _begin_anew(self, now_s: float) -> None:
        self._tried_s, self._since_s, self._mean_s = now_s, math.inf, 0.0
