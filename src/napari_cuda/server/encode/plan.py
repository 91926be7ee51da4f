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


class StreamPlan:
    """What one viewer has been sent, and so what it needs. Pure; the owner locks.

    A viewer without pixels gets a keyframe; a changed picture becomes a delta; the same
    picture of a newer revision costs a header only; a resting picture becomes exact once,
    when nothing else is on the way.
    """

    def __init__(self, viewer: str) -> None:
        self._viewer = viewer
        self._keyframe_needed = True
        self._picture: tuple[int, tuple[int, int]] | None = None
        self._exact: tuple[int, tuple[int, int]] | None = None
        self._told: tuple[int, int, CameraPose, bool] | None = None

    @property
    def keyframe_needed(self) -> bool:
        """True until a keyframe is sent."""
        return self._keyframe_needed

    def request_keyframe(self) -> None:
        """The decoder has nothing to go on from."""
        self._keyframe_needed = True
        self._exact = None

    def next(self, frame: RenderedFrame | None, *, room: bool, empty: bool) -> Job | None:
        """Return what to do with the newest frame now, or None."""
        if frame is None or not room:
            return None
        picture = (frame.picture_hash, frame.canvas_size)
        if self._keyframe_needed:
            return Job.KEYFRAME
        if frame.at_rest and self._exact != picture:
            return Job.STILL if empty else None
        if picture not in (self._picture, self._exact):
            return Job.DELTA
        return Job.UNCHANGED if self._told != self._tell(frame) else None

    def sent(self, job: Job, frame: RenderedFrame) -> None:
        """Note that the packet for `frame` left."""
        picture = (frame.picture_hash, frame.canvas_size)
        self._told = self._tell(frame)
        if job is Job.KEYFRAME:
            self._keyframe_needed = False
        if job in (Job.KEYFRAME, Job.DELTA):
            self._picture = picture
            self._exact = None
        elif job is Job.STILL:
            self._picture = self._exact = picture

    def _tell(self, frame: RenderedFrame) -> tuple[int, int, CameraPose, bool]:
        return frame.revision, frame.input_ids.get(self._viewer, 0), frame.camera, frame.at_rest
