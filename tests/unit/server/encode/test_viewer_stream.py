"""ViewerStream: the encoder thread of one viewer, with the real encoder."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import replace

import pytest

from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import CameraPose, PacketHeader, PacketKind, unpack
from napari_cuda.server.encode.viewer_stream import ViewerStream
from napari_cuda.server.encode.window import SMALLEST
from napari_cuda.server.frames import BufferPool, Overlaid, RenderedFrame
from napari_cuda.server.metrics import ServerMetrics

SIZE = (64, 48)


class Watched:
    """A stream and what it delivers."""

    def __init__(self, *, overlays: bool = False) -> None:
        self.packets: queue.Queue[PacketHeader] = queue.Queue()
        self.failures: list[str] = []
        self.stream = ViewerStream(
            "v1",
            frame_rate=60,
            bit_rate=5_000_000,
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
    watched.stream.ack(sent[0])
    assert watched.next().seq == sent[-1] + 1


@pytest.mark.parametrize("watched", [False, True], indirect=True, ids=["a window", "no window"])
def test_a_viewer_gets_the_overlays_that_it_does_not_draw(watched: Watched) -> None:
    plain, burnt = frame(50), frame(90)
    watched.stream.offer(replace(plain, overlaid=Overlaid(burnt.buffer, burnt.picture_hash)))
    shown = burnt if watched.stream.overlays else plain
    assert watched.next().picture_hash == shown.picture_hash
    watched.stream.offer(replace(shown, revision=2))  # without overlays now, and the same to see
    assert watched.next().kind is PacketKind.UNCHANGED
