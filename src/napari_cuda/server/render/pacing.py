"""FramePacing: when to draw, and when the picture is at rest. Pure; `now_s` is passed in."""

from __future__ import annotations

import enum

REST_AFTER_S = 0.05
"""Nothing changed for this long: the picture is at rest and becomes exact. Longer than a hand at 30 events/s
pauses, and half of the 110 ms in which the exact picture is to be there."""


PATIENCE_S = 0.05
"""So long what was asked may take to be drawn before the next intents are taken. Most slices arrive
and most windows open within it: each picture then shows one state in full, and of a fast drag only
the steps that are shown are computed. What waits meanwhile merges."""

REDRAW_S = 0.02
"""So long the redraw waits that napari asks for while drawing (each step of a zoom): mostly it gives the
same picture, and whatever comes in meanwhile needs another one anyway."""


class Next(enum.Enum):
    """What the render loop should do now."""

    DRAW = "draw"
    REST = "rest"
    WAIT = "wait"


class FramePacing:
    """Decide between drawing, finishing the resting picture, and waiting.

    Owner: render thread. No change, no frame: `WAIT` without a deadline while idle. As many frames in the long run as
    the rate says; one may come early, for who draws a moment late, or less than the rate, has that to spare. (Each
    frame's time after the one before would keep, for good, what a draw was once late behind the hand's events.)
    """

    def __init__(self, frame_rate: float) -> None:
        self._interval_s = 1.0 / frame_rate
        self._due_s = float("-inf")
        self._changed_s = float("-inf")
        self._asked_s = float("-inf")
        self._redraw_from_s = float("-inf")
        self._put_off = False
        self._resting = True

    @property
    def resting(self) -> bool:
        """True once the exact picture of the last change was handed out."""
        return self._resting

    def changed(self, now_s: float) -> None:
        """Note that the picture changed (or must be shown to somebody new)."""
        self._changed_s = now_s
        self._resting = False

    def asked(self, now_s: float) -> None:
        """Note that intents were applied."""
        self._asked_s = now_s
        self._put_off = False
        self.arrived()

    def arrived(self) -> None:
        """Note that there is something new to draw: it need not wait as a mere redraw does."""
        self._redraw_from_s = float("-inf")

    def redraw_asked(self, now_s: float) -> None:
        """Note that a draw asked for another one."""
        self._redraw_from_s = now_s + REDRAW_S

    def patience_left_s(self, now_s: float) -> float:
        """Return for how long what was asked last may still take; never negative."""
        return max(0.0, self._asked_s + PATIENCE_S - now_s)

    def hold_s(self, now_s: float, *, loading: bool, damaged: bool, wanted: bool) -> float:
        """Return for how long no more intents are taken: they would replace unseen what was asked last.

        If a draw had to wait, for a window or the frame rate, what came in meanwhile is taken once more before it.
        """
        newest_first = self._put_off and wanted and now_s >= self._due_s
        unseen = loading or (damaged and now_s >= self._redraw_from_s and not newest_first)
        return self.patience_left_s(now_s) if unseen else 0.0

    def drawn(self, now_s: float) -> None:
        """Note that drawing began at `now_s`."""
        self._due_s = max(self._due_s + self._interval_s, now_s)
        self._put_off = False

    def rested(self) -> None:
        """Note that the resting picture was handed out."""
        self._resting = True

    def decide(self, now_s: float, *, damaged: bool, wanted: bool) -> tuple[Next, float | None]:
        """Return what to do, and for WAIT the seconds after which to ask again (None: on events).

        `damaged`: there is something to draw. `wanted`: some viewer's window has room.
        """
        if damaged:
            wait_s = max(self._due_s, self._redraw_from_s) - now_s
            self._put_off = not wanted or wait_s > 0
            if not wanted:
                return Next.WAIT, None
            return (Next.WAIT, wait_s) if self._put_off else (Next.DRAW, None)
        if self._resting:
            return Next.WAIT, None
        wait_s = self._changed_s + REST_AFTER_S - now_s
        return (Next.WAIT, wait_s) if wait_s > 0 else (Next.REST, None)
