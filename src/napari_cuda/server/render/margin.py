"""CanvasMargin: how much is drawn around the canvas, so that a camera that moves on finds picture there."""

from __future__ import annotations

import math

from napari_cuda.protocol.packet import CameraPose

FAR_S = 0.08
"""A round trip as long as this: what the camera uncovers until the next picture comes is worth drawing ahead."""

PIPELINE_S = 0.05
"""What a picture takes besides the way: drawn, coded, decoded, shown."""

SLOWEST_PX_S = 500.0
"""A margin is for a hand as fast as this, or faster."""

STEP_PX = 64
"""Margins are multiples of this: another size is another stream, which begins with a keyframe."""

LARGEST_PX = 512

KEPT_S = 1.0
"""A hand that pauses for less goes on with the same margin."""

SHORTEST_S = 0.01
"""Between two pictures, for the speed: what comes in bursts is no faster."""


class CanvasMargin:
    """Owner: render thread; pure, `now_s` is any monotonic clock.

    Everybody gets the same picture, so the nearest window decides: who is near pays nothing for who is far. While
    the camera moves all pictures have the margin, and it only grows. When other changes end the last picture
    before rest has it: at the viewer it stays under the exact one, which has none, until the camera moves again.
    """

    def __init__(self) -> None:
        self._camera: CameraPose | None = None
        self._drawn_s = self._moved_s = -math.inf
        self._speed_px_s = self._newest_px_s = 0.0
        self._margin = 0
        self._backs_rest = False
        self._backed = -1

    def drawing(self, camera: CameraPose, round_trip_s: float, now_s: float) -> int:
        """Return the margin of the next picture of what moves, for the nearest window at that distance."""
        before, self._camera = self._camera, camera
        if before is not None and before != camera:
            self._note_move(before, camera, now_s)
        self._drawn_s = now_s
        backs_rest, self._backs_rest = self._backs_rest, False
        wanted_px = margin_for(max(self._speed_px_s, SLOWEST_PX_S), round_trip_s)
        if wanted_px == 0 or (now_s - self._moved_s > KEPT_S and not backs_rest):
            return 0
        self._margin = max(self._margin, wanted_px)
        return self._margin

    def ask_before_rest(self, margin: int, revision: int, round_trip_s: float) -> bool:
        """The picture is about to become exact: return True if another one is to be drawn before.

        The newest has only this `margin`. Once for a revision: data for the margin of a pyramid comes and goes.
        """
        self._moved_s = -math.inf
        self._backs_rest = margin == 0 and round_trip_s >= FAR_S and revision != self._backed
        self._backed = revision
        return self._backs_rest

    def _note_move(self, before: CameraPose, camera: CameraPose, now_s: float) -> None:
        if now_s - self._moved_s > KEPT_S:
            self._margin, self._speed_px_s, self._newest_px_s = 0, 0.0, 0.0
        shift_px = camera.zoom * math.dist(before.center[-2:], camera.center[-2:])
        # Two in a row: a jump is no speed.
        last_px_s, self._newest_px_s = self._newest_px_s, shift_px / max(now_s - self._drawn_s, SHORTEST_S)
        self._speed_px_s = max(self._speed_px_s, min(last_px_s, self._newest_px_s))
        self._moved_s = now_s


def margin_for(speed_px_s: float, round_trip_s: float) -> int:
    """Return how many pixels around the canvas a picture is to show for a camera of that speed; 0 if it is near."""
    if round_trip_s < FAR_S:
        return 0
    wanted_px = speed_px_s * (round_trip_s + PIPELINE_S)
    return min(STEP_PX * math.ceil(wanted_px / STEP_PX), LARGEST_PX)
