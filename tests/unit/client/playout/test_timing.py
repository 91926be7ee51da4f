from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.client.playout.timing import PlayoutTiming
from playback import normal_jitter, stream

Offsets = list[tuple[float, float]]


def learn(arrivals: Iterable[tuple[float, float]], *, server_clock_s: float = 0.0) -> Offsets:
    """Return (time of arrival, offset) after each packet, the offset without that of the clocks."""
    timing = PlayoutTiming()
    offsets: Offsets = []
    for captured_s, received_s in arrivals:
        timing.observe(captured_s + server_clock_s, received_s)
        assert timing.offset_s is not None
        offsets.append((received_s, timing.offset_s + server_clock_s))
    return offsets


def at(offsets: Offsets, now_s: float) -> float:
    """Return the offset at a moment."""
    return [offset_s for received_s, offset_s in offsets if received_s <= now_s][-1]


def fastest_drift(offsets: Offsets) -> float:
    """Return by how much playback was faster or slower than the server drew, at most; 1 is a jump."""
    drifts = [(b - a) / (later - earlier) for (earlier, a), (later, b) in pairwise(offsets) if later > earlier]
    return max(abs(drift) for drift in drifts)


def step(before_s: float, after_s: float, at_s: float) -> Callable[[float], float]:
    return lambda now_s: before_s if now_s < at_s else after_s


def test_nothing_is_known_before_the_first_picture() -> None:
    timing = PlayoutTiming()
    assert timing.offset_s is None
    timing.observe(100.0, 3.0)
    assert timing.offset_s == -97.0
    timing.reset()
    assert timing.offset_s is None
    timing.observe(7.0, 4.0)
    assert timing.offset_s == -3.0


@pytest.mark.parametrize("frame_rate", [10, 30, 60])
def test_a_late_first_picture_is_forgotten_within_two_seconds(frame_rate: int) -> None:
    offsets = learn(stream(4, frame_rate, step(0.35, 0.05, 0.5 / frame_rate)))
    assert offsets[0][1] == pytest.approx(0.35)
    assert at(offsets, 0.35 + 2.0) == pytest.approx(0.05, abs=0.005)
    assert fastest_drift(offsets) <= 0.2501


@pytest.mark.parametrize("frame_rate", [10, 30, 60])
@pytest.mark.parametrize(("before_s", "after_s"), [(0.05, 0.1), (0.1, 0.05)])
def test_a_path_change_is_followed_within_two_seconds(frame_rate: int, before_s: float, after_s: float) -> None:
    offsets = learn(stream(8, frame_rate, step(before_s, after_s, 3.0)))
    assert at(offsets, 3.0) == pytest.approx(before_s)
    assert at(offsets, 3.0 + after_s + 2.0) == pytest.approx(after_s, abs=0.005)
    assert fastest_drift(offsets) <= 0.2501


@pytest.mark.parametrize(("before_s", "after_s"), [(0.06, 0.11), (0.11, 0.06)])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_through_jitter(seed: int, before_s: float, after_s: float) -> None:
    """A minimum wanders with jitter; what counts is less than a frame (33 ms)."""
    jitter = normal_jitter(0.0, 0.015, seed, least_s=-0.05)
    change = step(before_s, after_s, 4.0)
    offsets = learn(stream(8, 30, lambda now_s: change(now_s) + jitter(now_s)))
    assert at(offsets, 4.0) == pytest.approx(before_s - 0.03, abs=0.025)
    assert at(offsets, 4.0 + after_s + 2.0) == pytest.approx(after_s - 0.03, abs=0.025)
    assert fastest_drift(offsets) <= 0.2501


def test_single_late_packets_move_nothing() -> None:
    late = {30, 47, 91}
    offsets = learn((n / 30, n / 30 + (0.25 if n in late else 0.05)) for n in range(120))
    assert {round(offset_s, 6) for _now_s, offset_s in offsets} == {0.05}


def test_clocks_that_run_apart_are_followed() -> None:
    """200 ppm for an hour: 0.7 s in the end."""
    offsets = learn((at_s, at_s * (1 + 200e-6) + 0.05) for at_s in map(float, range(3600)))
    assert offsets[-1][1] == pytest.approx(0.05 + 0.72, abs=0.005)


@pytest.mark.parametrize("jump_s", [-100.0, 100.0])
def test_another_clock_is_another_offset_at_the_latest_after_a_second(jump_s: float) -> None:
    offsets = learn((at_s + (jump_s if at_s > 3 else 0), at_s + 0.05) for at_s in (n / 30 for n in range(240)))
    assert at(offsets, 3.0) == pytest.approx(0.05)
    assert at(offsets, 4.2) == pytest.approx(0.05 - jump_s)


def test_a_picture_drawn_long_before_it_was_sent_harms_only_itself() -> None:
    """After a rest the server sends the last picture again to whoever asks: captured ten seconds ago."""
    before = [(n / 30, n / 30 + 0.05) for n in range(60)]
    after = [(12.1 + n / 30, 12.15 + n / 30) for n in range(60)]
    offsets = learn([*before, (2.0, 12.05), *after])
    assert at(offsets, 12.05) == pytest.approx(10.05)
    assert {round(offset_s, 6) for now_s, offset_s in offsets if now_s > 12.1} == {0.05}


def test_after_a_pause_one_late_packet_moves_little() -> None:
    offsets = learn([*((n / 30, n / 30 + 0.05) for n in range(60)), (12.0, 12.25)])
    assert 0.05 < offsets[-1][1] <= 0.05 + 0.0626


@given(
    st.lists(st.tuples(st.floats(0.001, 0.4), st.floats(0.0, 0.4)), min_size=2, max_size=200),
    st.sampled_from([0.0, -1e6, 1e9]),
)
def test_drift_is_bounded_and_the_offset_stays_among_the_delays(
    packets: list[tuple[float, float]], server_clock_s: float
) -> None:
    captured_s, arrivals = 0.0, []
    for interval_s, delay_s in packets:
        captured_s += interval_s
        arrivals.append((captured_s, captured_s + delay_s))
    arrivals.sort(key=lambda times: times[1])
    offsets = learn(arrivals, server_clock_s=server_clock_s)
    delays = [received_s - captured_s for captured_s, received_s in arrivals]
    assert min(delays) - 1e-6 <= min(offset for _now, offset in offsets)
    assert max(offset for _now, offset in offsets) <= max(delays) + 1e-6
    for (earlier, a), (later, b) in pairwise(offsets):
        assert abs(b - a) <= 0.25 * (later - earlier) + 1e-6
