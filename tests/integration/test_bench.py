"""`napari-cuda bench`: a real server, a simulated link and a real client, for two seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from napari_cuda.bench.recording import Percentiles
from napari_cuda.bench.rows import Row, from_json_lines, to_json_lines

UNREACHED = Row(
    workload="pan2d",
    link="lan",
    latency_ms=Percentiles(1.0, 2.0),
    floor_ms=1000.0,
    latency_ratio=0.001,
    frames_per_s=60.0,
    frames_ratio=0.01,
    bytes_per_s=1e6,
    moving_psnr_db=20.0,
    exact_ms=100.0,
    server_cpu=None,
    client_cpu=0.1,
)
"""No machine has such a latency; any has these frames and this picture."""


@pytest.mark.timeout(300)
def test_two_seconds_over_a_link_is_measured_and_compared(tmp_path: Path) -> None:
    baseline, written = tmp_path / "before.jsonl", tmp_path / "now.jsonl"
    baseline.write_text(to_json_lines([UNREACHED]))
    files = ["--json", str(written), "--against", str(baseline)]
    what = ["--workload", "pan2d", "--link", "lan", "--seconds", "2"]
    command = [sys.executable, "-m", "napari_cuda", "bench", *what, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    shown = done.stdout
    assert done.returncode == 1, f"a latency 1000 times as long is worse\n{done.stderr}"
    assert done.stderr == ""
    [row] = from_json_lines(written.read_text(), written.name)
    assert (row.workload, row.link) == ("pan2d", "lan")
    assert row.latency_ms is not None
    assert 0 < row.latency_ms.p50 <= row.latency_ms.p95
    assert row.floor_ms > 1.0
    assert row.latency_ratio is not None
    assert row.frames_per_s > 0
    assert row.bytes_per_s > 0
    assert row.moving_psnr_db is not None
    # The camera of another input would show noise that moved: less than 20 dB.
    assert row.moving_psnr_db > 30
    assert row.exact_ms is not None
    assert row.exact_ms > 0
    assert row.server_cpu is None or row.server_cpu > 0
    assert row.client_cpu > 0
    verdicts = [line.split("│")[3:7] for line in shown.splitlines() if line.startswith("│ pan2d") and "ok" in line]
    assert len(verdicts) == 2, f"frames and quality are not worse\n{shown}"
    assert "worse" in shown
    for stage in ("render", "encode_delta", "decode"):
        assert f"{stage} " in shown, "the stages of both sides are told"
    assert set(msgspec.to_builtins(row)) == set(Row.__struct_fields__)
