"""What is particular to software decoding; tests/contract/test_decode_pipelines.py has the rest."""

from __future__ import annotations

import pytest

from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.pipeline import DecodePipeline, PacketIntake
from napari_cuda.client.decode.pyav import PyAVPipeline
from napari_cuda.client.playout.picture import YuvPicture
from napari_cuda.client.playout.source_mux import Source
from streams import PacketSource, RecordingClient


def pyav(_client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
    return PyAVPipeline(intake)


def test_pictures_are_the_decoders_own_planes() -> None:
    client, server = RecordingClient(pyav), PacketSource()
    client.pipeline.start()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    picture = client.frames[0].picture
    assert isinstance(picture, YuvPicture)
    planes = (picture.y, picture.u, picture.v)
    assert [plane.shape[0] for plane in planes] == [48, 24, 24]  # 4:2:0 as coded: nothing was converted
    assert not any(plane.flags.owndata for plane in planes)  # nor copied
    assert client.sources == [Source.PYAV]
    client.stop()


def test_damage_costs_one_line_and_one_report(caplog: pytest.LogCaptureFixture) -> None:
    client, server = RecordingClient(pyav), PacketSource()
    client.pipeline.start()
    client.submit((server.access_unit()[0], b"damaged"), server.access_unit(), server.access_unit())
    client.submit(server.access_unit(keyframe=True))
    assert client.next(2) == ["lost 0", "video 3"]
    assert client.counts["decode_errors"] == 1
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["packet 0"]
    client.stop()


def test_a_lack_of_memory_costs_pictures_up_to_the_next_keyframe(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> YuvPicture:
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr(H264Decoder, "decode", fails)
    client, server = RecordingClient(pyav), PacketSource()
    client.pipeline.start()
    client.submit(server.access_unit(), server.access_unit(), server.access_unit(keyframe=True))
    assert client.next(2) == ["lost 0", "video 2"]
    client.stop()
