"""`napari-cuda bench`: a run, its tables, its file, and the comparison with an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from napari_cuda import settings
from napari_cuda.bench import comparison, rows
from napari_cuda.bench.catalogue import LINKS, WORKLOADS
from napari_cuda.bench.run import Plan, run
from napari_cuda.protocol.errors import ConfigError

_EVERY = "all"
_WIDTH = 160
"""Of the tables where nobody looks at them: in a file, or in the log of a job."""


def plan(workloads: Sequence[str], links: Sequence[str], *, seconds: float, client: str, flames: Path | None) -> Plan:
    """Return what the options ask for: no workloads mean all, no links loopback. ConfigError in one line."""
    if client not in ("script", "window"):
        raise ConfigError(f"--client {client!r} is not known: use script or window")
    if client == "window":
        settings.require_display()
    return Plan(
        list(WORKLOADS) if not workloads or _EVERY in workloads else workloads,
        list(LINKS) if _EVERY in links else links or ["loopback"],
        seconds,
        client,
        flames,
    )


def bench(out: Console, chosen: Plan, *, json_file: Path | None, against: Path | None) -> bool:
    """Run, print, write; False if something got worse than in the file `against`. ConfigError in one line."""
    baseline = None if against is None else rows.from_json_lines(_read(against), str(against))
    if json_file is not None:
        _write(json_file, "")  # before minutes of measuring
    console = out if out.is_terminal else Console(file=out.file, width=_WIDTH)
    results = []
    for result in run(chosen, lambda text: console.print(f"[dim]{text}[/dim]", highlight=False)):
        results.append(result)
        if json_file is not None:
            _write(json_file, rows.to_json_lines([done.row for done in results]))
    console.print(rows.figures_table(results))
    console.print(rows.stages_table(results))
    if baseline is None:
        return True
    changes = comparison.compare([done.row for done in results], baseline)
    if not changes:
        raise ConfigError(f"{against} has none of these workloads and links: nothing to compare with")
    console.print(comparison.changes_table(changes))
    return not any(change.worse for change in changes)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"cannot read {file}: {reason}") from None


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}") from None
