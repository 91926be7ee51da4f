"""CameraState: cadence, order against the server's word, and the difference of two cameras."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.client.control.camera import CameraDifference, CameraState, difference
from napari_cuda.protocol.packet import CameraPose


def pose(x: float, **other: object) -> CameraPose:
    return replace(CameraPose(center=(0.0, 0.0, x)), **other)


def test_a_drag_sends_the_newest_at_most_once_an_interval_and_always_the_last() -> None:
    camera, taken = CameraState(interval_s=0.1), []
    for step in range(101):  # a second of 100 moves
        now_s = step / 100
        camera.moved(pose(step), now_s)
        if (newest := camera.take(now_s)) is not None:
            taken.append(newest.center[2])
    assert 9 <= len(taken) <= 11
    assert taken == sorted(taken)
    if camera.due_s is not None:
        last = camera.take(camera.due_s)
        assert last is not None
        taken.append(last.center[2])
    assert taken[-1] == 100
    assert camera.due_s is None


def test_a_camera_that_did_not_move_is_not_sent_again() -> None:
    camera = CameraState(interval_s=0.1)
    camera.moved(pose(1), 0.0)
    assert camera.take(0.0) == pose(1)
    camera.moved(pose(1), 5.0)
    assert camera.due_s is None


def test_what_the_server_says_is_older_until_it_has_acknowledged_ours() -> None:
    camera = CameraState(interval_s=0.1)
    assert camera.mirror(pose(1))
    camera.moved(pose(2), 0.0)
    assert not camera.mirror(pose(1)), "not sent yet"
    camera.take(0.0)
    camera.sent(7)
    assert not camera.mirror(pose(1)), "on its way"
    camera.acked(6)
    assert not camera.mirror(pose(1))
    camera.moved(pose(3), 0.05)
    camera.acked(7)
    assert not camera.mirror(pose(2)), "moved on since"
    camera.take(0.1)
    camera.sent(8)
    camera.acked(9)
    assert camera.mirror(pose(4))


def test_after_a_lost_connection_no_ack_is_waited_for() -> None:
    camera = CameraState()
    camera.moved(pose(2), 0.0)
    camera.take(0.0)
    camera.sent(7)
    camera.disconnected()
    assert camera.mirror(pose(1))


def test_a_pose_taken_over_from_the_server_is_not_sent_back() -> None:
    camera = CameraState()
    camera.mirror(pose(1))
    camera.moved(pose(1), 0.0)
    assert camera.due_s is None


def test_the_difference_follows_camera_and_picture() -> None:
    camera = CameraState()
    assert camera.difference is None
    camera.moved(pose(10, zoom=2.0), 0.0)
    assert camera.difference is None
    camera.shown(pose(10, zoom=2.0))
    assert camera.difference is not None
    assert camera.difference.none
    camera.moved(pose(13, zoom=2.0), 1.0)
    assert camera.difference == CameraDifference(pan_px=(-6.0, 0.0))


SIZE = (640, 480)
numbers = st.floats(-50, 50)
zooms = st.floats(0.1, 20)


@given(numbers, numbers, zooms, numbers, numbers, zooms, numbers, numbers)
def test_in_2d_it_takes_every_point_of_the_picture_to_its_place(
    frame_y: float, frame_x: float, frame_zoom: float, y: float, x: float, zoom: float, at_y: float, at_x: float
) -> None:
    frame, local = CameraPose((0, frame_y, frame_x), frame_zoom), CameraPose((0, y, x), zoom)
    found = difference(frame, local)
    # A world point, from the middle of the canvas, by either camera.
    seen = ((at_x - frame_x) * frame_zoom, (at_y - frame_y) * frame_zoom)
    wanted = ((at_x - x) * zoom, (at_y - y) * zoom)
    moved = [place * found.zoom + pan for place, pan in zip(seen, found.pan_px, strict=True)]
    assert moved == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "turned"),
    [
        ({"zoom": 2.0}, False),
        ({"angles": (1.0, 0.0, 90.0)}, True),
        ({"center": (1.0, 0.0, 0.0)}, True),
        ({"perspective": 30.0}, True),
        ({"ndisplay": 2}, True),
    ],
)
def test_in_3d_only_zoom_is_no_turn(change: dict, turned: bool) -> None:
    frame = CameraPose(ndisplay=3)
    assert difference(frame, replace(frame, **change)).turned is turned


def test_in_2d_angles_do_not_matter() -> None:
    assert difference(CameraPose(), CameraPose(angles=(1.0, 2.0, 3.0))).none
