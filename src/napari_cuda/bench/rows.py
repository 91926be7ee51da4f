"""Rows: the figures of one workload on one link, beside their floors; as JSON lines and as tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from rich.table import Table

from napari_cuda import workloads
from napari_cuda.bench.recording import Observation, Percentiles
from napari_cuda.netsim import Link
from napari_cuda.protocol.errors import ConfigError


class Row(msgspec.Struct, frozen=True):
    """One line of JSON. CPU in cores; None: not measured, or nothing was shown.

    `floor_ms` is the sum of the stages alone, the round trip and the transfer of a mean picture. `frames_ratio` is of
    what the slowest stage, the link or the hand (60 inputs a second) allows, whichever is least.
    """

    workload: str
    link: str
    latency_ms: Percentiles | None
    floor_ms: float
    latency_ratio: float | None
    frames_per_s: float
    frames_ratio: float
    bytes_per_s: float
    moving_psnr_db: float | None
    exact_ms: float | None
    server_cpu: float | None
    client_cpu: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A row, and what the tables show besides. Stages in seconds a frame, by name."""

    row: Row
    seen: Observation
    exact_floor_ms: float
    alone_s: Mapping[str, float]
    server_s: Mapping[str, float] = field(default_factory=dict)


def measured(
    names: tuple[str, str],
    seen: Observation,
    alone_s: Mapping[str, float],
    link: Link | None,
    server_cpu: float | None,
    server_s: Mapping[str, float],
) -> Measured:
    """Set what was seen of (workload, link) beside its floors."""
    path = link or Link()
    chain_s = [alone_s[stage] for stage in ("render", "encode", "decode")]
    frame_bytes = seen.bytes_received / max(1, seen.frames)
    transfer_s = 8 * frame_bytes / path.rate_bit_s if path.rate_bit_s else 0.0
    floor_ms = 1e3 * (sum(chain_s) + 2 * path.delay_s + transfer_s)
    most_per_s = min(workloads.INPUTS_PER_S, *(1 / spent_s for spent_s in (*chain_s, transfer_s) if spent_s))
    frames_per_s = seen.frames / seen.seconds
    row = Row(
        workload=names[0],
        link=names[1],
        latency_ms=seen.latency_ms,
        floor_ms=floor_ms,
        latency_ratio=seen.latency_ms.p50 / floor_ms if seen.latency_ms else None,
        frames_per_s=frames_per_s,
        frames_ratio=frames_per_s / most_per_s,
        bytes_per_s=seen.bytes_received / seen.seconds,
        moving_psnr_db=seen.moving_psnr_db,
        exact_ms=seen.exact_ms,
        server_cpu=server_cpu,
        client_cpu=seen.cpu,
    )
    exact_floor_ms = 1e3 * (alone_s["full"] + alone_s["still"] + 2 * path.delay_s)
    return Measured(row, seen, exact_floor_ms, alone_s, server_s)


def to_json_lines(rows: Sequence[Row]) -> str:
    """Return the rows, one line of JSON each; figures to four digits."""
    return "".join(msgspec.json.encode(_rounded(msgspec.to_builtins(row))).decode() + "\n" for row in rows)


def from_json_lines(text: str, source: str) -> list[Row]:
    """Return the rows of `to_json_lines`; ConfigError in one line if that is not what `source` holds."""
    try:
        return [msgspec.json.decode(line, type=Row) for line in text.splitlines() if line.strip()]
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{source} is not what `napari-cuda bench --json` writes: {error}") from None


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return {name: _rounded(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def _figure(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _pair(values: Percentiles | None) -> str:
    return "-" if values is None else f"{values.p50:.0f} / {values.p95:.0f}"


def figures_table(results: Sequence[Measured]) -> Table:
    """Return the table of what a user sees, each figure beside its floor."""
    delay = ("latency p50/p95", "floor", "ratio", "age p50/p95")
    headings = (*delay, "frames/s", "of floor", "MB/s", "moving dB", "SSIM", "exact", "floor", "server", "client")
    table = Table(title="input to decoded picture (ms), 60 inputs/s; CPU in cores", title_justify="left")
    for heading in ("workload", "link", *headings):
        table.add_column(heading, justify="left" if heading in ("workload", "link") else "right")
    for result in results:
        row, seen = result.row, result.seen
        table.add_row(
            row.workload,
            row.link,
            _pair(row.latency_ms),
            _figure(row.floor_ms),
            _figure(row.latency_ratio, 2),
            _pair(seen.age_ms),
            _figure(row.frames_per_s, 1),
            _figure(row.frames_ratio, 2),
            _figure(row.bytes_per_s / 1e6, 2),
            _figure(row.moving_psnr_db, 1),
            _figure(seen.moving_ssim, 3),
            _figure(row.exact_ms),
            _figure(result.exact_floor_ms),
            _figure(row.server_cpu, 2),
            _figure(row.client_cpu, 2),
        )
    return table


def stages_table(results: Sequence[Measured]) -> Table:
    """Return the table of what a frame costs in each stage, alone and in the chain."""
    table = Table(title="milliseconds a frame, by stage", title_justify="left")
    for heading in ("workload", "link", "alone", "server", "client"):
        table.add_column(heading, overflow="fold")
    for result in results:
        stages = (result.alone_s, result.server_s, result.seen.stages)
        table.add_row(result.row.workload, result.row.link, *(_listed(found) for found in stages))
    return table


def _listed(stages_s: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {1e3 * spent_s:.1f}" for name, spent_s in stages_s.items())
