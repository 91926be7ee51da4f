from __future__ import annotations

import pytest

from napari_cuda.client.playout.warmup import WarmupPolicy


@pytest.mark.parametrize(
    ("base_s", "frame_rate", "extra_s"),
    [(0.0, 60, 1 / 60 + 0.002), (0.1, 60, 1 / 60 + 0.002), (0.0, 10, 0.024), (0.05, 10, 0.024)],
)
def test_the_boost_covers_a_frame_within_limits(base_s: float, frame_rate: float, extra_s: float) -> None:
    warmup = WarmupPolicy(base_s, 120)
    warmup.set_frame_rate(frame_rate)
    warmup.gate_lifted(7.0)
    assert warmup.latency_s(7.0) == pytest.approx(base_s + extra_s)


def test_it_ramps_down_as_time_goes_by() -> None:
    warmup = WarmupPolicy(0.0, 60)
    assert warmup.latency_s(0.0) == 0.0
    warmup.gate_lifted(10.0)
    whole_s = warmup.latency_s(10.0)
    assert warmup.latency_s(10.375) == pytest.approx(whole_s / 2)
    assert warmup.latency_s(10.75) == warmup.latency_s(99.0) == 0.0


def test_a_second_gate_lift_begins_anew() -> None:
    warmup = WarmupPolicy(0.0, 60)
    warmup.gate_lifted(10.0)
    warmup.gate_lifted(10.5)
    assert warmup.latency_s(10.5) == pytest.approx(1 / 60 + 0.002)


def test_a_clock_read_a_moment_earlier_on_another_thread_boosts_no_further() -> None:
    warmup = WarmupPolicy(0.0, 60)
    warmup.gate_lifted(10.0)
    assert warmup.latency_s(9.9) == warmup.latency_s(10.0)


def test_a_reset_ends_it_at_once() -> None:
    warmup = WarmupPolicy(0.005, 60)
    warmup.gate_lifted(10.0)
    warmup.reset()
    assert warmup.latency_s(10.0) == 0.005
