from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.backlog import MOST_WAITING
from napari_cuda.server.net.viewers import LONGEST_AWAY_S, MOST_AWAY, MOST_UNACKED, Seat, Viewer, Viewers

SNAPSHOT = m.SceneSnapshot(3, [], {}, {}, {}, {})


class Room:
    """Viewers on a loop that runs only when `turn` is called: what the render thread said waits until then."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.now_s = 100.0
        self.resyncs: list[str] = []
        self.forgotten: list[str] = []
        self.viewers = Viewers(self.loop, self.resyncs.append, self.forgotten.append, lambda: self.now_s)

    def add(self, *, greeted: bool = True) -> Viewer:
        viewer = self.viewers.add(Seat(asyncio.Event()))
        if greeted:
            self.viewers.deliver(viewer.name, [SNAPSHOT])
            self.turn()
            assert read(viewer) == [SNAPSHOT]
        return viewer

    def lose(self, viewer: Viewer) -> None:
        self.viewers.part(viewer, seat(viewer), for_good=False)

    def turn(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0))


def seat(viewer: Viewer) -> Seat:
    assert viewer.seat is not None
    return viewer.seat


@pytest.fixture
def room(request: pytest.FixtureRequest) -> Room:
    made = Room()
    request.addfinalizer(made.loop.close)
    return made


def read(viewer: Viewer) -> list[m.ServerMessage]:
    seat(viewer).news.clear()
    return list(iter(seat(viewer).outbox.take, None))


def test_viewers_are_found_by_name_until_they_are_forgotten(room: Room) -> None:
    viewer = room.add()
    assert room.viewers.get(viewer.name) is viewer
    assert room.viewers.get("V2") is None
    assert len(room.viewers) == 1
    place = seat(viewer)
    room.viewers.part(viewer, place, for_good=True)
    room.viewers.part(viewer, place, for_good=True)
    assert room.viewers.get(viewer.name) is None
    assert len(room.viewers) == 0
    assert room.forgotten == [viewer.name]


def test_a_broadcast_reaches_all_and_what_follows_one(room: Room) -> None:
    one, two = room.add(), room.add()
    room.viewers.broadcast([m.CameraUpdate(4, {"zoom": 2})], {two.name: m.Ack(1, 4)})
    assert not seat(one).news.is_set()
    room.turn()
    assert seat(one).news.is_set()
    assert read(one) == [m.CameraUpdate(4, {"zoom": 2})]
    assert read(two) == [m.CameraUpdate(4, {"zoom": 2}), m.Ack(1, 4)]


@pytest.mark.parametrize("scene", [SNAPSHOT, m.SceneResumed(3, [])])
def test_no_delta_before_the_scene(room: Room, scene: m.ServerMessage) -> None:
    viewer = room.add(greeted=False)
    room.viewers.broadcast([m.CameraUpdate(2, {"zoom": 2})], {})
    room.turn()
    assert read(viewer) == []
    room.viewers.deliver(viewer.name, [m.StreamConfig("h264", 60.0, "x"), scene])
    room.viewers.broadcast([m.CameraUpdate(4, {"zoom": 4})], {})
    room.turn()
    assert read(viewer) == [m.StreamConfig("h264", 60.0, "x"), scene, m.CameraUpdate(4, {"zoom": 4})]


# --- coming back ----------------------------------------------------------------------------


def test_who_comes_back_is_the_same_viewer_on_a_new_seat(room: Room) -> None:
    viewer = room.add()
    assert viewer.take(1)
    assert viewer.take(2)
    old = seat(viewer)
    room.lose(viewer)
    assert (len(room.viewers), viewer.seated.is_set()) == (0, False)
    room.viewers.broadcast([m.CameraUpdate(4, {"zoom": 2})], {viewer.name: m.Ack(1, 4)})
    room.turn()
    assert len(old.outbox) == 0
    place = Seat(asyncio.Event())
    assert room.viewers.resume(viewer.resume_token, place) is viewer
    assert (seat(viewer), viewer.taken, len(room.viewers)) == (place, 2, 1)
    assert viewer.seated.is_set()
    assert not viewer.take(2), "it was taken on the old connection"
    assert viewer.take(3)


def test_acks_that_may_not_have_arrived_are_told_again_after_the_scene(room: Room) -> None:
    viewer = room.add()
    no = [m.Refusal("camera", "zoom", "no")]
    for ack in (m.Ack(1, 3), m.Ack(2, 3, no), m.Ack(3, 4), m.Ack(4, 5)):
        room.viewers.broadcast([], {viewer.name: ack})
    room.turn()
    room.lose(viewer)
    room.viewers.broadcast([], {viewer.name: m.Ack(5, 6)})  # done while it was away
    room.viewers.resume(viewer.resume_token, Seat(asyncio.Event()))
    room.viewers.deliver(viewer.name, [m.SceneResumed(6, [])])
    room.turn()
    assert read(viewer) == [m.SceneResumed(6, []), m.Ack(2, 3, no), m.Ack(5, 6)]


def test_a_connection_that_only_looks_open_is_replaced(room: Room) -> None:
    viewer = room.add()
    old = seat(viewer)
    pixels_over = old.take_pixels()
    place = Seat(asyncio.Event())
    room.viewers.resume(viewer.resume_token, place)
    assert old.lost
    assert old.news.is_set()
    assert pixels_over.is_set()
    # Its end, when it is noticed at last, is not the viewer's.
    room.viewers.part(viewer, old, for_good=True)
    assert seat(viewer) is place
    assert room.forgotten == []


def test_a_new_pixel_socket_replaces_the_one_before(room: Room) -> None:
    place = seat(room.add())
    first, second = place.take_pixels(), place.take_pixels()
    assert (first.is_set(), second.is_set()) == (True, False)
    place.end()
    assert second.is_set()


@pytest.mark.parametrize("token", ["", "guessed", "é"])
def test_nobody_comes_back_as_another(room: Room, token: str) -> None:
    viewer = room.add()
    room.lose(viewer)
    assert room.viewers.resume(token, Seat(asyncio.Event())) is None
    assert room.viewers.resume(viewer.name, Seat(asyncio.Event())) is None


def test_who_stays_away_too_long_is_forgotten(room: Room) -> None:
    early, late, here = room.add(), room.add(), room.add()
    room.lose(early)
    room.now_s += LONGEST_AWAY_S / 2
    room.lose(late)
    room.now_s += LONGEST_AWAY_S / 2 + 1
    assert room.viewers.resume(early.resume_token, Seat(asyncio.Event())) is None
    assert room.forgotten == [early.name]
    assert room.viewers.resume(late.resume_token, Seat(asyncio.Event())) is late
    assert room.viewers.get(here.name) is here


def test_only_so_many_are_remembered(room: Room) -> None:
    gone = [room.add() for _ in range(MOST_AWAY + 3)]
    for viewer in gone:
        room.now_s += 1
        room.lose(viewer)
    assert room.forgotten == [viewer.name for viewer in gone[:3]]


def test_who_leaves_on_purpose_is_not_remembered(room: Room) -> None:
    viewer = room.add()
    room.viewers.part(viewer, seat(viewer), for_good=True)
    assert room.viewers.resume(viewer.resume_token, Seat(asyncio.Event())) is None


# --- bounds ---------------------------------------------------------------------------------


def test_nothing_happens_after_the_loop_is_closed() -> None:
    room = Room()
    viewer = room.add()
    room.loop.close()
    room.viewers.broadcast([m.Status("late")], {})
    assert len(seat(viewer).outbox) == 0


def test_a_viewer_with_many_intents_underway_is_not_read_until_they_are_done(room: Room) -> None:
    viewer = room.add()
    for number in range(1, MOST_UNACKED):
        viewer.take(number)
        assert viewer.room.is_set()
    viewer.take(MOST_UNACKED)
    assert not viewer.room.is_set()
    room.viewers.broadcast([], {viewer.name: m.Ack(10, 4)})
    room.turn()
    assert viewer.room.is_set()
    for number in range(MOST_UNACKED + 1, MOST_UNACKED + 11):
        assert viewer.room.is_set()
        viewer.take(number)
    assert not viewer.room.is_set()


@pytest.fixture
def flood() -> Callable[[Room, int], None]:
    def send(room: Room, number: int) -> None:
        room.viewers.broadcast([m.LayerUpdate(index, f"L{index}", {"a": 1}) for index in range(number)], {})
        room.turn()

    return send


def test_a_viewer_that_reads_too_slowly_gets_a_snapshot_instead_and_nobody_else_notices(
    room: Room, flood: Callable[[Room, int], None]
) -> None:
    slow, quick = room.add(), room.add()
    for _ in range(4):
        flood(room, MOST_WAITING // 2)
        assert len(read(quick)) == MOST_WAITING // 2
    assert room.resyncs == [slow.name]  # asked for once
    assert len(seat(slow).outbox) <= MOST_WAITING
    room.viewers.broadcast([m.CameraUpdate(7, {"zoom": 7})], {})
    room.viewers.deliver(slow.name, [SNAPSHOT])
    room.viewers.broadcast([m.CameraUpdate(8, {"zoom": 8})], {})
    room.turn()
    assert read(slow) == [SNAPSHOT, m.CameraUpdate(8, {"zoom": 8})]
    assert not seat(slow).lost
    flood(room, MOST_WAITING + 1)
    assert room.resyncs == [slow.name, slow.name, quick.name]


def test_a_snapshot_that_does_not_get_through_is_asked_for_again(room: Room) -> None:
    viewer = room.add()
    lost = [m.LayerThumbnail(f"L{index}", 0, 0, b"") for index in range(MOST_WAITING + 1)]
    room.viewers.broadcast(lost, {})
    room.viewers.deliver(viewer.name, [SNAPSHOT, *lost])
    room.turn()
    assert room.resyncs == [viewer.name, viewer.name]
    room.viewers.deliver(viewer.name, [SNAPSHOT])
    room.turn()
    assert read(viewer) == [SNAPSHOT]


def test_a_viewer_that_never_reads_what_cannot_be_dropped_is_lost(room: Room) -> None:
    viewer, other = room.add(), room.add()
    refused = [m.Refusal("camera", "zoom", "no")]
    room.viewers.deliver(viewer.name, [m.Ack(number, 1, refused) for number in range(1, 2 * MOST_WAITING + 2)])
    room.turn()
    assert seat(viewer).lost == "it stopped reading"
    assert not seat(other).lost
