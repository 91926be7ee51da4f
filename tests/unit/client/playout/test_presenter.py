from __future__ import annotations

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from decoded import Decoder, held_roles
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import LeaseRole
from napari_cuda.client.playout.presenter import FixedLatencyPresenter, PlayoutMode, follows
from napari_cuda.protocol.packet import PacketFlag, PacketKind

LATEST, FIXED = PlayoutMode.LATEST, PlayoutMode.FIXED


def fixed(latency_s: float = 0.1, frame_rate: float = 30.0) -> FixedLatencyPresenter:
    presenter = FixedLatencyPresenter(latency_s=latency_s, frame_rate=frame_rate)
    presenter.set_mode(FIXED)
    return presenter


def submit_all(presenter: FixedLatencyPresenter, *frames: SubmittedFrame) -> list[bool]:
    """Submit each frame when it was decoded."""
    return [presenter.submit(frame, frame.decoded_s) for frame in frames]


def taken(presenter: FixedLatencyPresenter, now_s: float) -> tuple[int, int] | None:
    """Take what is due, let go of it, and return its (epoch, seq)."""
    frame = presenter.take_due(now_s)
    if frame is None:
        return None
    assert frame.due_s <= now_s
    frame.release(LeaseRole.PRESENTER)
    return frame.header.epoch, frame.header.seq


# --- latest ---------------------------------------------------------------------------------


def test_nothing_submitted_nothing_due() -> None:
    presenter = FixedLatencyPresenter()
    assert presenter.mode is LATEST
    assert presenter.take_due(0.0) is None
    assert presenter.next_due_s() is None


def test_the_newest_is_shown_at_once_and_only_once() -> None:
    presenter, decoder = FixedLatencyPresenter(), Decoder()
    for seq in range(100):
        assert submit_all(presenter, decoder.frame(seq, received_s=5.0 + seq, decode_s=0.25)) == [True]
        assert presenter.depth == presenter.capacity == 1
    assert presenter.next_due_s() == 104.25
    assert taken(presenter, 104.25) == (1, 99)
    assert presenter.skipped == 99
    assert presenter.take_due(1e9) is None
    assert presenter.next_due_s() is None
    assert decoder.all_given_back()


@pytest.mark.parametrize("mode", PlayoutMode)
@pytest.mark.parametrize("is_taken", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "accepted"),
    [
        ((1, 5), (1, 6), True),
        ((1, 5), (1, 5), False),
        ((1, 5), (1, 4), False),
        ((1, 5), (2, 0), True),
        ((2, 5), (1, 6), False),
        ((1, 2**32 - 1), (1, 0), True),
        ((1, 0), (1, 2**32 - 1), False),
    ],
)
def test_time_never_runs_backwards(
    first: tuple[int, int], second: tuple[int, int], accepted: bool, is_taken: bool, mode: PlayoutMode
) -> None:
    presenter, decoder = FixedLatencyPresenter(), Decoder()
    presenter.set_mode(mode)
    submit_all(presenter, decoder.frame(first[1], epoch=first[0]))
    if is_taken:
        assert taken(presenter, 1.0) == first
    assert submit_all(presenter, decoder.frame(second[1], epoch=second[0])) == [accepted]
    if not accepted and is_taken:
        assert presenter.take_due(1.0) is None
    else:
        assert taken(presenter, 1.0) == (second if accepted else first)
    assert decoder.all_given_back()


def test_pictures_taken_while_others_are_submitted_only_go_forward() -> None:
    presenter, decoder = FixedLatencyPresenter(), Decoder()
    done = threading.Event()
    seen: list[int] = []

    def take() -> None:
        while not done.is_set():
            if (shown := taken(presenter, 1.0)) is not None:
                seen.append(shown[1])

    taker = threading.Thread(target=take)
    taker.start()
    try:
        for seq in range(5000):
            submit_all(presenter, decoder.frame(seq))
    finally:
        done.set()
        taker.join(10)
    if (last := taken(presenter, 1.0)) is not None:
        seen.append(last[1])
    assert seen == sorted(set(seen))
    assert seen[-1] == 4999
    assert decoder.all_given_back()


# --- fixed ----------------------------------------------------------------------------------


def test_a_picture_is_due_its_latency_after_its_earliest_arrival() -> None:
    """Each arrives 50 ms after its capture, or later: due 150 ms after it, whenever it came."""
    presenter, decoder = fixed(0.1), Decoder()
    for seq, late_s in enumerate([0.0, 0.02, 0.0, 0.06]):
        captured_s = 900.0 + seq / 30
        frame = decoder.frame(seq, captured_s=captured_s, received_s=captured_s - 899.95 + late_s, decode_s=0.004)
        submit_all(presenter, frame)
        due_s = seq / 30 + 0.15
        assert presenter.next_due_s() == pytest.approx(due_s, abs=1e-5)
        assert presenter.take_due(due_s - 0.001) is None
        shown = presenter.take_due(due_s + 0.001)
        assert shown is not None
        assert shown.due_s == pytest.approx(due_s, abs=1e-5)


def test_of_several_due_the_newest_wins_and_the_others_are_let_go() -> None:
    presenter, decoder = fixed(0.1), Decoder()
    frames = [decoder.frame(seq, captured_s=seq / 30, received_s=seq / 30) for seq in range(4)]
    submit_all(presenter, *frames)
    assert taken(presenter, 0.1 + 2 / 30 + 1e-6) == (1, 2)
    assert presenter.skipped == 2
    assert held_roles(frames) == [{}, {}, {}, {"presenter": 1}]
    assert taken(presenter, 0.3) == (1, 3)


def test_a_late_picture_is_due_at_once_and_says_when_it_should_have_been() -> None:
    presenter, decoder = fixed(0.1), Decoder()
    submit_all(presenter, decoder.frame(0, captured_s=0.0, received_s=0.05))
    assert taken(presenter, 0.151) == (1, 0)
    submit_all(presenter, decoder.frame(1, captured_s=0.033, received_s=0.3))
    assert presenter.next_due_s() == pytest.approx(0.183)
    assert taken(presenter, 0.3) == (1, 1)


def test_the_bound_follows_latency_and_frame_rate() -> None:
    presenter = fixed(0.1, frame_rate=60)
    assert presenter.capacity == 11
    presenter.set_latency(0.25)
    assert (presenter.latency_s, presenter.capacity) == (0.25, 20)
    presenter.set_frame_rate(24)
    assert presenter.capacity == 9
    presenter.set_mode(LATEST)
    assert presenter.capacity == 1


def test_when_nobody_takes_the_oldest_are_let_go() -> None:
    presenter, decoder = fixed(0.1), Decoder()
    for seq in range(1000):
        submit_all(presenter, decoder.frame(seq, captured_s=seq / 30, received_s=seq / 30))
        assert presenter.depth <= presenter.capacity == 6
        assert decoder.ledger.live == presenter.depth
    assert presenter.skipped == 994
    assert taken(presenter, 100.0) == (1, 999)
    assert decoder.all_given_back()


def test_a_full_presenter_shows_its_oldest_instead_of_losing_it() -> None:
    """The first packet was 300 ms late, so all seem to be due 300 ms later than they need be."""
    presenter, decoder = fixed(0.1), Decoder()
    submit_all(presenter, decoder.frame(0, captured_s=0.0, received_s=0.3))
    assert presenter.next_due_s() == pytest.approx(0.4)
    for seq in range(1, 6):
        submit_all(presenter, decoder.frame(seq, captured_s=seq / 30, received_s=0.3 + seq / 1000))
    assert presenter.next_due_s() == pytest.approx(0.305)
    assert taken(presenter, 0.305) == (1, 0)
    assert presenter.skipped == 0


def test_a_still_waits_for_the_pictures_before_it_and_teaches_nothing() -> None:
    """It repeats the last picture: captured with it, sent after a rest, and never shown before it."""
    presenter, decoder = fixed(0.1), Decoder()
    submit_all(presenter, decoder.frame(0, captured_s=0.0, received_s=0.05))
    learned_s = presenter.offset_s
    still = decoder.frame(1, captured_s=0.0, received_s=0.06, kind=PacketKind.STILL)
    submit_all(presenter, still, decoder.frame(2, captured_s=0.05, received_s=0.1))
    assert presenter.offset_s == learned_s
    assert presenter.take_due(0.149) is None
    assert taken(presenter, 0.151) == (1, 1)
    assert taken(presenter, 0.201) == (1, 2)


def test_a_still_before_all_else_is_due_at_once() -> None:
    presenter, decoder = fixed(0.1), Decoder()
    submit_all(presenter, decoder.frame(0, captured_s=900.0, received_s=5.0, kind=PacketKind.STILL))
    assert presenter.next_due_s() == 5.0


def test_a_new_epoch_is_never_due_before_the_old_one() -> None:
    """Its clock may be another: a server that was restarted. The order is that of the epochs."""
    presenter, decoder = fixed(0.1), Decoder()
    submit_all(presenter, decoder.frame(900, epoch=3, captured_s=70.0, received_s=0.0))
    presenter.on_reconnect()
    submit_all(
        presenter,
        decoder.frame(0, epoch=4, captured_s=2.0, received_s=0.02),
        decoder.frame(901, epoch=3, captured_s=70.0, received_s=0.02),
    )
    assert presenter.offset_s == pytest.approx(-1.98)
    assert taken(presenter, 0.11) == (3, 900)
    assert taken(presenter, 0.13) == (4, 0)
    assert decoder.all_given_back()


# --- unchanged ------------------------------------------------------------------------------


def test_a_waiting_picture_also_says_what_came_as_unchanged() -> None:
    presenter, decoder = fixed(0.1), Decoder()
    video = decoder.frame(7, captured_s=0.0, received_s=0.0)
    submit_all(presenter, video)
    unchanged = decoder.frame(8, kind=PacketKind.UNCHANGED).header
    assert presenter.unchanged(unchanged)
    assert not presenter.unchanged(unchanged), "it is no news twice"
    shown = presenter.take_due(1.0)
    assert shown is not None
    assert (shown.header.seq, shown.header.revision) == (8, unchanged.revision)
    assert (shown.header.kind, shown.picture) == (PacketKind.ACCESS_UNIT, video.picture)
    assert not presenter.unchanged(decoder.frame(9, kind=PacketKind.UNCHANGED).header), (
        "it is on screen: no longer ours"
    )


def test_what_is_final_is_said_by_the_last_word() -> None:
    presenter, decoder = FixedLatencyPresenter(), Decoder()
    submit_all(presenter, decoder.frame(7, kind=PacketKind.STILL))
    header = decoder.frame(8, kind=PacketKind.UNCHANGED).header
    assert header.flags is PacketFlag.NONE
    assert presenter.unchanged(header)
    shown = presenter.take_due(1.0)
    assert shown is not None
    assert not shown.header.at_rest


# --- modes, end -----------------------------------------------------------------------------


def test_to_latest_all_that_waits_gives_way_to_the_newest_at_once() -> None:
    presenter, decoder = fixed(0.1), Decoder()
    submit_all(presenter, *(decoder.frame(seq, captured_s=seq / 30, received_s=seq / 30) for seq in range(4)))
    presenter.set_mode(LATEST)
    assert presenter.depth == 1
    assert presenter.next_due_s() == pytest.approx(3 / 30)
    assert taken(presenter, 3 / 30) == (1, 3)
    assert decoder.all_given_back()


def test_to_fixed_what_waits_takes_its_time() -> None:
    presenter, decoder = FixedLatencyPresenter(latency_s=0.1), Decoder()
    submit_all(presenter, decoder.frame(0, captured_s=0.0, received_s=0.05))
    presenter.set_mode(FIXED)
    assert presenter.take_due(0.149) is None
    assert taken(presenter, 0.151) == (1, 0)


def test_setting_the_same_mode_again_changes_nothing() -> None:
    presenter, decoder = fixed(0.1), Decoder()
    submit_all(presenter, decoder.frame(0, captured_s=0.0, received_s=0.0))
    presenter.set_latency(5.0)
    presenter.set_mode(FIXED)
    assert presenter.next_due_s() == pytest.approx(0.1)


def test_after_the_end_everything_is_let_go() -> None:
    presenter, decoder = fixed(), Decoder()
    submit_all(presenter, *(decoder.frame(seq) for seq in range(3)))
    presenter.close()
    assert decoder.all_given_back()
    assert submit_all(presenter, decoder.frame(3)) == [False]
    assert decoder.all_given_back()
    assert presenter.take_due(1e9) is None


def test_leases_are_let_go_outside_the_lock() -> None:
    """A decoder that gets a surface back may submit the next picture from the same thread."""
    presenter, decoder = FixedLatencyPresenter(), Decoder()
    submit_all(presenter, decoder.frame(0))
    decoder.surfaces[0].close = lambda: submit_all(presenter, decoder.frame(2))
    done = threading.Thread(target=lambda: submit_all(presenter, decoder.frame(1)), daemon=True)
    done.start()
    done.join(10)
    assert not done.is_alive(), "deadlock"
    assert taken(presenter, 1.0) == (1, 2)


@settings(max_examples=60, stateful_step_count=60)
class Presenting(RuleBasedStateMachine):
    """Any order of pictures, modes, latencies and times; the model is the rules that hold always."""

    def __init__(self) -> None:
        super().__init__()
        self.presenter = FixedLatencyPresenter(frame_rate=30)
        self.decoder = Decoder()
        self.now_s = 0.0
        self.epoch, self.seq = 1, 0
        self.any_accepted = False
        self.newest_shown: SubmittedFrame | None = None

    @rule(elapsed_s=st.sampled_from([0.0, 0.001, 0.033, 0.1, 1.0]))
    def wait(self, elapsed_s: float) -> None:
        self.now_s += elapsed_s

    @rule(
        back=st.sampled_from([-1, -1, -1, -1, 0, 1, 3]),
        delay_s=st.sampled_from([0.0, 0.02, 0.3, 5.0]),
        kind=st.sampled_from([PacketKind.ACCESS_UNIT, PacketKind.ACCESS_UNIT, PacketKind.STILL]),
        new_epoch=st.sampled_from([0, 0, 0, 1, -1]),
    )
    def submit(self, back: int, delay_s: float, kind: PacketKind, new_epoch: int) -> None:
        epoch, seq = self.epoch + new_epoch, self.seq - back
        frame = self.decoder.frame(
            seq, epoch=epoch, captured_s=self.now_s + 100 - delay_s, received_s=self.now_s, kind=kind
        )
        accepted = self.presenter.submit(frame, self.now_s)
        newer = new_epoch > 0 or (new_epoch == 0 and back < 0)
        assert accepted == (newer or not self.any_accepted)
        if accepted:
            self.any_accepted = True
            self.epoch, self.seq = epoch, seq % 2**32
        assert self.presenter.depth <= self.presenter.capacity

    @rule()
    def take(self) -> None:
        due_s = self.presenter.next_due_s()
        frame = self.presenter.take_due(self.now_s)
        assert (frame is None) == (due_s is None or due_s > self.now_s)
        if frame is None:
            return
        assert due_s is not None
        assert due_s <= frame.due_s <= self.now_s
        assert self.newest_shown is None or follows(frame.header, self.newest_shown.header)
        self.newest_shown = frame
        frame.release(LeaseRole.PRESENTER)

    @rule(mode=st.sampled_from(PlayoutMode))
    def set_mode(self, mode: PlayoutMode) -> None:
        self.presenter.set_mode(mode)
        assert self.presenter.depth <= self.presenter.capacity

    @rule(latency_s=st.sampled_from([0.0, 0.05, 0.2]))
    def set_latency(self, latency_s: float) -> None:
        self.presenter.set_latency(latency_s)

    @rule()
    def reconnect(self) -> None:
        self.presenter.on_reconnect()

    @rule()
    def unchanged(self) -> None:
        header = self.decoder.frame(self.seq + 1, epoch=self.epoch, kind=PacketKind.STILL).header
        waits = self.presenter.depth > 0
        assert self.presenter.unchanged(header) == waits
        self.seq = header.seq if waits else self.seq

    @invariant()
    def what_waits_is_held_and_nothing_else(self) -> None:
        assert self.decoder.ledger.live <= self.presenter.depth
        assert all(surface.closed <= 1 for surface in self.decoder.surfaces)

    def teardown(self) -> None:
        self.presenter.close()
        assert self.decoder.all_given_back()


TestPresenting = Presenting.TestCase
