"""Figures beside their floors, as JSON and as tables."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from napari_cuda.bench import rows
from napari_cuda.bench.recording import Observation, Percentiles
from napari_cuda.netsim import Link
from napari_cuda.protocol.errors import ConfigError

KEYS = (
    "workload link latency_ms floor_ms latency_ratio frames_per_s frames_ratio bytes_per_s moving_psnr_db exact_ms "
    "server_cpu client_cpu"
).split()
SEEN = Observation(
    seconds=2.0,
    frames=50,
    answered=48,
    bytes_received=500_000,
    latency_ms=Percentiles(30.0, 55.5555),
    age_ms=Percentiles(40.0, 60.0),
    moving_psnr_db=41.0,
    moving_ssim=0.98,
    exact_ms=105.0,
    cpu=0.2,
    stages={"decode": 0.003},
)
ALONE_S = {"render": 0.015, "encode": 0.004, "decode": 0.001, "full": 0.045, "still": 0.030}


def text_of(table: Table) -> str:
    """Return a table as a wide terminal shows it."""
    console = Console(width=240)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_on_loopback_the_floor_is_the_sum_of_the_stages() -> None:
    result = rows.measured(("pan2d", "loopback"), SEEN, ALONE_S, None, 0.9, {"render": 0.016})
    row = result.row
    assert (row.floor_ms, row.latency_ratio) == pytest.approx((20.0, 1.5))
    # 25 frames/s, and the hand with its 60 inputs is slower than any stage.
    assert (row.frames_per_s, row.frames_ratio) == pytest.approx((25.0, 25 / 60))
    assert row.bytes_per_s == 250_000
    assert result.exact_floor_ms == pytest.approx(75.0)


def test_a_link_adds_its_round_trip_and_the_transfer_and_limits_the_rate() -> None:
    link = Link(delay_s=0.020, rate_bit_s=2e6)  # 10 kB a frame: 40 ms
    row = rows.measured(("pan2d", "slow"), SEEN, ALONE_S, link, None, {}).row
    assert row.floor_ms == pytest.approx(20 + 40 + 40)
    assert row.frames_ratio == pytest.approx(1.0)


def test_json_lines_have_exactly_the_documented_keys_and_come_back() -> None:
    row = rows.measured(("pan2d", "loopback"), SEEN, ALONE_S, None, 0.9, {}).row
    text = rows.to_json_lines([row, row])
    line = json.loads(text.splitlines()[0])
    assert list(line) == KEYS
    assert line["latency_ms"] == {"p50": 30.0, "p95": 55.56}
    assert [found.workload for found in rows.from_json_lines(text, "now.jsonl")] == ["pan2d", "pan2d"]


def test_a_file_of_something_else_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"old\.jsonl is not what"):
        rows.from_json_lines('{"workload": 3}\n', "old.jsonl")


def test_the_tables_show_what_was_not_measured_as_a_dash() -> None:
    seen = msgspec.structs.replace(SEEN, latency_ms=None, age_ms=None, moving_psnr_db=None, moving_ssim=None)
    result = rows.measured(("pan2d", "lan"), seen, ALONE_S, None, None, {"render": 0.0165})
    text = text_of(rows.figures_table([result, replace(result, seen=SEEN)]))
    assert "│ pan2d    │ lan  │               - │" in text
    assert "40 / 60" in text
    stages = text_of(rows.stages_table([result]))
    assert "render 15.0, encode 4.0, decode 1.0, full 45.0, still 30.0" in stages
    assert "render 16.5" in stages
