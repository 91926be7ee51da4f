from __future__ import annotations

import pytest

from napari_cuda.client import telemetry
from napari_cuda.metric_table import BUCKETS_S, Kind, Metric, MetricTable
from napari_cuda.server import metrics

TABLE = MetricTable(
    "client",
    Metric("packets", Kind.EVENT, "packets", "received"),
    Metric("decode", Kind.STAGE, "seconds", "decode one picture"),
    Metric("packets", Kind.QUEUE, "packets", "not decoded"),
)


def test_names_are_those_of_a_kind() -> None:
    assert TABLE.names(Kind.EVENT) == TABLE.names(Kind.QUEUE) == ["packets"]
    assert TABLE.names(Kind.STAGE) == ["decode"]


def test_each_kind_is_one_family_of_the_side() -> None:
    assert [TABLE.family(kind) for kind in Kind] == [
        "napari_cuda_client_events",
        "napari_cuda_client_stage_seconds",
        "napari_cuda_client_queue",
        "napari_cuda_client_level",
    ]


def test_the_reference_has_every_row() -> None:
    assert TABLE.reference()[1] == ("`decode`", "stage", "seconds", "decode one picture")
    assert len(TABLE.reference()) == 3


def test_an_unknown_name_says_what_to_do() -> None:
    assert (
        str(TABLE.unknown(Kind.STAGE, "decod")) == "the client has no stage 'decod': add a row to its table of metrics"
    )


def test_the_bounds_of_the_buckets_rise() -> None:
    assert list(BUCKETS_S) == sorted(set(BUCKETS_S))


@pytest.mark.parametrize("table", [telemetry.METRICS, metrics.METRICS], ids=["client", "server"])
def test_no_metric_is_declared_twice_and_stages_are_in_seconds(table: MetricTable) -> None:
    declared = [(row.kind, row.name) for row in table.rows]
    assert len(set(declared)) == len(declared)
    assert {row.unit for row in table.rows if row.kind is Kind.STAGE} == {"seconds"}
    assert all(row.meaning and "\n" not in row.meaning and "|" not in row.meaning for row in table.rows)
