"""Against a saved run: what got worse beyond noise, whatever the machine. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from napari_cuda.bench.rows import Row


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure in which the speed of the machine cancels out. `noise` is how far two runs of the same may differ.

    It is a share of the baseline's figure, or `absolute` in the figure's own unit.
    """

    name: str
    higher_is_better: bool
    noise: float
    absolute: bool = False

    def gain(self, now: float, before: float) -> float:
        """Return by how much `now` is better than `before`; negative: worse."""
        change = now - before if self.absolute else now / before - 1
        return change if self.higher_is_better else -change


JUDGED = (
    Judged("latency_ratio", higher_is_better=False, noise=0.20),
    Judged("frames_ratio", higher_is_better=True, noise=0.15),
    Judged("moving_psnr_db", higher_is_better=True, noise=2.0, absolute=True),
)
"""What is compared: ratios to floors of the same run, and the picture's quality."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure, before and now. `worse`: beyond noise, or not measured any more."""

    workload: str
    link: str
    figure: str
    before: float
    now: float | None
    gain: float
    worse: bool


def compare(rows: Sequence[Row], baseline: Sequence[Row]) -> list[Change]:
    """Return how every figure that both runs have changed; rows that only one of them has are left out."""
    known = {(row.workload, row.link): row for row in baseline}
    changes = []
    for row in rows:
        old = known.get((row.workload, row.link))
        for judged in JUDGED if old is not None else ():
            before, now = getattr(old, judged.name), getattr(row, judged.name)
            if not before:
                continue
            gain = float("-inf") if now is None else judged.gain(now, before)
            changes.append(Change(row.workload, row.link, judged.name, before, now, gain, worse=gain < -judged.noise))
    return changes


def changes_table(changes: Sequence[Change]) -> Table:
    """Return the table of changes; what got worse is marked."""
    table = Table(title="against the baseline", title_justify="left")
    for heading in ("workload", "link", "figure", "before", "now", "verdict"):
        table.add_column(heading, justify="right" if heading in ("before", "now") else "left")
    for change in changes:
        now = "-" if change.now is None else f"{change.now:.2f}"
        verdict = "[bold red]worse[/bold red]" if change.worse else "ok"
        table.add_row(change.workload, change.link, change.figure, f"{change.before:.2f}", now, verdict)
    return table
