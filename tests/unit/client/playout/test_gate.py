from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from queue import Queue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.client.playout.gate import (
    TRANSITIONS,
    GateEvent,
    GateState,
    KeyframeRequests,
    StreamGate,
    Transition,
    Verdict,
    seq_distance,
)
from napari_cuda.protocol.packet import PacketKind

KEYFRAME, DELTA = (PacketKind.ACCESS_UNIT, True), (PacketKind.ACCESS_UNIT, False)
STILL, UNCHANGED = (PacketKind.STILL, False), (PacketKind.UNCHANGED, False)
PART = (PacketKind.STILL_PART, False)
ADMIT, DROP, ASK = Verdict.ADMIT, Verdict.DROP, Verdict.DROP_AND_REQUEST_KEYFRAME
PACKET_EVENTS = {GateEvent.KEYFRAME, GateEvent.DELTA, GateEvent.STILL_PART, GateEvent.STILL, GateEvent.UNCHANGED}


def run(gate: StreamGate, packets: list[tuple[int, tuple[PacketKind, bool]]], *, epoch: int = 1) -> list[Verdict]:
    """Let (seq, kind) pairs arrive a millisecond apart."""
    return [
        gate.admit(seq, epoch=epoch, keyframe=keyframe, kind=kind, now_s=0.001 * at)
        for at, (seq, (kind, keyframe)) in enumerate(packets)
    ]


def test_the_table_has_every_row() -> None:
    assert set(TRANSITIONS) == {(state, event) for state in GateState for event in GateEvent}


@pytest.mark.parametrize(("state", "event"), list(TRANSITIONS))
def test_rows_agree_with_what_the_states_mean(state: GateState, event: GateEvent) -> None:
    row = TRANSITIONS[state, event]
    assert (row.verdict is not None) == (event in PACKET_EVENTS)
    if event in {GateEvent.RECONNECT, GateEvent.LOSS}:
        assert row.state is GateState.CLOSED
    if event is GateEvent.KEYFRAME:
        assert (row.state, row.verdict) == (GateState.OPEN, ADMIT)
    if event is GateEvent.DELTA:
        assert (row.verdict is ADMIT) == (state is GateState.OPEN)
    if event is GateEvent.STILL:
        assert row.verdict is ADMIT
        assert row.state is not GateState.CLOSED
    if event is GateEvent.STILL_PART:  # shows nothing, so that the client holds what it held
        assert row == Transition(state, ADMIT)
    if event is GateEvent.UNCHANGED:
        assert (row.verdict is ADMIT) == (state is not GateState.CLOSED)
    if row.state is GateState.OPEN:  # nothing but a keyframe opens
        assert state is GateState.OPEN or event is GateEvent.KEYFRAME
    assert row.verdict in {None, ADMIT, ASK}


def test_closed_until_the_first_keyframe() -> None:
    gate = StreamGate()
    assert run(gate, [(0, DELTA), (1, DELTA), (2, KEYFRAME), (3, DELTA)]) == [ASK, DROP, ADMIT, ADMIT]
    assert gate.state is GateState.OPEN


def test_a_stream_may_be_joined_at_any_seq() -> None:
    assert run(StreamGate(), [(700, KEYFRAME), (701, DELTA)]) == [ADMIT, ADMIT]


def test_a_gap_closes_and_asks_once() -> None:
    arrivals = [(0, KEYFRAME), (1, DELTA), (3, DELTA), (4, DELTA), (5, DELTA), (6, KEYFRAME), (7, DELTA)]
    assert run(StreamGate(), arrivals) == [ADMIT, ADMIT, ASK, DROP, DROP, ADMIT, ADMIT]


def test_each_gap_asks_at_once() -> None:
    arrivals = [(0, KEYFRAME), (2, DELTA), (3, KEYFRAME), (5, DELTA), (6, KEYFRAME), (8, DELTA)]
    assert run(StreamGate(), arrivals) == [ADMIT, ASK, ADMIT, ASK, ADMIT, ASK]


def test_a_gap_before_a_keyframe_harms_nothing() -> None:
    assert run(StreamGate(), [(0, KEYFRAME), (5, KEYFRAME), (6, DELTA)]) == [ADMIT, ADMIT, ADMIT]


def test_stills_and_unchanged_need_no_keyframe_but_count() -> None:
    arrivals = [(0, STILL), (1, UNCHANGED), (2, KEYFRAME), (3, STILL), (4, UNCHANGED), (5, DELTA), (7, STILL)]
    gate = StreamGate()
    assert run(gate, arrivals) == [ADMIT] * 7
    assert run(gate, [(8, UNCHANGED), (9, DELTA)]) == [ADMIT, ASK]


def test_parts_of_a_still_give_nothing_before_the_last() -> None:
    arrivals = [(0, PART), (1, UNCHANGED), (2, PART), (3, STILL), (4, UNCHANGED)]
    assert run(StreamGate(), arrivals) == [ADMIT, ASK, ADMIT, ADMIT, ADMIT]


def test_unchanged_after_a_gap_would_be_a_lie() -> None:
    gate = StreamGate()
    assert run(gate, [(0, KEYFRAME), (2, UNCHANGED), (3, STILL), (4, UNCHANGED)]) == [ADMIT, ASK, ADMIT, ADMIT]


def test_a_delta_that_was_dropped_makes_the_still_outdated() -> None:
    assert run(StreamGate(), [(0, STILL), (1, DELTA), (2, UNCHANGED)]) == [ADMIT, ASK, DROP]


def test_seq_wraps() -> None:
    last = 2**32 - 1
    assert run(StreamGate(), [(last, KEYFRAME), (0, DELTA), (1, DELTA), (3, DELTA)]) == [ADMIT, ADMIT, ADMIT, ASK]


def test_what_arrives_twice_or_late_is_dropped_and_closes_nothing() -> None:
    arrivals = [(4, KEYFRAME), (5, DELTA), (5, DELTA), (4, KEYFRAME), (6, DELTA)]
    assert run(StreamGate(), arrivals) == [ADMIT, ADMIT, DROP, DROP, ADMIT]


def test_a_new_epoch_needs_its_own_keyframe_and_the_old_one_is_over() -> None:
    gate = StreamGate()
    assert run(gate, [(0, KEYFRAME), (1, DELTA)], epoch=1) == [ADMIT, ADMIT]
    assert run(gate, [(2, UNCHANGED), (3, DELTA)], epoch=2) == [ADMIT, ASK]
    assert run(gate, [(4, KEYFRAME)], epoch=1) == [DROP]
    assert run(gate, [(5, KEYFRAME), (6, DELTA)], epoch=2) == [ADMIT, ADMIT]


def test_a_packet_of_an_old_epoch_is_no_gap() -> None:
    gate = StreamGate()
    assert run(gate, [(0, KEYFRAME)], epoch=2) == [ADMIT]
    assert run(gate, [(1, DELTA)], epoch=1) == [DROP]
    assert run(gate, [(2, DELTA)], epoch=2) == [ADMIT]


def test_a_reconnect_starts_anew_whatever_the_numbers() -> None:
    gate = StreamGate()
    run(gate, [(900, KEYFRAME), (902, DELTA)], epoch=7)
    gate.on_reconnect()
    assert gate.state is GateState.CLOSED
    assert run(gate, [(0, DELTA), (1, KEYFRAME), (2, DELTA)], epoch=1) == [ASK, ADMIT, ADMIT]


def test_an_unanswered_request_is_repeated_at_growing_intervals() -> None:
    gate = StreamGate()
    asked_s = [
        0.01 * at
        for at in range(3500)
        if gate.admit(at, epoch=1, keyframe=False, kind=PacketKind.ACCESS_UNIT, now_s=0.01 * at) is ASK
    ]
    assert [round(later - earlier, 2) for earlier, later in pairwise(asked_s)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_an_answer_lets_the_next_incident_ask_at_once() -> None:
    requests = KeyframeRequests()
    assert [requests.due(now_s) for now_s in (0.0, 0.1, 0.5, 0.6)] == [True, False, True, False]
    requests.answered()
    assert requests.due(0.6)


# --- what a decode thread reports ------------------------------------------------------------


def lose(gate: StreamGate, seq: int, *, epoch: int | None = None, now_s: float = 10.0) -> bool:
    return gate.lost(seq, epoch=gate.epoch if epoch is None else epoch, now_s=now_s)


def test_what_a_decoder_lost_closes_the_gate_and_asks_at_once() -> None:
    gate = StreamGate()
    run(gate, [(0, KEYFRAME), (1, DELTA), (2, DELTA)])
    assert lose(gate, 1)
    assert gate.state is GateState.CLOSED
    assert run(gate, [(3, DELTA), (4, UNCHANGED), (5, KEYFRAME), (6, DELTA)]) == [DROP, DROP, ADMIT, ADMIT]


def test_what_was_lost_before_an_admitted_keyframe_is_made_up_for_already() -> None:
    gate = StreamGate()
    run(gate, [(0, KEYFRAME), (1, DELTA), (2, KEYFRAME), (3, DELTA)])
    assert not lose(gate, 1)
    assert gate.state is GateState.OPEN
    assert lose(gate, 2), "the keyframe itself is no answer"


def test_a_loss_of_an_earlier_epoch_is_no_news() -> None:
    gate = StreamGate()
    run(gate, [(0, KEYFRAME), (1, DELTA)], epoch=1)
    old = gate.epoch
    run(gate, [(2, KEYFRAME)], epoch=2)
    assert not lose(gate, 1, epoch=old)
    old = gate.epoch
    gate.on_reconnect()
    assert not lose(gate, 2, epoch=old)
    assert run(gate, [(0, KEYFRAME), (1, DELTA)]) == [ADMIT, ADMIT]


def test_receiver_and_decoder_share_one_back_off() -> None:
    gate = StreamGate()
    assert run(gate, [(0, KEYFRAME), (2, DELTA)]) == [ADMIT, ASK]
    assert not lose(gate, 0, now_s=0.1), "the IDR is on its way"
    assert [
        gate.admit(seq, epoch=1, keyframe=False, kind=PacketKind.ACCESS_UNIT, now_s=now_s)
        for seq, now_s in [(3, 0.2), (4, 0.6)]
    ] == [DROP, ASK], "it never came"


def test_what_is_admitted_after_a_loss_is_another_epoch() -> None:
    """So the decoder can drop what was admitted before, and need not guess about what comes after."""
    gate = StreamGate()
    run(gate, [(0, KEYFRAME), (1, DELTA)])
    before = gate.epoch
    lose(gate, 1)
    assert run(gate, [(2, STILL), (3, UNCHANGED)]) == [ADMIT, ADMIT]
    assert gate.epoch > before


def test_epochs_count_on_over_connections() -> None:
    gate = StreamGate()
    seen = []
    for server_epochs in [(1, 1, 4), (0, 1), (1,)]:
        gate.on_reconnect()
        for seq, epoch in enumerate(server_epochs):
            assert run(gate, [(seq, KEYFRAME)], epoch=epoch) == [ADMIT]
            assert gate.is_current(gate.epoch)
            seen.append(gate.epoch)
    assert seen == [2, 2, 3, 4, 5, 6]
    assert [gate.is_current(epoch) for epoch in (3, 5, 6)] == [False, False, True]


def test_losses_from_another_thread_never_let_an_undecodable_packet_through() -> None:
    """The decoder on its own thread fails at random; it must never be fed across its own loss."""
    gate, inbox = StreamGate(), Queue[tuple[int, int, bool] | None]()
    wrong: list[int] = []

    def decode() -> None:
        chance, broken_epoch = random.Random(3), -1
        while (packet := inbox.get(timeout=10)) is not None:
            seq, epoch, keyframe = packet
            if keyframe or epoch != broken_epoch:
                if not keyframe and decoded.get(seq - 1) is not True:
                    wrong.append(seq)
                broken_epoch = -1
                decoded[seq] = chance.random() > 0.05
                if not decoded[seq]:
                    broken_epoch = epoch
                    gate.lost(seq, epoch=epoch, now_s=float(seq))

    decoded: dict[int, bool] = {}
    with ThreadPoolExecutor(1) as pool:
        decoder = pool.submit(decode)
        for seq in range(4000):
            keyframe = gate.state is not GateState.OPEN or seq % 97 == 0
            kind = PacketKind.ACCESS_UNIT
            if gate.admit(seq, epoch=1, keyframe=keyframe, kind=kind, now_s=float(seq)) is ADMIT:
                inbox.put((seq, gate.epoch, keyframe))
        inbox.put(None)
        decoder.result(30)
    assert not wrong
    assert list(decoded.values()).count(False) > 10, "hardly anything was lost"


def test_a_malformed_packet_and_the_gap_it_leaves_are_one_line() -> None:
    gate = StreamGate()
    run(gate, [(0, KEYFRAME)])
    gate.malformed("pixel packet of 10 bytes is too short", 0.001)
    assert gate.take_log_line() == "discontinuity in the stream: pixel packet of 10 bytes is too short"
    assert run(gate, [(2, DELTA)]) == [ASK]
    assert gate.take_log_line() is None


def test_discontinuities_are_said() -> None:
    gate = StreamGate()
    gate.on_reconnect()
    run(gate, [(0, KEYFRAME), (1, DELTA), (4, DELTA), (4, DELTA), (5, KEYFRAME), (6, DELTA)], epoch=2)
    assert gate.take_log_line() == "discontinuity in the stream: 2 missing before packet 4"
    run(gate, [(7, DELTA)], epoch=1)
    lose(gate, 6, now_s=5.0)
    assert gate.take_log_line() is None, "the decoder says why"


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_seq_distance_is_signed_and_modular(reference: int, ahead: int) -> None:
    assert seq_distance((reference + ahead) % 2**32, reference) == ahead


packets = st.tuples(
    st.sampled_from([KEYFRAME, DELTA, DELTA, DELTA, STILL, UNCHANGED]),
    st.booleans(),  # lost on the way
    st.sampled_from([0, 0, 0, 0, 1]),  # does a new encoder begin
)


@given(st.lists(packets, max_size=60), st.integers(0, 2**32 - 1))
def test_nothing_undecodable_or_untrue_is_ever_admitted(
    sent: list[tuple[tuple[PacketKind, bool], bool, int]], first_seq: int
) -> None:
    """Against a model of the decoder: it needs every access unit since the last keyframe of the epoch."""
    gate = StreamGate()
    epoch, newest_held, decodable = 1, False, False
    for index, ((kind, keyframe), lost, steps) in enumerate(sent):
        epoch += steps
        if steps:
            decodable = False
        arrives_as = None
        if not lost:
            arrives_as = gate.admit(
                (first_seq + index) % 2**32, epoch=epoch, keyframe=keyframe, kind=kind, now_s=float(index)
            )
        admitted = arrives_as is ADMIT
        if kind is PacketKind.ACCESS_UNIT:
            assert not (admitted and not keyframe and not decodable)
            assert admitted or lost or not (keyframe or decodable)
            decodable = admitted
            newest_held = admitted
        elif kind is PacketKind.STILL:
            assert admitted or lost
            # A lost still is no loss to the decoder, but the gate cannot know what the lost packet was.
            decodable = decodable and admitted
            newest_held = admitted
        else:
            assert not admitted or newest_held
            decodable = decodable and not lost
            newest_held = newest_held and not lost
