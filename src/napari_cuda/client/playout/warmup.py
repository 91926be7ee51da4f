"""WarmupPolicy: a little more latency while a decoder warms up."""

from __future__ import annotations

_RAMP_S = 0.75
_MARGIN_S = 0.002
_MOST_EXTRA_S = 0.024


class WarmupPolicy:
    """Boosts the latency when the gate lifts and takes it back bit by bit. Pure. Owner: GUI thread.

    A decoder's first pictures after a keyframe take longer, a frame's time at most. So the latency
    is a frame and 2 ms more then, and returns to `base_s` over 0.75 s: no timer, whoever draws asks
    for `latency_s`.
    """

    def __init__(self, base_s: float, frame_rate: float) -> None:
        self._base_s = base_s
        self._extra_s = 0.0
        self._until_s: float | None = None
        self.set_frame_rate(frame_rate)

    def set_frame_rate(self, frame_rate: float) -> None:
        """Say how many pictures the server draws in a second at most."""
        self._extra_s = min(1.0 / frame_rate + _MARGIN_S, _MOST_EXTRA_S)

    def gate_lifted(self, now_s: float) -> None:
        """A keyframe came: the decoder begins."""
        self._until_s = now_s + _RAMP_S

    def latency_s(self, now_s: float) -> float:
        """Return the presenter's latency for this moment."""
        if self._until_s is None:
            return self._base_s
        left_s = min(max(self._until_s - now_s, 0.0), _RAMP_S)
        return self._base_s + self._extra_s * left_s / _RAMP_S

    def reset(self) -> None:
        """Return to the base latency at once: the stream is over."""
        self._until_s = None
