"""ViewerStream: the encoder thread of one viewer, with the real encoder."""

from __future__ import annotations

import queue
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import CameraPose, PacketHeader, PacketKind, unpack
from napari_cuda.server.encode.choice import EncoderChoice
from napari_cuda.server.encode.effort import Effort
from napari_cuda.server.encode.rate import RateController
from napari_cuda.server.encode.still_pace import FEWEST
from napari_cuda.server.encode.viewer_encoder import ViewerEncoder
from napari_cuda.server.encode.viewer_stream import ViewerStream
from napari_cuda.server.encode.window import SMALLEST
from napari_cuda.server.frames import BufferPool, Overlaid, PixelBuffer, RenderedFrame
from napari_cuda.server.metrics import ServerMetrics

SIZE = (64, 48)
BIT_RATE = 5_000_000


class Watched:
    """A stream and what it delivers."""

    def __init__(self, *, overlays: bool = False) -> None:
        self.packets: queue.Queue[PacketHeader] = queue.Queue()
        self.failures: list[str] = []
        self.stream = ViewerStream(
            "v1",
            ViewerEncoder(EncoderChoice("x264"), Effort(frame_rate=60, cores=2), frame_rate=60, bit_rate=BIT_RATE),
            RateController(frame_rate=60, ceiling=BIT_RATE),
            deliver=lambda packet: self.packets.put(unpack(packet)[0]),
            on_room=lambda: None,
            on_failed=self.failures.append,
            metrics=ServerMetrics(),
            overlays=overlays,
        )

    def next(self) -> PacketHeader:
        return self.packets.get(timeout=10)


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    watched = Watched(overlays=getattr(request, "param", False))
    watched.stream.start()
    yield watched
    watched.stream.stop()
    assert watched.failures == []


def frame(grey: int) -> RenderedFrame:
    buffer = BufferPool().acquire(*SIZE)
    buffer.rgba[...] = (grey, grey, grey, 255)
    return RenderedFrame(
        buffer=buffer,
        canvas_size=SIZE,
        revision=1,
        camera=CameraPose(),
        capture_time_us=0,
        picture_hash=picture_hash(buffer.rgba),
    )


def test_a_keyframe_asked_for_right_after_another_comes_by_itself(watched: Watched) -> None:
    """It is held back for a moment; at rest nothing else would wake the stream to send it."""
    watched.stream.offer(frame(50))
    assert watched.next().keyframe
    for _ in range(3):
        watched.stream.request_keyframe()
        assert watched.next().keyframe


def test_a_stream_that_is_not_acknowledged_stops_at_its_window(watched: Watched) -> None:
    sent = []
    for grey in range(SMALLEST):
        assert watched.stream.wants_frame()
        watched.stream.offer(frame(grey))
        sent.append(watched.next().seq)
    assert not watched.stream.wants_frame()
    watched.stream.offer(frame(200))
    with pytest.raises(queue.Empty):
        watched.packets.get(timeout=0.3)
    watched.stream.ack(m.PixelAck(sent[0]))
    assert watched.next().seq == sent[-1] + 1


def test_a_stream_that_may_not_send_holds_the_newest_frame_and_no_other(watched: Watched) -> None:
    buffers = []
    for grey in (*range(SMALLEST), 200):
        offered = frame(grey)
        buffers.append(weakref.ref(offered.buffer))
        watched.stream.offer(offered)
        del offered
        if grey < SMALLEST:
            watched.next()
    until_s = time.monotonic() + 10  # the packet is there before its thread is back
    while [buffer() is None for buffer in buffers] != [*[True] * SMALLEST, False]:
        assert time.monotonic() < until_s, "the thread that waits keeps what it sent last"
        time.sleep(0.01)


def test_a_frame_that_says_nothing_new_waits_for_nobody(watched: Watched) -> None:
    """It is drawn anew, or handed out again, with nothing changed: whoever waits until it was taken would for ever."""
    again = frame(50)
    watched.stream.offer(again)
    sent = watched.next()
    watched.stream.offer(again)
    assert watched.stream.took_newest()
    other = frame(60)
    watched.stream.offer(other)
    sent = watched.next()
    watched.stream.offer(frame(70))  # the window has no room for it before the first two are acknowledged
    assert not watched.stream.took_newest()
    watched.stream.ack(m.PixelAck(sent.seq))
    assert watched.next().seq == sent.seq + 1
    assert watched.stream.took_newest()


@pytest.mark.parametrize("watched", [False, True], indirect=True, ids=["a window", "no window"])
def test_a_viewer_gets_the_overlays_that_it_does_not_draw(watched: Watched) -> None:
    plain, burnt = frame(50), frame(90)
    watched.stream.offer(replace(plain, overlaid=Overlaid(burnt.buffer, burnt.picture_hash)))
    shown = burnt if watched.stream.overlays else plain
    assert watched.next().picture_hash == shown.picture_hash
    watched.stream.offer(replace(shown, revision=2))  # without overlays now, and the same to see
    assert watched.next().kind is PacketKind.UNCHANGED


def noise(seed: int, *, revision: int, at_rest: bool) -> RenderedFrame:
    """A frame whose still has nine parts."""
    rgba = np.random.default_rng(seed).integers(0, 256, (256, 512, 4), np.uint8)
    rgba[..., 3] = 255
    return RenderedFrame(PixelBuffer(rgba), (512, 256), revision, CameraPose(), 0, picture_hash(rgba), at_rest=at_rest)


def test_what_moves_goes_before_the_rest_of_a_still_and_waits_for_no_ack_of_its_parts(watched: Watched) -> None:
    resting = noise(1, revision=1, at_rest=True)
    watched.stream.offer(resting)
    first = watched.next()
    assert first.keyframe
    watched.stream.ack(m.PixelAck(first.seq))
    parts = [watched.next() for _ in range(FEWEST)]
    assert [(part.kind, part.part) for part in parts] == [(PacketKind.STILL_PART, at) for at in range(FEWEST)]
    assert watched.stream.wants_frame()
    watched.stream.offer(noise(2, revision=2, at_rest=False))
    moving = watched.next()
    assert (moving.kind, moving.revision) == (PacketKind.ACCESS_UNIT, 2)
    watched.stream.ack(m.PixelAck(moving.seq))
    watched.stream.offer(replace(resting, revision=3))
    assert watched.next().kind is PacketKind.ACCESS_UNIT  # back to what was seen before: video first


def test_a_still_is_sent_part_by_part_as_they_are_acknowledged_and_once(watched: Watched) -> None:
    resting = noise(1, revision=1, at_rest=True)
    watched.stream.offer(resting)
    packets = [watched.next()]
    while packets[-1].kind is not PacketKind.STILL:
        watched.stream.ack(m.PixelAck(packets[-1].seq))
        packets.append(watched.next())
    assert [packet.part for packet in packets] == [0, *range(len(packets) - 1)]
    assert len(packets) > 8
    watched.stream.ack(m.PixelAck(packets[-1].seq))
    watched.stream.offer(replace(resting, revision=2))
    assert watched.next().kind is PacketKind.UNCHANGED
