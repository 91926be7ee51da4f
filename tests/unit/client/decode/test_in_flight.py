from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from napari_cuda.client.decode.emulated import PlaneSurface
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.in_flight import CAPACITY, Entry, InFlight
from napari_cuda.client.decode.pipeline import Packet
from napari_cuda.client.decode.surface_pool import SurfacePool
from napari_cuda.client.playout.lease import FrameLease, LeaseLedger, LeaseRole
from napari_cuda.client.playout.picture import ExactPicture
from streams import PacketSource

SERVER = PacketSource()
HEADER, DATA = SERVER.access_unit()
PICTURE = H264Decoder().decode(DATA)


def never() -> bool:
    return False


@dataclass
class Line:
    """An InFlight, its surfaces and what it presented."""

    ledger: LeaseLedger = field(default_factory=LeaseLedger)
    pool: SurfacePool = field(default_factory=lambda: SurfacePool(100))
    in_flight: InFlight = field(default_factory=InFlight)
    presented: list[Entry] = field(default_factory=list)

    def put(self, pts: int | None = None, picture: ExactPicture | None = None) -> Entry:
        entry = Entry(Packet(HEADER, DATA, 0.0), 0.0, pts, picture)
        assert self.in_flight.put(entry, never)
        return entry

    def surface(self, pts: int) -> FrameLease:
        self.pool.promise()
        return FrameLease(PlaneSurface(PICTURE, pts, self.pool), self.ledger)

    def present(self) -> list[Entry]:
        """Return what is presented now."""
        before = len(self.presented)
        self.in_flight.present_ready(self.presented.append)
        return self.presented[before:]


@pytest.fixture
def line() -> Line:
    return Line()


def test_pictures_are_put_back_in_order(line: Line) -> None:
    entries = [line.put(pts) for pts in range(3)]
    assert line.in_flight.arrived(line.surface(2)) is entries[2]
    assert line.present() == []
    line.in_flight.arrived(line.surface(0))
    assert line.present() == [entries[0]]
    line.in_flight.arrived(line.surface(1))
    assert line.present() == entries[1:]


def test_what_needs_no_decoder_waits_for_its_turn(line: Line) -> None:
    first, unchanged = line.put(0), line.put()
    still = line.put(picture=ExactPicture(PICTURE.y))
    assert line.present() == []
    line.in_flight.arrived(line.surface(0))
    assert line.present() == [first, unchanged, still]


def test_a_surface_nobody_waits_for_is_released(line: Line) -> None:
    line.put(1)
    assert line.in_flight.arrived(line.surface(0)) is None
    assert line.ledger.live == 0
    line.in_flight.arrived(line.surface(1))
    assert line.in_flight.arrived(line.surface(1)) is None  # and neither is a second one
    assert line.ledger.live == 1


def test_what_is_cleared_is_released_and_never_presented(line: Line) -> None:
    for pts in range(3):
        line.put(pts)
    line.in_flight.arrived(line.surface(1))
    assert line.in_flight.clear() == 3
    assert line.ledger.live == 0
    line.in_flight.arrived(line.surface(0))
    assert line.ledger.live == 0
    assert line.present() == []


def test_only_what_the_decoder_has_is_owed(line: Line) -> None:
    assert not line.in_flight.owed()
    entry = line.put(0)
    assert not line.in_flight.owed()  # it waits for a free surface
    entry.given = True
    assert line.in_flight.owed()
    line.in_flight.arrived(line.surface(0))
    assert not line.in_flight.owed()


def test_it_is_bounded(line: Line) -> None:
    for _ in range(CAPACITY):
        line.put()
    asked, ended, results = threading.Event(), threading.Event(), []

    def has_ended() -> bool:
        asked.set()
        return ended.is_set()

    entry = Entry(Packet(HEADER, b"", 0.0), 0.0)
    thread = threading.Thread(target=lambda: results.append(line.in_flight.put(entry, has_ended)))
    thread.start()
    assert asked.wait(10)
    ended.set()
    line.in_flight.wake()
    thread.join(10)
    assert results == [False]
    assert len(line.present()) == CAPACITY


def test_nothing_is_put_or_waited_for_after_the_end(line: Line) -> None:
    assert not line.in_flight.put(Entry(Packet(HEADER, b"", 0.0), 0.0), lambda: True)
    assert not line.in_flight.wait(lambda: True)


def test_an_entry_is_handed_over_with_its_lease(line: Line) -> None:
    line.put(0)
    lease = line.surface(0)
    line.in_flight.arrived(lease)
    (entry,) = line.present()
    assert entry.picture is lease
    assert lease.held(LeaseRole.DECODER) == 1  # whoever presents it lets go
