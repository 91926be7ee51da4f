from __future__ import annotations

from queue import Queue

import pytest

from napari_cuda.client.decode import choice
from napari_cuda.client.decode.choice import FallbackPipeline, open_pipeline, probe_decoder
from napari_cuda.client.decode.emulated import Behaviour, PlaneSurface, emulated
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.pipeline import DecodePipeline, Outlets, PacketIntake
from napari_cuda.client.decode.pyav import PyAVPipeline
from napari_cuda.client.playout.lease import LeaseLedger
from napari_cuda.client.playout.picture import YuvPicture
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol.errors import StreamError
from streams import PacketSource, RecordingClient


def opened(name: choice.DecoderName) -> tuple[DecodePipeline, list[str]]:
    notices: list[str] = []
    outlets = Outlets(lambda *_: None, lambda _: None, lambda _: None, ClientMetrics())
    return open_pipeline(name, outlets, LeaseLedger(), notices.append), notices


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> object:
    """Let the named decoders be emulated ones."""

    def replace(**behaviours: Behaviour) -> None:
        monkeypatch.setattr(choice, "BACKENDS", {name: emulated(how) for name, how in behaviours.items()})

    return replace


def test_a_decoder_that_decodes_the_probe_is_usable() -> None:
    assert probe_decoder("emulated") == choice.DecoderProbe("emulated", usable=True)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (Behaviour(opens=False), "does not open"),
        (Behaviour(refuses=0), "refuses"),
        (Behaviour(loses=0), "lost its device"),
        (Behaviour(stalls=0, stalled_polls=1), "no picture within"),
    ],
)
def test_one_that_merely_opens_is_not(
    only: object, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour, reason: str
) -> None:
    assert callable(only)
    only(cuda=behaviour)
    monkeypatch.setattr(choice, "_PROBE_TIMEOUT_S", 0.001)
    probe = probe_decoder("cuda")
    assert not probe.usable
    assert reason in probe.reason
    assert "\n" not in probe.reason


def test_one_whose_pictures_cannot_be_had_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_surface: PlaneSurface) -> YuvPicture:
        raise StreamError("a decoded surface cannot be downloaded")

    monkeypatch.setattr(PlaneSurface, "planes", refuse)
    probe = probe_decoder("emulated")
    assert (probe.usable, probe.reason) == (False, "a decoded surface cannot be downloaded")


def test_automatic_takes_the_first_that_works(only: object) -> None:
    assert callable(only)
    only(videotoolbox=Behaviour(opens=False), cuda=Behaviour())
    pipeline, notices = opened("auto")
    assert pipeline.source is Source.VT
    assert not notices


def test_automatic_takes_software_without_a_word_if_nothing_works(only: object) -> None:
    assert callable(only)
    only(videotoolbox=Behaviour(opens=False), cuda=Behaviour(refuses=0))
    pipeline, notices = opened("auto")
    assert isinstance(pipeline, PyAVPipeline)
    assert not notices


def test_a_decoder_chosen_by_name_that_does_not_work_is_told_once(only: object) -> None:
    assert callable(only)
    only(cuda=Behaviour(opens=False))
    pipeline, notices = opened("cuda")
    assert isinstance(pipeline, PyAVPipeline)
    assert len(notices) == 1
    assert "cuda" in notices[0]
    assert "\n" not in notices[0]


@pytest.mark.parametrize(("name", "source"), [("pyav", Source.PYAV), ("emulated", Source.VT)])
def test_what_was_chosen_by_name(name: choice.DecoderName, source: Source) -> None:
    pipeline, notices = opened(name)
    assert pipeline.source is source
    assert not notices


@pytest.mark.parametrize("behaviour", [Behaviour(opens=False), Behaviour(refuses=0)])
def test_the_keyframe_that_failed_is_shown_by_software(behaviour: Behaviour) -> None:
    def build(client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
        return FallbackPipeline(intake, emulated(behaviour), client.ledger, "cuda", client.notices.append)

    client, server = RecordingClient(build), PacketSource()
    client.pipeline.start()
    client.submit(server.access_unit(), server.access_unit())
    assert client.next(2) == ["video 0", "video 1"]
    assert client.sources == [Source.PYAV] * 2
    assert client.pipeline.source is Source.PYAV
    assert client.counts["decoder_fallbacks"] == 1
    assert len(client.notices) == 1
    client.stop()


def test_after_a_failure_the_next_keyframe_is_shown_by_software() -> None:
    def build(client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
        return FallbackPipeline(intake, emulated(Behaviour(refuses=2)), client.ledger, "cuda", client.notices.append)

    client, server = RecordingClient(build), PacketSource()
    client.pipeline.start()
    client.submit(server.access_unit(), server.access_unit())
    assert client.next(2) == ["video 0", "video 1"]
    client.submit(server.access_unit(), server.access_unit(), server.unchanged(), server.access_unit(keyframe=True))
    assert client.next(2) == ["lost 2", "video 5"]
    assert client.sources == [Source.VT, Source.VT, Source.PYAV]
    assert client.notices == [
        "Decoding in software from now on: cuda failed (the emulated decoder refuses this access unit: it was told to)"
    ]
    client.stop()


def test_when_its_pictures_cannot_be_shown_software_goes_on() -> None:
    def build(client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
        return FallbackPipeline(intake, emulated(Behaviour()), client.ledger, "cuda", client.notices.append)

    client, server = RecordingClient(build), PacketSource()
    client.pipeline.start()
    client.submit(server.access_unit())
    assert client.next(1) == ["video 0"]
    for _ in range(2):  # once for every draw
        client.pipeline.give_up(StreamError("no such surface"))
    assert client.next(1) == ["lost 0"]
    client.submit(server.access_unit(), server.access_unit(keyframe=True))
    assert client.next(1) == ["video 2"]
    client.pipeline.give_up(StreamError("the last one of the hardware is still on screen"))
    client.submit(server.access_unit())
    assert client.next(1) == ["video 3"]
    assert client.sources == [Source.VT, Source.PYAV, Source.PYAV]
    assert client.notices == ["Decoding in software from now on: cuda failed (no such surface)"]
    client.stop()


def test_when_software_fails_too_the_user_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    notices: Queue[str] = Queue()
    outlets = Outlets(lambda *_: None, lambda _: None, lambda _: None, ClientMetrics())
    monkeypatch.setattr(H264Decoder, "decode", lambda *_, **__: 1 // 0)
    pipeline = open_pipeline("pyav", outlets, LeaseLedger(), notices.put)
    pipeline.start()
    pipeline.submit(*PacketSource().access_unit(), received_s=0.0)
    assert notices.get(timeout=10).startswith("No more pictures: software decoding failed (ZeroDivisionError")
    assert pipeline.stop(10)
