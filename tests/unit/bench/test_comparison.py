"""What got worse beyond noise is said, on a machine of any speed."""

from __future__ import annotations

import msgspec
import pytest

from napari_cuda.bench.comparison import Change, compare
from napari_cuda.bench.recording import Percentiles
from napari_cuda.bench.rows import Row

ROW = Row(
    workload="pan2d",
    link="loopback",
    latency_ms=Percentiles(25.0, 40.0),
    floor_ms=20.0,
    latency_ratio=1.25,
    frames_per_s=50.0,
    frames_ratio=0.9,
    bytes_per_s=1e6,
    moving_psnr_db=41.0,
    exact_ms=105.0,
    server_cpu=1.0,
    client_cpu=0.2,
)


def worse(**changed: object) -> list[str]:
    """Return the figures that are worse if the row has changed so."""
    changes = compare([msgspec.structs.replace(ROW, **changed)], [ROW])
    assert [change.figure for change in changes] == ["latency_ratio", "frames_ratio", "moving_psnr_db"]
    return [change.figure for change in changes if change.worse]


def test_a_slower_machine_is_no_regression() -> None:
    assert worse(latency_ms=Percentiles(250.0, 400.0), floor_ms=200.0, frames_per_s=5.0, exact_ms=900.0) == []


@pytest.mark.parametrize(
    ("changed", "figure"),
    [
        ({"latency_ratio": 1.6}, "latency_ratio"),
        ({"frames_ratio": 0.7}, "frames_ratio"),
        ({"moving_psnr_db": 38.5}, "moving_psnr_db"),
        ({"moving_psnr_db": None}, "moving_psnr_db"),
        ({"latency_ratio": None}, "latency_ratio"),
    ],
)
def test_what_is_worse_beyond_noise_is_said(changed: dict[str, object], figure: str) -> None:
    assert worse(**changed) == [figure]


@pytest.mark.parametrize(
    "changed",
    [{"latency_ratio": 1.4}, {"latency_ratio": 0.9}, {"frames_ratio": 0.8}, {"frames_ratio": 1.0},
     {"moving_psnr_db": 39.5}, {"moving_psnr_db": 50.0}],
)  # fmt: skip
def test_noise_and_gains_are_not(changed: dict[str, object]) -> None:
    assert worse(**changed) == []


def test_rows_that_only_one_run_has_are_left_out() -> None:
    assert compare([ROW], [msgspec.structs.replace(ROW, link="lan")]) == []


def test_a_change_tells_by_how_much() -> None:
    change = compare([msgspec.structs.replace(ROW, latency_ratio=1.0)], [ROW])[0]
    assert isinstance(change, Change)
    assert (change.before, change.now, change.gain) == (1.25, 1.0, pytest.approx(0.2))
