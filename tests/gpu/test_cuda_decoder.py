"""NVDEC on a real GPU: what it adds to tests/contract/test_live_decoders.py, which runs there too."""

from __future__ import annotations

import pytest

from napari_cuda.client.decode.choice import FallbackPipeline, open_pipeline, probe_decoder
from napari_cuda.client.decode.cuda import open_cuda
from napari_cuda.client.decode.pipeline import DecodePipeline, Outlets, PacketIntake
from napari_cuda.client.playout.lease import FrameLease, LeaseLedger
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.client.playout.surface import SurfaceKind
from napari_cuda.client.telemetry import ClientMetrics
from streams import PacketSource, RecordingClient, planes_of

pytestmark = pytest.mark.gpu


def cuda(client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
    return FallbackPipeline(intake, open_cuda, client.ledger, "cuda", client.notices.append)


def test_it_is_found() -> None:
    probe = probe_decoder("cuda")
    assert probe.usable, probe.reason


def test_it_is_what_auto_takes() -> None:
    notices: list[str] = []
    outlets = Outlets(lambda *_: None, lambda _: None, lambda _: None, ClientMetrics())
    assert open_pipeline("auto", outlets, LeaseLedger(), notices.append).source is Source.VT
    assert not notices


def test_pictures_stay_on_the_gpu_until_they_are_asked_for() -> None:
    client, server = RecordingClient(cuda), PacketSource((320, 240))
    client.pipeline.start()
    client.submit(*(server.access_unit() for _ in range(8)))
    assert client.next(8) == [f"video {seq}" for seq in range(8)]
    assert not client.notices
    for frame in client.frames:
        assert isinstance(frame.picture, FrameLease)
        surface = frame.picture.surface
        assert surface.kind is SurfaceKind.CUDA
        assert surface.handle != 0
        assert planes_of(frame).y.shape[0] == 240
    client.stop()
