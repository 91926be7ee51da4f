"""What is particular to VTPipeline; tests/contract/test_decode_pipelines.py has what all pipelines share."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from queue import Queue

import pytest

from napari_cuda.client.decode.emulated import Behaviour, EmulatedDecoder, emulated
from napari_cuda.client.decode.live import (
    DecodeFailedError,
    DecoderConfig,
    DecoderFactory,
    DecoderStalledError,
    DecoderUnavailableError,
    LiveDecoder,
)
from napari_cuda.client.decode.pipeline import DecodePipeline, PacketIntake
from napari_cuda.client.decode.vt import STALLED_POLLS, VTPipeline
from napari_cuda.client.playout.lease import FrameLease, LeaseRole
from napari_cuda.client.playout.surface import Surface
from streams import PacketSource, RecordingClient


class Bench:
    """A VTPipeline whose failure is recorded, and the configurations its decoders were opened with."""

    def __init__(self, behaviour: Behaviour | None = None, *, length_size: int = 4) -> None:
        self.opened: list[DecoderConfig] = []
        self.failures: list[Exception] = []
        self.failed = threading.Event()
        self.factory = emulated(behaviour)
        self.length_size = length_size
        self.client = RecordingClient(self.build)

    def build(self, client: RecordingClient, intake: PacketIntake) -> DecodePipeline:
        return VTPipeline(intake, self.open, client.ledger, self.fail, length_size=self.length_size, poll_s=0.001)

    def open(self, config: DecoderConfig) -> LiveDecoder:
        self.opened.append(config)
        return self.factory(config)

    def fail(self, error: Exception) -> None:
        self.failures.append(error)
        self.failed.set()

    def failure(self) -> Exception:
        assert self.failed.wait(10)
        return self.failures[0]


@pytest.fixture
def start() -> Iterator[DecoderFactory]:
    benches: list[Bench] = []

    def started(behaviour: Behaviour | None = None, *, length_size: int = 4) -> Bench:
        benches.append(Bench(behaviour, length_size=length_size))
        benches[-1].client.pipeline.start()
        return benches[-1]

    yield started  # type: ignore[misc]
    for bench in benches:
        bench.client.stop()
        assert len(bench.failures) <= 1


def test_the_presenter_holds_what_it_is_given_and_nobody_else(start: type[Bench]) -> None:
    bench, server = start(), PacketSource()
    bench.client.submit(server.access_unit())
    assert bench.client.next(1) == ["video 0"]
    bench.client.submit(server.still())
    assert bench.client.next(1) == ["exact 1"]  # by now the first was let go of by the pipeline
    lease = bench.client.frames[0].picture
    assert isinstance(lease, FrameLease)
    assert {role: lease.held(role) for role in LeaseRole if lease.held(role)} == {LeaseRole.PRESENTER: 1}


def test_other_parameter_sets_get_another_decoder(start: type[Bench]) -> None:
    bench, server = start(), PacketSource()
    bench.client.submit(server.access_unit(), server.access_unit(keyframe=True))
    assert bench.client.next(2) == ["video 0", "video 1"]
    larger = PacketSource((80, 64))
    larger.seq = server.seq
    bench.client.submit(larger.access_unit(), larger.access_unit())
    assert bench.client.next(2) == ["video 2", "video 3"]
    assert [config.coded_size for config in bench.opened] == [(64, 48), (80, 64)]


@pytest.mark.parametrize("length_size", [2, 4])
def test_the_record_announces_the_length_size(start: type[Bench], length_size: int) -> None:
    bench, server = start(length_size=length_size), PacketSource()
    bench.client.submit(server.access_unit(), server.access_unit())
    assert bench.client.next(2) == ["video 0", "video 1"]
    assert bench.opened[0].record[4] & 3 == length_size - 1


def test_a_new_epoch_drops_what_is_under_way_and_releases_it(start: type[Bench]) -> None:
    bench, server = start(Behaviour(stalls=1, stalled_polls=STALLED_POLLS // 2)), PacketSource()
    bench.client.may_present.clear()
    bench.client.submit(server.access_unit())
    assert bench.client.next(1) == ["video 0"]  # the drain worker is held up, 1 and 2 are under way
    bench.client.submit(server.access_unit(), server.access_unit())
    server.new_encoder()
    bench.client.submit(server.access_unit())
    bench.client.may_present.set()
    said = bench.client.next(1)
    while said[-1] != "video 3":
        said += bench.client.next(1)
    assert bench.client.ledger.live <= len(bench.client.frames)


def test_when_all_surfaces_are_out_it_waits_and_does_not_fail(start: type[Bench]) -> None:
    bench, server = start(Behaviour(surfaces=2)), PacketSource()
    bench.client.submit(*(server.access_unit() for _ in range(4)))
    assert bench.client.next(2) == ["video 0", "video 1"]
    assert not bench.failed.wait(3 * STALLED_POLLS * 0.001)
    bench.client.let_go()
    assert bench.client.next(2) == ["video 2", "video 3"]


@pytest.mark.parametrize(
    ("behaviour", "error", "said"),
    [
        # The keyframe for which the decoder failed is left for the next pipeline.
        pytest.param(Behaviour(opens=False), DecoderUnavailableError, [], id="does not open"),
        pytest.param(Behaviour(refuses=0), DecodeFailedError, [], id="refuses the keyframe"),
        pytest.param(Behaviour(refuses=1), DecodeFailedError, ["video 0", "lost 1"], id="refuses a delta"),
    ],
)
def test_a_failure_in_submit_is_reported_once(
    start: type[Bench], behaviour: Behaviour, error: type[Exception], said: list[str]
) -> None:
    bench, server = start(behaviour), PacketSource()
    bench.client.submit(server.access_unit())
    if said:
        assert bench.client.next(1) == said[:1]
    bench.client.submit(server.access_unit())
    assert isinstance(bench.failure(), error)
    assert bench.client.next(len(said) - 1) == said[1:] if said else bench.client.log.empty()


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        pytest.param(Behaviour(loses=1), DecodeFailedError, id="loses its device"),
        pytest.param(Behaviour(stalls=1, stalled_polls=10**9), DecoderStalledError, id="stalls"),
    ],
)
def test_a_failure_in_poll_loses_what_was_under_way(
    start: type[Bench], behaviour: Behaviour, error: type[Exception]
) -> None:
    bench, server = start(behaviour), PacketSource()
    bench.client.submit(server.access_unit())
    assert bench.client.next(1) == ["video 0"]
    bench.client.submit(server.access_unit())
    assert isinstance(bench.failure(), error)
    assert bench.client.next(1) == ["lost 1"]


def test_a_short_stall_is_no_failure(start: type[Bench]) -> None:
    bench, server = start(Behaviour(stalls=1, stalled_polls=STALLED_POLLS - 1)), PacketSource()
    bench.client.submit(server.access_unit(), server.access_unit(), server.access_unit())
    assert bench.client.next(3) == ["video 0", "video 1", "video 2"]
    assert not bench.failures


def test_only_polls_for_one_access_unit_are_a_stall(start: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    polls, given, almost_stalled = itertools.count(1), Queue[str](), threading.Event()
    poll = EmulatedDecoder.poll

    def slow(decoder: EmulatedDecoder, timeout_s: float) -> Surface | None:
        number = next(polls)
        if number > STALLED_POLLS:
            return poll(decoder, timeout_s)
        if number == STALLED_POLLS:
            almost_stalled.set()
        if number in (1, STALLED_POLLS):  # from here on the decoder has the first one, and then the other
            given.get(timeout=10)
        return None

    monkeypatch.setattr(EmulatedDecoder, "poll", slow)
    bench, server = start(), PacketSource()
    monkeypatch.setattr(bench.client, "observe", lambda name, _seconds: name == "submit" and given.put(name))
    bench.client.submit(server.access_unit())
    assert almost_stalled.wait(10)
    server.new_encoder()
    bench.client.submit(server.access_unit())
    assert bench.client.next(1) == ["video 1"]
    assert not bench.failures


@pytest.mark.parametrize("method", ["submit", "poll"])
def test_a_bug_is_a_failure_too(start: type[Bench], monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setattr(EmulatedDecoder, method, lambda *_, **__: 1 // 0)
    bench, server = start(), PacketSource()
    bench.client.submit(server.access_unit())
    assert isinstance(bench.failure(), ZeroDivisionError)
    assert bench.client.next(1) == ["lost 0"]
