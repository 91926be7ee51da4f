"""CameraState: the camera here against the camera of the picture on screen."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cuda.protocol.packet import CameraPose


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

    def shown(self, pose: CameraPose) -> None:
        """A picture drawn with `pose` is on screen."""
        self._frame = pose

    def difference(self, local: CameraPose) -> CameraDifference | None:
        """Return how the camera here differs from that of the picture on screen; None while there is no picture."""
        return None if self._frame is None else difference(self._frame, local)


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
