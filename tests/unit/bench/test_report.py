"""What is asked for, and what cannot be done, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from napari_cuda.bench import report
from napari_cuda.bench.catalogue import LINKS, WORKLOADS
from napari_cuda.bench.run import Plan
from napari_cuda.protocol.errors import ConfigError

ONE = Plan(["pan2d"], ["loopback"])


def test_nothing_named_is_every_workload_on_loopback() -> None:
    chosen = report.plan([], [], seconds=5, client="script", flames=None)
    assert (list(chosen.workloads), list(chosen.links)) == (list(WORKLOADS), ["loopback"])


def test_all_is_every_one() -> None:
    chosen = report.plan(["all"], ["all"], seconds=5, client="script", flames=None)
    assert (list(chosen.workloads), list(chosen.links)) == (list(WORKLOADS), list(LINKS))


@pytest.mark.parametrize(
    ("workload", "link", "seconds", "client", "words"),
    [
        ("juggle", "lan", 5.0, "script", "there is no workload 'juggle'"),
        ("zoom", "moon", 5.0, "script", "there is no link 'moon'"),
        ("zoom", "lan", 0.0, "script", "0 s is no time"),
        ("zoom", "lan", 5.0, "browser", "use script or window"),
    ],
)
def test_what_there_is_not_is_refused(workload: str, link: str, seconds: float, client: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        report.plan([workload], [link], seconds=seconds, client=client, flames=None)


def test_files_are_tried_before_anything_is_measured(tmp_path: Path) -> None:
    nowhere = tmp_path / "none" / "rows.jsonl"
    with pytest.raises(ConfigError, match="cannot read"):
        report.bench(Console(), ONE, json_file=None, against=nowhere)
    with pytest.raises(ConfigError, match="cannot write"):
        report.bench(Console(), ONE, json_file=nowhere, against=None)
