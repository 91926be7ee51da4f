from __future__ import annotations

import random
import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.netsim.link import LONGEST_PARETO, Bottleneck, Flow, Jitter, JitterKind, Link, Stall


def bottleneck(seed: int = 0, **link: object) -> Bottleneck:
    return Bottleneck(Link(**link), seed=seed, now_s=0.0)  # type: ignore[arg-type]


def test_nothing_is_added_to_an_ideal_link() -> None:
    assert bottleneck().carry(10**9, 5.0) == 5.0


def test_the_delay_is_added_to_everything() -> None:
    path = bottleneck(delay_s=0.02)
    assert [path.carry(100, now_s) for now_s in (0.0, 1.0, 1.001)] == [0.02, 1.02, 1.021]


def test_bytes_take_their_time_at_the_bottleneck_and_queue_behind_others() -> None:
    path = bottleneck(rate_bit_s=8e6, delay_s=0.1)  # 1 MB/s
    assert path.carry(10_000, 0.0) == pytest.approx(0.11)
    assert path.carry(10_000, 0.0) == pytest.approx(0.12)
    # Idle since 0.02 s: no credit is saved up.
    assert path.carry(10_000, 3.0) == pytest.approx(3.11)


def test_a_sender_that_waits_for_room_gets_the_rate_and_no_more() -> None:
    path, now_s, sent, arrived_s = bottleneck(rate_bit_s=20e6, delay_s=0.02, buffer_bytes=100_000), 0.0, 0, 0.0
    while now_s < 10:
        wait_s = path.wait_s(now_s)
        if wait_s > 0:
            now_s += wait_s
            continue
        arrived_s = path.carry(20_000, now_s)
        sent += 20_000
        # Never more than the buffer and one chunk waits: that, and the delay, bounds the latency.
        assert arrived_s - now_s <= 0.02 + 120_000 * 8 / 20e6 + 1e-9
    assert sent * 8 / arrived_s == pytest.approx(20e6, rel=0.01)


def test_the_buffer_has_room_again_when_bytes_have_left_it() -> None:
    path = bottleneck(rate_bit_s=8e6, delay_s=1.0, buffer_bytes=20_000)
    assert path.wait_s(0.0) == 0
    path.carry(15_000, 0.0)
    assert path.wait_s(0.0) == 0
    path.carry(15_000, 0.0)
    assert path.wait_s(0.0) == pytest.approx(0.015)
    assert path.wait_s(0.015) == 0, "those that travel are no longer in the buffer"


def test_a_link_that_becomes_another_is_so_for_what_is_sent_then() -> None:
    path = bottleneck(rate_bit_s=8e6)
    assert path.carry(10_000, 0.0) == pytest.approx(0.01)
    path.become(Link(rate_bit_s=0.8e6, delay_s=0.1))
    assert path.carry(10_000, 0.0) == pytest.approx(0.01 + 0.1 + 0.1), "behind what was sent before"
    path.become(Link())
    assert path.carry(10_000, 5.0) == 5.0


@pytest.mark.parametrize("kind", JitterKind)
def test_jitter_has_the_mean_and_the_spread_it_says(kind: JitterKind) -> None:
    source = random.Random(1)
    drawn = [Jitter(kind, 0.01).draw_s(source) for _ in range(50_000)]
    assert statistics.fmean(drawn) == pytest.approx(0.0, abs=3e-4)
    spread = 0.01 / 3**0.5 if kind is JitterKind.UNIFORM else 0.01
    assert statistics.stdev(drawn) == pytest.approx(spread, rel=0.05)


def test_the_tail_of_pareto_is_long_late_and_ends() -> None:
    source = random.Random(1)
    drawn = sorted(Jitter(JitterKind.PARETO, 0.01).draw_s(source) for _ in range(50_000))
    assert drawn[0] > -0.007
    assert drawn[25_000] < 0 < 0.014 < drawn[47_500] < 0.018  # most a little early, 1 in 20 late
    assert drawn[-1] == pytest.approx(LONGEST_PARETO * 0.01)


def test_no_byte_is_faster_than_no_delay() -> None:
    path = bottleneck(delay_s=0.001, jitter=Jitter(JitterKind.UNIFORM, 0.1))
    arrivals = [path.carry(1, 0.0) for _ in range(1000)]
    assert min(arrivals) == 0.0
    assert max(arrivals) > 0.09


def test_what_is_late_makes_what_follows_late_in_its_own_connection_only() -> None:
    path = bottleneck(delay_s=0.05, jitter=Jitter(JitterKind.PARETO, 0.02))
    late, other = Flow(path), Flow(path)
    arrivals = [late.send(1000, number / 1000) for number in range(5000)]
    assert arrivals == sorted(arrivals)
    behind = sum(first == second for first, second in pairwise(arrivals))
    assert behind > 500, "nothing ever waited behind a late one"
    assert other.send(1000, 0.0) < arrivals[-1]


@given(
    sends=st.lists(st.tuples(st.integers(1, 70_000), st.floats(0, 0.05)), min_size=1, max_size=60),
    rate=st.sampled_from([None, 1e6, 20e6]),
    kind=st.sampled_from(JitterKind),
    stall=st.sampled_from([None, Stall(0.1, 0.2)]),
    seed=st.integers(0, 3),
)
def test_order_is_kept_nothing_is_early_and_the_rate_holds(
    sends: list[tuple[int, float]], rate: float | None, kind: JitterKind, stall: Stall | None, seed: int
) -> None:
    def arrivals() -> list[tuple[float, float]]:
        flow = Flow(bottleneck(seed, delay_s=0.01, rate_bit_s=rate, jitter=Jitter(kind, 0.01), stall=stall))
        now_s, found = 0.0, []
        for size_bytes, later_s in sends:
            now_s += later_s
            found.append((now_s, flow.send(size_bytes, now_s)))
        return found

    first = arrivals()
    assert first == arrivals(), "the same seed must give the same times"
    assert all(arrival_s >= sent_s for sent_s, arrival_s in first)
    assert [arrival_s for _, arrival_s in first] == sorted(arrival_s for _, arrival_s in first)
    if rate:
        assert first[-1][1] >= sum(size for size, _ in sends) * 8 / rate - 1e-9


def test_during_a_stall_nothing_passes_and_afterwards_all_of_it() -> None:
    path = bottleneck(seed=3, stall=Stall(every_s=1.0, length_s=0.25), rate_bit_s=8e6)
    lateness_s = [path.carry(1, number / 1000) - number / 1000 for number in range(60_000)]
    stalled = [late_s > 1e-4 for late_s in lateness_s]
    begun = sum(now and not before for before, now in pairwise(stalled))
    # 60 s in rounds of 1 s without and 0.25 s with a stall, on average.
    assert 35 <= begun <= 62
    assert sum(stalled) / 60_000 == pytest.approx(0.2, abs=0.05)
    assert max(lateness_s) == pytest.approx(0.25, abs=2e-3)


def test_a_stall_stops_what_is_half_way_through() -> None:
    without = bottleneck(seed=3, rate_bit_s=8e3).carry(100_000, 0.0)
    with_stalls = bottleneck(seed=3, rate_bit_s=8e3, stall=Stall(10.0, 1.0)).carry(100_000, 0.0)
    assert without == pytest.approx(100)
    assert with_stalls - without == pytest.approx(round(with_stalls - without))
    assert 3 <= with_stalls - without <= 20


def test_stalls_do_not_change_the_delays_of_a_seed() -> None:
    jitter = Jitter(JitterKind.NORMAL, 0.01)
    plain = bottleneck(seed=7, delay_s=0.1, jitter=jitter)
    stalled = bottleneck(seed=7, delay_s=0.1, jitter=jitter, stall=Stall(1e9, 1.0))
    assert [plain.carry(1, 0.0) for _ in range(9)] == [stalled.carry(1, 0.0) for _ in range(9)]
    assert bottleneck(seed=8, delay_s=0.1, jitter=jitter).carry(1, 0.0) != plain.carry(1, 0.0)
