from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from decoded import Decoder, held_roles
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import LeaseRole
from napari_cuda.client.playout.presenter import FixedLatencyPresenter, follows
from napari_cuda.client.playout.source_mux import Source, SourceMux

VT, PYAV = Source.VT, Source.PYAV


class Screen:
    """Takes what the presenter has, as the window does."""

    def __init__(self) -> None:
        self.presenter = FixedLatencyPresenter()
        self.mux = SourceMux(self.presenter, VT)
        self.decoder = Decoder()
        self.shown: list[SubmittedFrame] = []

    def frame(self, seq: int, epoch: int = 1) -> SubmittedFrame:
        return self.decoder.frame(seq, epoch=epoch)

    def take(self) -> int | None:
        """Show what is due and return its seq."""
        frame = self.presenter.take_due(1.0)
        if frame is None:
            return None
        frame.acquire(LeaseRole.RENDERER)
        frame.release(LeaseRole.PRESENTER)
        if self.shown:
            self.shown[-1].release(LeaseRole.RENDERER)
        self.shown.append(frame)
        return frame.header.seq

    def end(self) -> None:
        self.mux.close()
        if self.shown:
            self.shown[-1].release(LeaseRole.RENDERER)


@pytest.fixture
def screen() -> Screen:
    return Screen()


def test_the_active_source_presents_and_the_other_is_kept_warm(screen: Screen) -> None:
    ours, other = screen.frame(5), screen.frame(6)
    assert screen.mux.submit(VT, ours, 0.0)
    assert not screen.mux.submit(PYAV, other, 0.0)
    assert held_roles([ours, other]) == [{"presenter": 1}, {"cache": 1}]
    assert screen.take() == 5
    assert screen.take() is None


def test_only_the_newest_is_kept(screen: Screen) -> None:
    frames = [screen.frame(seq) for seq in (3, 4, 2)]
    for frame in frames:
        screen.mux.submit(PYAV, frame, 0.0)
    assert held_roles(frames) == [{}, {"cache": 1}, {}]


def test_switching_shows_what_was_kept_if_it_is_newer(screen: Screen) -> None:
    screen.mux.submit(VT, screen.frame(5), 0.0)
    assert screen.take() == 5
    screen.mux.submit(PYAV, screen.frame(6), 0.0)
    assert screen.mux.switch(PYAV, 0.0)
    assert screen.mux.active is PYAV
    assert screen.take() == 6
    screen.end()
    assert screen.decoder.all_given_back()


def test_switching_never_goes_back_in_time(screen: Screen) -> None:
    """The other source lags behind: nothing of it is shown until it has caught up."""
    screen.mux.submit(VT, screen.frame(5), 0.0)
    assert screen.take() == 5
    screen.mux.submit(PYAV, screen.frame(3), 0.0)
    assert not screen.mux.switch(PYAV, 0.0)
    assert [screen.mux.submit(PYAV, screen.frame(seq), 0.0) for seq in (4, 5, 6)] == [False, False, True]
    assert screen.take() == 6
    screen.end()
    assert screen.decoder.all_given_back()


def test_what_was_kept_of_an_older_connection_is_not_shown_after_it(screen: Screen) -> None:
    screen.mux.submit(PYAV, screen.frame(900, epoch=1), 0.0)
    screen.mux.submit(VT, screen.frame(0, epoch=2), 0.0)
    assert screen.take() == 0
    assert not screen.mux.switch(PYAV, 0.0)
    assert screen.take() is None


def test_what_waits_of_the_source_before_is_still_good(screen: Screen) -> None:
    screen.mux.submit(VT, screen.frame(5), 0.0)
    screen.mux.switch(PYAV, 0.0)
    assert screen.take() == 5


def test_switching_to_the_active_source_changes_nothing(screen: Screen) -> None:
    screen.mux.submit(PYAV, screen.frame(6), 0.0)
    assert not screen.mux.switch(VT, 0.0)
    assert screen.mux.switch(PYAV, 0.0)


def test_after_the_end_everything_is_let_go_whoever_still_submits(screen: Screen) -> None:
    screen.mux.submit(VT, screen.frame(5), 0.0)
    screen.mux.submit(PYAV, screen.frame(6), 0.0)
    screen.mux.close()
    assert screen.decoder.all_given_back()
    assert not screen.mux.submit(VT, screen.frame(7), 0.0)
    assert not screen.mux.submit(PYAV, screen.frame(8), 0.0)
    assert screen.decoder.all_given_back()


@settings(max_examples=60, stateful_step_count=40)
class TwoSources(RuleBasedStateMachine):
    """Two sources, each in order but at its own pace, switched at random."""

    def __init__(self) -> None:
        super().__init__()
        self.screen = Screen()
        self.next = {VT: 0, PYAV: 0}

    @rule(source=st.sampled_from(Source), skip=st.integers(0, 3))
    def decode(self, source: Source, skip: int) -> None:
        index = self.next[source] + skip
        self.next[source] = index + 1
        # Every tenth picture begins a connection, whose seq counts from anew.
        self.screen.mux.submit(source, self.screen.frame(index % 10, epoch=index // 10), 0.0)

    @rule(source=st.sampled_from(Source))
    def switch(self, source: Source) -> None:
        self.screen.mux.switch(source, 0.0)

    @rule()
    def take(self) -> None:
        self.screen.take()

    @invariant()
    def only_forward(self) -> None:
        shown = [frame.header for frame in self.screen.shown[-2:]]
        assert all(follows(later, earlier) for earlier, later in pairwise(shown))

    @invariant()
    def few_are_held(self) -> None:
        assert self.screen.decoder.ledger.live <= 3, "one waits, one is kept, one is on screen"

    def teardown(self) -> None:
        self.screen.end()
        assert self.screen.decoder.all_given_back()


TestTwoSources = TwoSources.TestCase


def test_two_decode_threads_a_taker_and_a_switcher_leave_nothing_behind(screen: Screen) -> None:
    done = threading.Event()
    decoders = [Decoder(), Decoder()]

    def decode(source: Source, decoder: Decoder) -> None:
        for seq in range(3000):
            screen.mux.submit(source, decoder.frame(seq), 0.0)

    def until_done(step: Callable[[], object]) -> None:
        while not done.is_set():
            step()

    chance = random.Random(7)
    with ThreadPoolExecutor(4) as pool:
        consumers = [
            pool.submit(until_done, screen.take),
            pool.submit(until_done, lambda: screen.mux.switch(chance.choice([VT, PYAV]), 0.0)),
        ]
        try:
            for work in [pool.submit(decode, *each) for each in zip(Source, decoders, strict=True)]:
                work.result(60)
        finally:
            done.set()
        for consumer in consumers:
            consumer.result(10)
    while screen.take() is not None:
        pass
    seqs = [frame.header.seq for frame in screen.shown]
    assert seqs == sorted(set(seqs))
    screen.end()
    assert all(decoder.all_given_back() for decoder in decoders)
