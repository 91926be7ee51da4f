"""PlayoutPolicy: which mode the presenter should be in."""

from __future__ import annotations

import math

from napari_cuda.client.playout.presenter import PlayoutMode

_CALM_S = 0.5
"""So long after the last input playback is even again: a hand that rests for less must not switch to and fro."""
_PLAYING_S = 1.0
"""So long after the last step playback counts as over; at a slower pace latency cannot make it any more even."""


class PlayoutPolicy:
    """Interaction wants the newest picture at once, playback wants even steps. Pure. Owner: GUI thread.

    Input switches to `latest` in the same moment; back to `fixed` only when playback goes on and
    the user has left it alone for a while.
    """

    def __init__(self) -> None:
        self._input_s = -math.inf
        self._step_s = -math.inf

    def interacting(self, now_s: float) -> None:
        """The user did something, and waits for its picture."""
        self._input_s = now_s

    def playing(self, now_s: float) -> None:
        """Playback made a step."""
        self._step_s = now_s

    def mode(self, now_s: float) -> PlayoutMode:
        """Return the mode for this moment."""
        calm = now_s - self._input_s >= _CALM_S
        playing = now_s - self._step_s < _PLAYING_S
        return PlayoutMode.FIXED if calm and playing else PlayoutMode.LATEST
