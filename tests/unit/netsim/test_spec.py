from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_cuda.netsim import spec
from napari_cuda.netsim.link import Jitter, JitterKind, Link, Stall
from napari_cuda.protocol.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"), [("40ms", 0.04), ("1.5s", 1.5), (" 250us ", 0.00025), ("2 min", 120.0), (".5S", 0.5)]
)
def test_times(text: str, expected: float) -> None:
    assert spec.time_s(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"), [("20Mbit", 20e6), ("500kbit/s", 5e5), ("1.5 Gbit", 1.5e9), ("20MBIT", 20e6)]
)
def test_rates(text: str, expected: float) -> None:
    assert spec.rate_bit_s(text) == pytest.approx(expected)


def test_jitter_is_normal_unless_it_says_otherwise() -> None:
    assert spec.jitter("10ms") == Jitter(JitterKind.NORMAL, 0.01)
    assert spec.jitter("pareto:10ms") == Jitter(JitterKind.PARETO, 0.01)
    assert spec.jitter("uniform:0ms") == Jitter(JitterKind.UNIFORM, 0.0)


def test_a_link_changes_what_it_names_only() -> None:
    base = spec.link("delay=20ms,rate=20Mbit,jitter=pareto:10ms,buffer=64kB,stall=10s:300ms")
    assert base == Link(0.02, Jitter(JitterKind.PARETO, 0.01), 20e6, 64_000, Stall(10.0, 0.3))
    changed = spec.link("rate=2Mbit", base)
    assert changed == Link(0.02, Jitter(JitterKind.PARETO, 0.01), 2e6, 64_000, Stall(10.0, 0.3))
    assert spec.link("", base) == base


def test_each_way_has_half_the_round_trip() -> None:
    link = spec.both_ways(rtt="40ms", rate="20Mbit", jitter="pareto:10ms", stall="")
    assert link == Link(0.02, Jitter(JitterKind.PARETO, 0.01), 20e6)
    assert spec.both_ways(rtt="0ms", rate="", jitter="", stall="") == Link()


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (spec.time_s, "40", "'40' is not a time such as 40ms"),
        (spec.time_s, "-1ms", "is not a time"),
        (spec.time_s, "", "is not a time"),
        (spec.time_s, "1e3ms", "is not a time"),
        (spec.rate_bit_s, "20MB", "is not a rate such as 20Mbit"),
        (spec.rate_bit_s, "0Mbit", "'0Mbit' must be more than 0"),
        (spec.size_bytes, "many", "is not a size such as 256kB"),
        (spec.size_bytes, "0kB", "must be more than 0"),
        (spec.period_s, "0s", "must be more than 0"),
        (spec.jitter, "gamma:10ms", "'gamma' is no kind of jitter: use one of uniform, normal, pareto"),
        (spec.jitter, "pareto:", "'' is not a time"),
        (spec.stall, "10s", "'10s' is not a stall such as 10s:300ms"),
        (spec.stall, "0s:300ms", "must be more than 0"),
        (spec.link, "speed=3", "'speed=3' is no part of a link: write delay="),
        (spec.link, "rate", "is not a rate"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(parse: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
