"""StreamPlan: which packet a viewer gets next. Drop before encode, never after."""

from __future__ import annotations

import enum

from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server.frames import RenderedFrame


class Job(enum.Enum):
    """What to make of the newest frame."""

    KEYFRAME = "keyframe"
    DELTA = "delta"
    STILL = "still"
    UNCHANGED = "unchanged"


MOST_REFINING = 10
"""Pictures of the same, better and better, before the exact one; x264 has little left to improve by then."""


class StreamPlan:
    """What one viewer has been sent, and so what it needs. Pure; the owner locks.

    A viewer without pixels gets a keyframe; a changed picture becomes a delta; the same
    picture of a newer revision costs a header only; a resting picture becomes exact once,
    in parts, which begin when nothing else is on the way. Another picture puts an end to them.
    """

    def __init__(self, viewer: str) -> None:
        self._viewer = viewer
        self._keyframe_needed = True
        self._picture: tuple[int, tuple[int, int]] | None = None
        self._video: tuple[tuple[int, int], bool] | None = None
        """Of the last video: the canvas, and whether there was a margin around it."""
        self._exact: tuple[int, tuple[int, int]] | None = None
        self._becoming_exact: tuple[int, tuple[int, int]] | None = None
        self._refined = 0
        self._told: tuple[int, int, CameraPose, bool] | None = None

    @property
    def keyframe_needed(self) -> bool:
        """True until a keyframe is sent."""
        return self._keyframe_needed

    def request_keyframe(self) -> None:
        """The decoder has nothing to go on from."""
        self._keyframe_needed = True
        self._exact = None

    def next(
        self, frame: RenderedFrame | None, *, room: bool, empty: bool, part_room: bool = True, refine: bool = False
    ) -> Job | None:
        """Return what to do with the newest frame now, or None.

        There is `room` for a picture, `part_room` for a part of a still, or nothing under way (`empty`).
        `refine`: a still takes long, and better video goes before it.
        """
        if frame is None:
            return None
        picture = (frame.picture_hash, frame.picture_size)
        covered = self._covered(frame)
        if not self._keyframe_needed and frame.at_rest and self._exact != picture and (covered or self._seen(frame)):
            if self._becoming_exact == picture:
                return Job.STILL if part_room else None
            if refine and not covered and self._refined < MOST_REFINING:
                return Job.DELTA if room else None
            return Job.STILL if empty else None
        return self._next_picture(frame) if room else None

    def _next_picture(self, frame: RenderedFrame) -> Job | None:
        if self._keyframe_needed:
            return Job.KEYFRAME
        if (frame.picture_hash, frame.picture_size) not in (self._picture, self._exact):
            return Job.DELTA
        return Job.UNCHANGED if self._told != self._tell(frame) else None

    def _seen(self, frame: RenderedFrame) -> bool:
        """Return whether the viewer has seen what the frame shows, if not as well: the exact picture can be next."""
        if (frame.picture_hash, frame.picture_size) in (self._picture, self._exact):
            return True
        told = self._told
        return told is not None and (told[0], told[2]) == (frame.revision, frame.camera)

    def _covered(self, frame: RenderedFrame) -> bool:
        """Return whether the viewer's video shows more than this canvas: without a margin none may take its place."""
        return self._video == (frame.canvas_size, True) and frame.margin == 0

    def sent(self, job: Job, frame: RenderedFrame, *, more: bool = False) -> None:
        """Note that the packet for `frame` left; a still may have `more` parts, and shows nothing before the last."""
        picture = (frame.picture_hash, frame.picture_size)
        self._becoming_exact = picture if more else None
        if more:
            return
        self._told = self._tell(frame)
        if job is Job.KEYFRAME:
            self._keyframe_needed = False
        if job in (Job.KEYFRAME, Job.DELTA):
            self._refined = self._refined + 1 if self._picture == picture else 0
            self._picture = picture
            self._video = (frame.canvas_size, frame.margin > 0)
            self._exact = None
        elif job is Job.STILL:
            self._picture = self._exact = picture

    def _tell(self, frame: RenderedFrame) -> tuple[int, int, CameraPose, bool]:
        return frame.revision, frame.input_ids.get(self._viewer, 0), frame.camera, frame.at_rest
