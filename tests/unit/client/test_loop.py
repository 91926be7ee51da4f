"""What the loop tells the server about pictures, whatever order they reach the GUI thread in."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.loop import ClientStreamLoop
from napari_cuda.client.loop_state import ClientLoopState
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import FrameLease, LeaseRole
from napari_cuda.client.playout.picture import ColorSpec, ExactPicture, YuvPicture
from napari_cuda.client.playout.surface import SurfaceKind
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketFlag, PacketHeader, PacketKind


class Screen:
    """A host whose screen draws when told to."""

    def post(self, call: Callable[[], None]) -> None:
        call()

    def schedule_wake(self, due_s: float) -> None:
        """The test presents."""

    def request_draw(self) -> bool:
        return True

    def presented(self, header: PacketHeader) -> None:
        """Nobody waits."""

    def notify(self, text: str) -> None:
        """Nobody reads."""


class GoneSurface:
    """A surface on a device that was lost."""

    kind, pts, handle, color = SurfaceKind.CUDA, 0, 0, ColorSpec()

    def planes(self) -> YuvPicture:
        raise StreamError("its device is gone")

    def close(self) -> None:
        """Nothing to give back."""


class Acks:
    """Stands where the socket would: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, text: str) -> None:
        self.sent.append(text)


def header(
    seq: int,
    revision: int,
    kind: PacketKind = PacketKind.ACCESS_UNIT,
    flags: PacketFlag = PacketFlag.AT_REST,
) -> PacketHeader:
    return PacketHeader(
        kind=kind, seq=seq, epoch=1, revision=revision, input_id=0, capture_time_us=0, canvas_size=(4, 2),
        coded_size=(4, 2), flags=flags,
    )  # fmt: skip


def frame(seq: int, revision: int) -> SubmittedFrame:
    return SubmittedFrame(header(seq, revision, PacketKind.STILL), ExactPicture(np.zeros((2, 4, 4), np.uint8)), 0, 0, 0)


def loop_and_acks() -> tuple[ClientStreamLoop, Acks]:
    loop = ClientStreamLoop(ClientConfig("ws://host", "token"), Screen(), None, ClientLoopState(), client="test")
    acks = Acks()
    loop.receiver.attach(acks)
    return loop, acks


def test_an_unchanged_picture_counts_when_the_picture_is_drawn() -> None:
    loop, acks = loop_and_acks()
    loop.presenter.submit(frame(7, revision=3), now_s=0.0)
    loop.unchanged(header(8, revision=4, kind=PacketKind.UNCHANGED))
    assert acks.sent == []
    loop.drawn()
    assert loop.state.shown.revision == loop.state.shown.exact_revision == 4
    assert ['"seq":8' in text for text in acks.sent] == [True]


def test_an_unchanged_picture_is_exact_only_when_it_is_final() -> None:
    loop, _acks = loop_and_acks()
    loop.presenter.submit(frame(7, revision=3), now_s=0.0)
    loop.present()
    loop.drawn()
    loop.unchanged(header(8, revision=4, kind=PacketKind.UNCHANGED, flags=PacketFlag.NONE))
    assert (loop.state.shown.revision, loop.state.shown.exact_revision) == (4, 3)
    loop.unchanged(header(9, revision=4, kind=PacketKind.UNCHANGED))
    assert loop.state.shown.exact_revision == 4


def test_a_late_word_of_an_older_picture_takes_nothing_back() -> None:
    loop, acks = loop_and_acks()
    loop.presenter.submit(frame(7, revision=3), now_s=0.0)
    loop.present()
    loop.drawn()
    # Packet 8 says "unchanged" and 9 is a picture; the picture is decoded before the GUI thread hears of 8.
    loop.presenter.submit(frame(9, revision=5), now_s=0.0)
    loop.unchanged(header(8, revision=4, kind=PacketKind.UNCHANGED))
    loop.drawn()
    assert loop.state.shown.revision == 5
    assert '"seq":9' in acks.sent[-1], "the server would wait for ever for the ack of 9"


def test_a_late_word_is_not_told_where_pictures_are_shown_at_once() -> None:
    """A script, or a hidden window: the newer picture is shown before the word of the older is looked at."""
    loop, acks = loop_and_acks()
    loop._host.request_draw = lambda: False
    loop.presenter.submit(frame(7, revision=3), now_s=0.0)
    loop.present()
    loop.presenter.submit(frame(9, revision=5), now_s=0.0)
    loop.unchanged(header(8, revision=4, kind=PacketKind.UNCHANGED))
    assert [json.loads(text)["seq"] for text in acks.sent] == [7, 9]
    loop.unchanged(header(10, revision=6, kind=PacketKind.UNCHANGED))
    assert loop.state.shown.revision == 6


def test_a_surface_that_cannot_be_shown_ends_its_decoder_and_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, _acks = loop_and_acks()
    lease = FrameLease(GoneSurface(), loop.leases)
    lease.acquire(LeaseRole.PRESENTER)
    lease.release(LeaseRole.DECODER)
    loop.presenter.submit(SubmittedFrame(header(7, revision=3), lease, 0, 0, 0), now_s=0.0)
    loop.present()
    told: list[Exception] = []
    monkeypatch.setattr(loop.pipeline, "give_up", told.append)
    with pytest.raises(StreamError, match="its device is gone"):
        loop.draw(lambda _frame: lease.surface.planes())
    assert [str(error) for error in told] == ["its device is gone"]
    loop.let_go()
    assert loop.leases.live == 0


def test_a_picture_in_memory_that_cannot_be_shown_is_not_the_decoders_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, _acks = loop_and_acks()
    loop.presenter.submit(frame(7, revision=3), now_s=0.0)
    loop.present()
    told: list[Exception] = []
    monkeypatch.setattr(loop.pipeline, "give_up", told.append)

    def refuse(_frame: SubmittedFrame | None) -> None:
        raise StreamError("it lacks a row")

    with pytest.raises(StreamError, match="it lacks a row"):
        loop.draw(refuse)
    assert told == []
