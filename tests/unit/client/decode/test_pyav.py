"""The pipeline on its real thread with real streams; every wait is for an event, never for time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from queue import Queue

import numpy as np
import pytest

from napari_cuda.client.decode.pyav import PyAVPipeline
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.picture import ExactPicture, YuvPicture
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import PacketFlag, PacketHeader, PacketKind
from napari_cuda.server.encode.h264 import H264Encoder
from napari_cuda.server.encode.still import encode_still
from pictures import Rgba, noisy_pan

SIZE = (64, 48)
Packet = tuple[PacketHeader, bytes]


class Server:
    """Makes the packets of one connection."""

    def __init__(self) -> None:
        self.seq = 0
        self.epoch = 1
        self.encoder = H264Encoder(SIZE, frame_rate=60)
        self.picture: Rgba = noisy_pan(1, SIZE)[0]

    def header(self, kind: PacketKind, *, keyframe: bool = False) -> PacketHeader:
        header = PacketHeader(
            kind=kind,
            seq=self.seq,
            epoch=self.epoch,
            revision=self.seq + 100,
            input_id=0,
            capture_time_us=0,
            canvas_size=SIZE,
            coded_size=SIZE,
            flags=PacketFlag.KEYFRAME if keyframe else PacketFlag.NONE,
            picture_hash=picture_hash(self.picture),
        )
        self.seq += 1
        return header

    def access_unit(self, *, keyframe: bool = False) -> Packet:
        self.picture = np.roll(self.picture, 2, axis=1)
        unit = self.encoder.encode(self.picture, keyframe=keyframe)
        return self.header(PacketKind.ACCESS_UNIT, keyframe=unit.keyframe), unit.data

    def still(self) -> Packet:
        return self.header(PacketKind.STILL), encode_still(self.picture)

    def unchanged(self) -> Packet:
        return self.header(PacketKind.UNCHANGED), b""

    def new_encoder(self) -> None:
        self.encoder = H264Encoder(SIZE, frame_rate=60)
        self.epoch += 1


class Client:
    """Records everything the pipeline does, in order, as short strings; `frames` are the pictures."""

    def __init__(self, *, capacity: int = 32) -> None:
        self.log: Queue[str] = Queue()
        self.frames: list[SubmittedFrame] = []
        self.counts: Counter[str] = Counter()
        self.observed: Counter[str] = Counter()
        self.may_present = threading.Event()
        self.may_present.set()
        self.now_s = 1000.0
        self.pipeline = PyAVPipeline(
            present=self._present,
            on_unchanged=lambda header: self.log.put(f"unchanged {header.seq}"),
            request_keyframe=lambda: self.log.put("request"),
            on_restarted=lambda: self.log.put("restarted"),
            metrics=self,
            clock=lambda: self.now_s,
            capacity=capacity,
        )

    def _present(self, frame: SubmittedFrame) -> None:
        self.frames.append(frame)
        kind = "exact" if isinstance(frame.picture, ExactPicture) else "video"
        self.log.put(f"{kind} {frame.header.seq}")
        assert self.may_present.wait(10)

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] += n

    def observe(self, name: str, seconds: float) -> None:
        self.observed[name] += 1

    def submit(self, *packets: Packet) -> None:
        for header, payload in packets:
            self.pipeline.submit(header, payload, self.now_s)

    def next(self, count: int) -> list[str]:
        return [self.log.get(timeout=10) for _ in range(count)]

    def nothing_more(self, server: Server) -> bool:
        """True if all that was submitted has been handled and logged: a still comes out right next."""
        header, payload = server.still()
        self.submit((header, payload))
        return self.next(1) == [f"exact {header.seq}"]


@pytest.fixture
def client() -> Iterator[Client]:
    yield from running(Client())


@pytest.fixture
def small_client() -> Iterator[Client]:
    yield from running(Client(capacity=4))


def running(client: Client) -> Iterator[Client]:
    client.pipeline.start()
    yield client
    client.may_present.set()
    assert client.pipeline.stop(10)


def test_everything_comes_out_in_order(client: Client) -> None:
    server = Server()
    kinds = [server.access_unit, server.access_unit, server.still, server.unchanged, server.access_unit]
    client.submit(*(make() for make in kinds))
    assert client.next(5) == ["video 0", "video 1", "exact 2", "unchanged 3", "video 4"]
    video, exact = client.frames[0], client.frames[2]
    assert isinstance(video.picture, YuvPicture)
    assert video.picture.y.shape[0] == SIZE[1]
    assert (video.due_s, video.received_s, video.decoded_s) == (1000.0, 1000.0, 1000.0)
    assert isinstance(exact.picture, ExactPicture)
    assert picture_hash(exact.picture.rgba) == exact.header.picture_hash
    assert client.counts == {"pictures_decoded": 4}
    assert client.observed == {"decode_wait": 5, "decode": 3, "decode_still": 1}


def test_damage_asks_once_and_goes_on_at_the_next_keyframe(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    first = server.access_unit()
    header, data = server.access_unit()
    deltas = [server.access_unit() for _ in range(5)]
    stale = server.unchanged()
    client.submit(first, (header, data[: len(data) // 2]), *deltas, stale)
    client.submit(server.access_unit(keyframe=True), server.access_unit())
    assert client.next(4) == ["video 0", "request", "video 8", "video 9"]
    assert client.counts["decode_errors"] == 1
    assert client.counts["packets_dropped"] == 6
    assert len(caplog.records) == 1
    assert "packet 1" in caplog.text


def test_an_unanswered_request_is_repeated_later(client: Client) -> None:
    server = Server()
    client.submit((server.access_unit()[0], b"damaged"), server.access_unit())
    assert client.next(1) == ["request"]
    assert client.nothing_more(server)
    client.now_s += 1.0
    client.submit(server.access_unit(), server.access_unit())
    assert client.next(1) == ["request"]
    assert client.nothing_more(server)


def test_a_picture_of_another_size_than_announced_is_damage(client: Client) -> None:
    server = Server()
    server.encoder = H264Encoder((48, 48), frame_rate=60)
    server.picture = noisy_pan(1, (48, 48))[0]
    client.submit(server.access_unit())
    assert client.next(1) == ["request"]


def test_after_a_damaged_still_a_new_picture_is_asked_for(client: Client) -> None:
    """The server counts it as shown, and would call the next revision unchanged."""
    server = Server()
    client.submit(server.access_unit())
    header, png = server.still()
    client.submit((header, png[: len(png) // 2]), server.unchanged(), server.access_unit(keyframe=True))
    assert client.next(3) == ["video 0", "request", "video 3"]
    assert client.counts["decode_errors"] == 1
    assert client.nothing_more(server)


def test_a_damaged_still_is_not_held(client: Client) -> None:
    server = Server()
    header, png = server.still()
    client.submit((header, png[: len(png) // 2]), server.unchanged())
    assert client.next(1) == ["request"]  # instead of claiming that nothing changed


def test_overflow_drops_what_waits_and_goes_on_at_a_keyframe(small_client: Client) -> None:
    client, server = small_client, Server()
    client.may_present.clear()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]  # and now the decoder is held up
    client.submit(*(server.access_unit() for _ in range(5)))  # 1 to 4 wait, 5 is too many
    assert client.counts["decode_queue_overflows"] == 1
    assert client.counts["packets_dropped"] == 4
    client.submit(server.access_unit(keyframe=True), server.access_unit())
    client.may_present.set()
    assert client.next(3) == ["request", "video 6", "video 7"]
    assert client.counts["packets_dropped"] == 5


def test_overflow_by_a_keyframe_needs_no_request(small_client: Client) -> None:
    client, server = small_client, Server()
    client.may_present.clear()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    client.submit(*(server.access_unit() for _ in range(4)), server.access_unit(keyframe=True))
    client.may_present.set()
    assert client.next(1) == ["video 5"]
    assert client.nothing_more(server)


def test_what_waits_is_bounded(small_client: Client) -> None:
    client, server = small_client, Server()
    client.may_present.clear()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    client.submit(*(server.access_unit() for _ in range(400)))
    client.may_present.set()
    assert client.next(1) == ["request"]
    assert client.nothing_more(server)
    assert client.counts["packets_dropped"] == 400


def test_a_new_epoch_gets_a_new_decoder(client: Client) -> None:
    server = Server()
    client.submit(server.access_unit(), server.access_unit())
    server.new_encoder()
    header, data = server.access_unit()
    assert header.keyframe
    client.submit((header, data), server.access_unit())
    assert client.next(4) == ["video 0", "video 1", "video 2", "video 3"]


def test_a_delta_of_a_new_epoch_is_not_fed_to_the_old_decoder(client: Client) -> None:
    server = Server()
    client.submit(server.access_unit())
    server.epoch += 1
    client.submit(server.access_unit())
    assert client.next(2) == ["video 0", "request"]
    assert client.counts["decode_errors"] == 0


def test_a_reconnect_drops_what_waits_and_is_announced_before_the_new_pictures(client: Client) -> None:
    old, new = Server(), Server()
    client.may_present.clear()
    client.submit(old.access_unit())
    assert client.next(1) == ["video 0"]
    client.submit(old.access_unit(), old.access_unit())
    client.pipeline.on_reconnect()
    client.submit(new.access_unit(), new.access_unit())
    client.may_present.set()
    assert client.next(3) == ["restarted", "video 0", "video 1"]


def test_an_overflow_does_not_swallow_a_reconnect(small_client: Client) -> None:
    client, old, new = small_client, Server(), Server()
    client.may_present.clear()
    client.submit(old.access_unit())
    assert client.next(1) == ["video 0"]
    client.pipeline.on_reconnect()
    client.submit(*(new.access_unit() for _ in range(4)))
    client.may_present.set()
    assert client.next(2) == ["restarted", "request"]


def test_stopping_with_packets_waiting() -> None:
    server, client = Server(), Client()
    client.submit(*(server.access_unit() for _ in range(5)))
    client.pipeline.start()
    assert client.pipeline.stop(10)


def test_stopping_before_starting_is_no_error() -> None:
    assert Client().pipeline.stop(10)
