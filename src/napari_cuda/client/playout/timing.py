"""PlayoutTiming: where the server's capture clock stands on the client's clock, learned from arrivals."""

from __future__ import annotations

import math

_HALF_WINDOW_S = 0.5
"""The minimum is that of the last half to whole second: a longer path is believed after a second."""
_TIME_CONSTANT_S = 0.3
_MOST_DRIFT = 0.25
"""Seconds per second: the offset moves so slowly that playback is at most a quarter faster or slower."""
_LONGEST_STEP_S = 0.25
"""After a pause one packet must not move the offset as far as a second of them would."""
_JUMP_S = 0.5
"""No path changes by this much: it is another clock, or a picture that was drawn long before it was sent."""


class PlayoutTiming:
    """Estimates `offset_s` = client's clock - server's, the fastest path included. Pure.

    The least delay of a sliding window is the estimate's aim: jitter only ever adds delay. The
    offset follows it with bounded drift, so that playback never jumps: a first packet that is late,
    a path that grows longer or shorter, two clocks that run apart, all end within two seconds. Only
    what no path can do moves it at once. No clock is shared between the machines.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._observed_s = 0.0
        self._half_began_s = 0.0
        self._least_s = math.inf
        self._least_before_s = math.inf

    @property
    def offset_s(self) -> float | None:
        """What to add to a capture time to get the earliest time of arrival; None before the first packet."""
        return self._offset_s

    def observe(self, captured_s: float, received_s: float) -> None:
        """A picture drawn at `captured_s` (server's clock) arrived at `received_s` (client's)."""
        delay_s = received_s - captured_s
        aim_s = self._aim_s(delay_s, received_s)
        if self._offset_s is None or abs(aim_s - self._offset_s) > _JUMP_S:
            self._offset_s = aim_s
        else:
            step_s = min(max(received_s - self._observed_s, 0.0), _LONGEST_STEP_S)
            drift = (aim_s - self._offset_s) / _TIME_CONSTANT_S
            self._offset_s += step_s * min(max(drift, -_MOST_DRIFT), _MOST_DRIFT)
        self._observed_s = received_s

    def reset(self) -> None:
        """Forget everything: the server's clock may be another one now."""
        self._offset_s = None
        self._least_s = self._least_before_s = math.inf

    def _aim_s(self, delay_s: float, received_s: float) -> float:
        """Return the least delay of the last half to whole second, this one included."""
        age_s = received_s - self._half_began_s
        if self._least_s == math.inf or age_s >= _HALF_WINDOW_S:
            self._least_before_s = self._least_s if age_s < 2 * _HALF_WINDOW_S else math.inf
            self._least_s = math.inf
            self._half_began_s = received_s
        self._least_s = min(self._least_s, delay_s)
        return min(self._least_s, self._least_before_s)
