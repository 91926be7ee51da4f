"""CameraState: the difference of two cameras."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.client.control.camera import CameraDifference, CameraState, CameraView, difference
from napari_cuda.protocol.packet import CameraPose


def pose(x: float, **other: object) -> CameraPose:
    return replace(CameraPose(center=(0.0, 0.0, x)), **other)


def test_the_difference_follows_camera_and_picture() -> None:
    camera = CameraState()
    assert camera.difference(CameraView(pose(10, zoom=2.0))) is None
    assert camera.shown(pose(10, zoom=2.0))
    assert not camera.shown(pose(10, zoom=2.0)), "nothing to draw anew"
    assert camera.difference(CameraView(pose(10, zoom=2.0))) == CameraDifference()
    assert camera.difference(CameraView(pose(13, zoom=2.0))) == CameraDifference(pan_px=(-6.0, 0.0))


SIZE = (640, 480)
numbers = st.floats(-50, 50)
zooms = st.floats(0.1, 20)


@given(numbers, numbers, zooms, numbers, numbers, zooms, numbers, numbers)
def test_in_2d_it_takes_every_point_of_the_picture_to_its_place(
    frame_y: float, frame_x: float, frame_zoom: float, y: float, x: float, zoom: float, at_y: float, at_x: float
) -> None:
    frame, local = CameraPose((0, frame_y, frame_x), frame_zoom), CameraPose((0, y, x), zoom)
    found = difference(frame, CameraView(local))
    # A world point, from the middle of the canvas, by either camera.
    seen = ((at_x - frame_x) * frame_zoom, (at_y - frame_y) * frame_zoom)
    wanted = ((at_x - x) * zoom, (at_y - y) * zoom)
    moved = [place * found.zoom + pan for place, pan in zip(seen, found.pan_px, strict=True)]
    assert moved == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "turned"),
    [
        ({"zoom": 2.0}, False),
        ({"center": (1.0, 0.0, 0.0)}, False),
        ({"angles": (1.0, 0.0, 90.0)}, True),
        ({"perspective": 30.0}, True),
        ({"ndisplay": 2}, True),
    ],
)
def test_in_3d_pan_and_zoom_are_no_turn(change: dict, turned: bool) -> None:
    frame = CameraPose(ndisplay=3)
    assert difference(frame, CameraView(replace(frame, **change))).turned is turned


def test_a_3d_pan_is_what_the_canvas_sees_of_it() -> None:
    frame = CameraPose(ndisplay=3, zoom=2.0)
    # Seen from the side: z goes left, y down, and x into the screen.
    local = CameraView(replace(frame, center=(3.0, 4.0, 100.0)), right=(-1.0, 0.0, 0.0), down=(0.0, 1.0, 0.0))
    assert difference(frame, local) == CameraDifference(pan_px=(6.0, -8.0))


def test_a_volume_and_a_slice_have_nothing_in_common() -> None:
    frame = CameraPose(center=(0.0, 5.0, 6.0), ndisplay=3)
    assert difference(frame, CameraView(CameraPose(zoom=3.0))) == CameraDifference(turned=True)


def test_in_2d_neither_angles_nor_perspective_matter() -> None:
    view = CameraView(CameraPose(angles=(1.0, 2.0, 3.0), perspective=30.0))
    assert difference(CameraPose(), view) == CameraDifference()
