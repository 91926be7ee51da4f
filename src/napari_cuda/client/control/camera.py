"""CameraState: the camera here against the camera of the picture on screen."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cuda.protocol.packet import CameraPose, Direction


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera, and which directions of the world it has on the canvas: `right` and `down`, of length 1."""

    pose: CameraPose
    right: Direction = (0.0, 0.0, 1.0)
    down: Direction = (0.0, 1.0, 0.0)


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


class CameraState:
    """Owner: GUI thread; pure.

    napari's own camera moves at once, and its picture follows: in between the two differ. What is
    sent of the camera, and what of the server's is shown, `ControlStateContext` decides as for any
    other property.
    """

    def __init__(self) -> None:
        self._frame: CameraPose | None = None

    def shown(self, pose: CameraPose) -> bool:
        """The picture that is drawn from now on is one of `pose`; True if that is another than before."""
        before, self._frame = self._frame, pose
        return before != pose

    def difference(self, local: CameraView) -> CameraDifference | None:
        """Return how the camera here differs from that of the picture on screen; None while there is no picture."""
        return None if self._frame is None else difference(self._frame, local)


def difference(frame: CameraPose, local: CameraView) -> CameraDifference:
    """Return how `local` sees a picture drawn with `frame`.

    Exact in 2D, and in 3D without perspective as long as nothing is `turned`. With perspective the middle of
    the scene moves so, and what is nearer or farther a little differently.
    """
    pose = local.pose
    if frame.ndisplay != pose.ndisplay:
        return CameraDifference(turned=True)  # nothing of one is in the other
    # In 2D napari shows the same whatever angles and perspective are.
    turned = pose.ndisplay == 3 and (frame.angles != pose.angles or frame.perspective != pose.perspective)
    moved = [was - now for was, now in zip(frame.center, pose.center, strict=True)]
    right, down = (
        pose.zoom * sum(step * part for step, part in zip(moved, direction, strict=True))
        for direction in (local.right, local.down)
    )
    return CameraDifference((right, down), pose.zoom / frame.zoom, turned)
