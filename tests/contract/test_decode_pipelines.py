"""What every decode pipeline promises, on its real threads with real streams; every wait is for an event."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from napari_cuda.client.decode.choice import FallbackPipeline
from napari_cuda.client.decode.emulated import Behaviour, emulated
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.pipeline import DecodePipeline, PacketIntake
from napari_cuda.client.decode.pyav import PyAVPipeline
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.server.encode.h264 import H264Encoder
from pictures import noisy_pan
from streams import PacketSource, RecordingClient, planes_of


def pyav(_client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
    return PyAVPipeline(intake)


def hardware(client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
    return FallbackPipeline(intake, emulated(), client.ledger, "emulated", client.notices.append)


def reordering(client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
    decoder = emulated(Behaviour(reorder=2, delay_s=0.001))
    return FallbackPipeline(intake, decoder, client.ledger, "emulated", client.notices.append)


def opens_never(client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
    decoder = emulated(Behaviour(opens=False))
    return FallbackPipeline(intake, decoder, client.ledger, "emulated", client.notices.append)


@pytest.fixture(params=[pyav, hardware, reordering, opens_never], ids=lambda build: build.__name__)
def client(request: pytest.FixtureRequest) -> Iterator[RecordingClient]:
    client = RecordingClient(request.param)
    client.pipeline.start()
    yield client
    client.stop()


@pytest.fixture(params=[pyav, hardware], ids=lambda build: build.__name__)
def small_client(request: pytest.FixtureRequest) -> Iterator[RecordingClient]:
    client = RecordingClient(request.param, capacity=4)
    client.pipeline.start()
    yield client
    client.stop()


def test_everything_comes_out_in_order(client: RecordingClient) -> None:
    server = PacketSource()
    kinds = [server.access_unit, server.access_unit, server.still, server.unchanged, server.access_unit]
    packets = [make() for make in kinds]
    client.submit(*packets)
    assert client.next(5) == ["video 0", "video 1", "exact 2", "unchanged 3", "video 4"]
    video, exact = client.frames[0], client.frames[2]
    assert (video.due_s, video.received_s, video.decoded_s) == (1000.0, 1000.0, 1000.0)
    assert isinstance(exact.picture, ExactPicture)
    assert picture_hash(exact.picture.rgba) == exact.header.picture_hash
    assert client.counts["pictures_decoded"] == 4
    assert client.counts["packets_dropped"] == 0
    assert {name: client.observed[name] for name in ("decode", "decode_still")} == {"decode": 3, "decode_still": 1}
    reference = H264Decoder()
    for frame, (_, data) in zip(
        [client.frames[at] for at in (0, 1, 3)], [packets[at] for at in (0, 1, 4)], strict=True
    ):
        assert np.array_equal(planes_of(frame).y[:48, :64], reference.decode(data).y[:48, :64])


def test_a_still_in_parts_is_read_as_it_comes_and_shown_with_the_last(client: RecordingClient) -> None:
    server = PacketSource()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    parts = server.still_in_parts()
    assert len(parts) > 3
    client.submit(*parts)
    assert client.next(len(parts)) == [*(f"part {seq}" for seq in range(1, len(parts))), f"exact {len(parts)}"]
    assert isinstance(client.frames[1].picture, ExactPicture)
    assert np.array_equal(client.frames[1].picture.rgba, server.picture)
    client.submit(server.unchanged(), server.access_unit())
    assert client.next(2) == [f"unchanged {len(parts) + 1}", f"video {len(parts) + 2}"]


def test_a_still_that_something_newer_ends_is_not_shown_and_harms_nothing(client: RecordingClient) -> None:
    server = PacketSource()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    client.submit(*server.still_in_parts()[:2])
    assert client.next(2) == ["part 1", "part 2"]
    server.seq = 3
    client.submit(server.access_unit())
    assert client.next(1) == ["video 3"]
    parts = server.still_in_parts()
    client.submit(*parts)
    assert client.next(len(parts))[-1] == f"exact {parts[-1][0].seq}"


def test_parts_without_those_before_ask_for_a_keyframe(client: RecordingClient) -> None:
    server = PacketSource()
    client.submit(server.access_unit(keyframe=True))
    assert client.next(1) == ["video 0"]
    parts = server.still_in_parts()
    client.submit(*parts[1:], server.unchanged())
    client.submit(server.access_unit(keyframe=True))
    assert client.next(2) == ["lost 2", f"video {len(parts) + 2}"]


def test_a_long_stream_keeps_its_order(client: RecordingClient) -> None:
    server = PacketSource()
    said = []
    for index in range(90):
        make = (server.access_unit, server.access_unit, server.unchanged)[index % 3]
        client.submit(make())
        if index % 9 == 8:
            said += client.next(9)
            client.let_go()
    assert said == [f"{'unchanged' if index % 3 == 2 else 'video'} {index}" for index in range(90)]


def test_a_damaged_delta_is_made_good_by_the_next_keyframe(client: RecordingClient) -> None:
    server = PacketSource()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    header, data = server.access_unit()
    deltas = [server.access_unit() for _ in range(5)]
    stale = server.unchanged()
    client.submit((header, data[: len(data) // 2]), *deltas, stale)
    client.submit(server.access_unit(keyframe=True), server.access_unit())
    assert client.next(3) == ["lost 1", "video 8", "video 9"]
    assert client.counts["dropped_undecodable"] == 6


def test_what_the_gate_admits_after_a_loss_is_another_epoch_and_stands_alone(client: RecordingClient) -> None:
    server = PacketSource()
    client.submit((server.access_unit()[0], b"damaged"), server.still(), server.unchanged())
    server.epoch += 1
    client.submit(server.still(), server.unchanged())
    assert client.next(3) == ["lost 0", "exact 3", "unchanged 4"]
    assert client.counts["packets_dropped"] == 2


def test_a_picture_of_another_size_than_announced_is_damage(client: RecordingClient) -> None:
    server = PacketSource()
    server.encoder = H264Encoder((48, 48), frame_rate=60)
    server.picture = noisy_pan(1, (48, 48))[0]
    client.submit(server.access_unit())
    assert client.next(1) == ["lost 0"]


def test_after_a_damaged_still_a_new_picture_is_asked_for(client: RecordingClient) -> None:
    """The server counts it as shown, and would call the next revision unchanged."""
    server = PacketSource()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    header, png = server.still()
    client.submit((header, png[: len(png) // 2]), server.unchanged(), server.access_unit(keyframe=True))
    assert client.next(2) == ["lost 1", "video 3"]
    assert client.counts["decode_errors"] == 1
    assert client.nothing_more(server)


def test_overflow_drops_what_waits_and_goes_on_at_a_keyframe(small_client: RecordingClient) -> None:
    client, server = small_client, PacketSource()
    client.may_present.clear()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]  # and now the decoder is held up
    client.submit(*(server.access_unit() for _ in range(42)))
    assert client.counts["decode_queue_overflows"] == 10
    assert client.counts["dropped_overflow"] == 40
    client.submit(server.access_unit(keyframe=True), server.access_unit())
    client.may_present.set()
    said = client.next(1)
    while said[-1] != "video 44":
        said += client.next(1)
    assert said[-2] == "video 43"
    assert said[-3].startswith("lost")


def test_overflow_by_a_keyframe_needs_no_request(small_client: RecordingClient) -> None:
    client, server = small_client, PacketSource()
    client.may_present.clear()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    client.submit(*(server.access_unit(keyframe=True) for _ in range(9)))
    client.may_present.set()
    said = client.next(1)
    while said[-1] != "video 9":
        said += client.next(1)
    assert not any(line.startswith("lost") for line in said)


def test_a_new_epoch_gets_a_new_decoder(client: RecordingClient) -> None:
    server = PacketSource()
    client.submit(server.access_unit(), server.access_unit())
    assert client.next(2) == ["video 0", "video 1"]
    server.new_encoder()
    header, data = server.access_unit()
    assert header.keyframe
    client.submit((header, data), server.access_unit())
    assert client.next(2) == ["video 2", "video 3"]


def test_a_delta_of_a_new_epoch_is_not_fed_to_the_old_decoder(client: RecordingClient) -> None:
    server = PacketSource()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    server.epoch += 1
    client.submit(server.access_unit())
    assert client.next(1) == ["lost 1"]
    assert client.counts["decode_errors"] == 0


def test_a_reconnect_drops_what_waits_and_is_announced_before_the_new_pictures(client: RecordingClient) -> None:
    old, new = PacketSource(), PacketSource()
    client.may_present.clear()
    client.submit(old.access_unit())
    assert client.next(1) == ["video 0"]
    client.submit(old.access_unit(), old.access_unit())
    client.pipeline.on_reconnect()
    client.submit(new.access_unit(), new.access_unit())
    client.may_present.set()
    said = client.next(1)
    while said[-1] != "restarted":
        said += client.next(1)
    assert client.next(2) == ["video 0", "video 1"]


def test_an_overflow_does_not_swallow_a_reconnect(small_client: RecordingClient) -> None:
    client, old, new = small_client, PacketSource(), PacketSource()
    client.may_present.clear()
    client.submit(old.access_unit())
    assert client.next(1) == ["video 0"]
    client.pipeline.on_reconnect()
    client.submit(*(new.access_unit() for _ in range(40)))
    client.may_present.set()
    assert client.next(1) == ["restarted"]


@pytest.mark.parametrize("build", [pyav, hardware, reordering, opens_never])
def test_stopping_with_packets_waiting(build: object) -> None:
    assert callable(build)
    server, client = PacketSource(), RecordingClient(build)
    client.submit(*(server.access_unit() for _ in range(5)))
    client.pipeline.start()
    client.stop()


@pytest.mark.parametrize("build", [pyav, hardware, reordering])
def test_stopping_before_starting_is_no_error(build: object) -> None:
    assert callable(build)
    RecordingClient(build).stop()


def test_the_pictures_name_their_source() -> None:
    server, client = PacketSource(), RecordingClient(hardware)
    client.pipeline.start()
    client.submit(server.access_unit(), server.still())
    assert client.next(2) == ["video 0", "exact 1"]
    assert client.sources == [Source.VT, Source.VT] == [client.pipeline.source] * 2
    client.stop()
