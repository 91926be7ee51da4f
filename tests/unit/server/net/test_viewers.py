from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.backlog import MOST_WAITING
from napari_cuda.server.net.viewers import MOST_UNACKED, Viewer, Viewers

SNAPSHOT = m.SceneSnapshot(3, [], {}, {}, {}, {})


class Room:
    """Viewers on a loop that runs only when `turn` is called: what the render thread said waits until then."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.resyncs: list[str] = []
        self.viewers = Viewers(self.loop, self.resyncs.append)

    def add(self, name: str, *, greeted: bool = True) -> Viewer:
        viewer = self.viewers.add(name, asyncio.Event())
        if greeted:
            self.viewers.deliver(name, [SNAPSHOT])
            self.turn()
            assert read(viewer) == [SNAPSHOT]
        return viewer

    def turn(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0))


@pytest.fixture
def room(request: pytest.FixtureRequest) -> Room:
    made = Room()
    request.addfinalizer(made.loop.close)
    return made


def read(viewer: Viewer) -> list[m.ServerMessage]:
    viewer.news.clear()
    return list(iter(viewer.outbox.take, None))


def test_viewers_are_found_by_name_until_they_leave(room: Room) -> None:
    viewer = room.add("V1")
    assert room.viewers.get("V1") is viewer
    assert room.viewers.get("V2") is None
    assert len(room.viewers) == 1
    room.viewers.remove(viewer)
    room.viewers.remove(viewer)
    assert room.viewers.get("V1") is None
    assert len(room.viewers) == 0


def test_a_broadcast_reaches_all_and_a_delivery_one(room: Room) -> None:
    one, two = room.add("V1"), room.add("V2")
    room.viewers.broadcast([m.CameraUpdate(4, {"zoom": 2})])
    room.viewers.deliver("V2", [m.Ack(1, 4)])
    room.viewers.deliver("V9", [m.Ack(1, 4)])
    assert not one.news.is_set()  # only the network thread touches a viewer
    room.turn()
    assert one.news.is_set()
    assert read(one) == [m.CameraUpdate(4, {"zoom": 2})]
    assert read(two) == [m.CameraUpdate(4, {"zoom": 2}), m.Ack(1, 4)]


def test_no_delta_before_the_snapshot(room: Room) -> None:
    viewer = room.add("V1", greeted=False)
    room.viewers.broadcast([m.CameraUpdate(2, {"zoom": 2})])
    room.turn()
    assert read(viewer) == []
    room.viewers.deliver("V1", [m.StreamConfig("h264", 60.0, "x"), SNAPSHOT])
    room.viewers.broadcast([m.CameraUpdate(4, {"zoom": 4})])
    room.turn()
    assert read(viewer) == [m.StreamConfig("h264", 60.0, "x"), SNAPSHOT, m.CameraUpdate(4, {"zoom": 4})]


def test_nothing_happens_after_the_loop_is_closed() -> None:
    room = Room()
    viewer = room.add("V1")
    room.loop.close()
    room.viewers.broadcast([m.Status("late")])
    assert len(viewer.outbox) == 0


def test_a_viewer_with_many_intents_underway_is_not_read_until_they_are_done(room: Room) -> None:
    viewer = room.add("V1")
    for number in range(1, MOST_UNACKED):
        viewer.submitted(number)
        assert viewer.room.is_set()
    viewer.submitted(MOST_UNACKED)
    assert not viewer.room.is_set()
    room.viewers.deliver("V1", [m.Ack(10, 4)])
    room.turn()
    assert viewer.room.is_set()
    for number in range(MOST_UNACKED + 1, MOST_UNACKED + 11):
        assert viewer.room.is_set()
        viewer.submitted(number)
    assert not viewer.room.is_set()


@pytest.fixture
def flood() -> Callable[[Room, int], None]:
    def send(room: Room, number: int) -> None:
        room.viewers.broadcast([m.LayerUpdate(index, f"L{index}", {"a": 1}) for index in range(number)])
        room.turn()

    return send


def test_a_viewer_that_reads_too_slowly_gets_a_snapshot_instead_and_nobody_else_notices(
    room: Room, flood: Callable[[Room, int], None]
) -> None:
    slow, quick = room.add("V1"), room.add("V2")
    for _ in range(4):
        flood(room, MOST_WAITING // 2)
        assert len(read(quick)) == MOST_WAITING // 2
    assert room.resyncs == ["V1"]  # asked for once
    assert len(slow.outbox) <= MOST_WAITING
    room.viewers.broadcast([m.CameraUpdate(7, {"zoom": 7})])
    room.viewers.deliver("V1", [SNAPSHOT])
    room.viewers.broadcast([m.CameraUpdate(8, {"zoom": 8})])
    room.turn()
    assert read(slow) == [SNAPSHOT, m.CameraUpdate(8, {"zoom": 8})]
    assert not slow.lost
    flood(room, MOST_WAITING + 1)
    assert room.resyncs == ["V1", "V1", "V2"]


def test_a_viewer_that_never_reads_what_cannot_be_dropped_is_lost(room: Room) -> None:
    viewer, other = room.add("V1"), room.add("V2")
    refused = [m.Refusal("camera", "zoom", "no")]
    room.viewers.deliver("V1", [m.Ack(number, 1, refused) for number in range(1, 2 * MOST_WAITING + 2)])
    room.turn()
    assert viewer.lost == "it stopped reading"
    assert not other.lost
