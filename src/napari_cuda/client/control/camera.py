"""CameraState: the camera here against the camera of the picture on screen, and when to tell the server."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cuda.client.control.cadence import Cadence
from napari_cuda.protocol.packet import CameraPose

INTERVAL_S = 1 / 120
"""At most one camera intent in this time: no server draws more often, and no hand is faster."""


@dataclass(frozen=True, slots=True)
class CameraDifference:
    """How the local camera sees the picture on screen.

    A point of the picture, measured from the canvas's middle, belongs at `zoom` times that place plus
    `pan_px`, (right, down) in canvas pixels. `turned`: the cameras look another way, and no shift or
    scale makes one picture of the other.
    """

    pan_px: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    turned: bool = False

    @property
    def none(self) -> bool:
        """True if the picture is where the local camera wants it."""
        return self == CameraDifference()


class CameraState:
    """Owner: GUI thread; pure.

    napari's own camera moves at once. `moved` notes where to; `take` gives the newest pose at most
    every `INTERVAL_S`, and always the last. Until the server has acknowledged it, what the server
    says of the camera is older than what is here.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._cadence = Cadence(interval_s)
        self._local: CameraPose | None = None
        self._sent: int | None = None
        self._frame: CameraPose | None = None

    @property
    def due_s(self) -> float | None:
        """When the newest pose is to be sent; None if it was."""
        return self._cadence.due_s

    @property
    def newer_here(self) -> bool:
        """True if the camera here is newer than what the server can know of."""
        return self._cadence.due_s is not None or self._sent is not None

    def moved(self, pose: CameraPose, now_s: float) -> None:
        """The user, or a script, moved the camera to `pose`."""
        if pose != self._local:
            self._local = pose
            self._cadence.note(now_s)

    def take(self, now_s: float) -> CameraPose | None:
        """Return the newest pose if it is time to send it."""
        return self._local if self._cadence.take(now_s) else None

    def sent(self, intent: int) -> None:
        """The pose that was taken went out as `intent`."""
        self._sent = intent

    def acked(self, intent: int) -> None:
        """The server has done everything up to `intent`."""
        if self._sent is not None and intent >= self._sent:
            self._sent = None

    def disconnected(self) -> None:
        """Acks will not come; what the control state sends again gets a number of its own."""
        self._sent = None

    def mirror(self, pose: CameraPose) -> bool:
        """The server says the camera is at `pose`; False if it is to be ignored, being older than ours."""
        if self.newer_here:
            return False
        self._local = pose
        return True

    def shown(self, pose: CameraPose) -> None:
        """A picture drawn with `pose` is on screen."""
        self._frame = pose

    @property
    def difference(self) -> CameraDifference | None:
        """How the local camera differs from that of the picture on screen; None while one is unknown."""
        if self._local is None or self._frame is None:
            return None
        return difference(self._frame, self._local)


def difference(frame: CameraPose, local: CameraPose) -> CameraDifference:
    """Return how `local` sees a picture drawn with `frame`.

    Exact in 2D, with napari's axes (down and right). In 3D the middle of the scene moves so, and what is
    nearer or farther a little differently if there is perspective.
    """
    # In 2D napari shows the same whatever the angles are.
    turned = frame.ndisplay != local.ndisplay or frame.perspective != local.perspective
    if turned or (local.ndisplay == 3 and (frame.angles != local.angles or frame.center != local.center)):
        return CameraDifference(zoom=local.zoom / frame.zoom, turned=True)
    down, right = ((f - own) * local.zoom for f, own in zip(frame.center[-2:], local.center[-2:], strict=True))
    return CameraDifference((right, down), local.zoom / frame.zoom)
