"""What the source counts is in the tables of metrics: a misspelt name would fail only when its line runs."""

from __future__ import annotations

import re

import pytest

from meta.repository import modules, text_of
from napari_cuda.client import telemetry
from napari_cuda.metric_table import Kind, MetricTable
from napari_cuda.server import metrics

USE = re.compile(r'metrics\.(count|observe|watch|show)\(\s*"(\w+)"')
KINDS = {"count": Kind.EVENT, "observe": Kind.STAGE, "watch": Kind.QUEUE, "show": Kind.LEVEL}


@pytest.mark.parametrize(("side", "table"), [("client", telemetry.METRICS), ("server", metrics.METRICS)])
def test_every_name_in_the_source_is_in_the_table(side: str, table: MetricTable) -> None:
    used = {
        (str(path), KINDS[verb], name)
        for path in modules()
        if path.is_relative_to(f"src/napari_cuda/{side}")
        for verb, name in USE.findall(text_of(path) or "")
    }
    assert len(used) > 5
    unknown = sorted(f"{path}: {kind.value} {name}" for path, kind, name in used if name not in table.names(kind))
    assert not unknown, f"add rows to the table of metrics: {unknown}"


@pytest.mark.parametrize(("side", "table"), [("client", telemetry.METRICS), ("server", metrics.METRICS)])
def test_every_row_of_the_table_is_counted_somewhere(side: str, table: MetricTable) -> None:
    texts = [
        text_of(path) or ""
        for path in modules()
        if path.is_relative_to(f"src/napari_cuda/{side}") and path.name not in ("telemetry.py", "metrics.py")
    ]

    def counted(name: str) -> bool:
        # `f"encode_{job}"` counts every `encode_…`.
        written = (f'"{name}"', f'f"{name.partition("_")[0]}_{{')
        return any(words in text for text in texts for words in written)

    unused = sorted({row.name for row in table.rows if not counted(row.name)})
    assert not unused, f"nothing counts these: {unused}"
