"""Histograms: counted at once, or by a job where all of a large layer has to be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from command_stage import CommandStage

SHAPE = (65, 1000, 1000)


class Blocks:
    """A lazy volume of 65 MB that counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0
        self.volume = da.map_blocks(self.read, chunks=((1,) * 65, (1000,), (1000,)), dtype=np.uint8)

    def read(self, block_info: Any = None) -> np.ndarray[Any, Any]:
        self.reads += 1
        return np.full((1, 1000, 1000), 7, np.uint8)


@pytest.fixture
def stage() -> Iterator[CommandStage]:
    stage = CommandStage()
    yield stage
    stage.jobs.close()


@pytest.fixture
def large(stage: CommandStage) -> tuple[Image, str]:
    layer = stage.viewer.add_layer(Image(Blocks().volume, contrast_limits=(0, 255)))
    return layer, stage.bridge.layer_id(layer)


def test_all_of_a_large_layer_is_counted_by_a_job(stage: CommandStage, large: tuple[Image, str]) -> None:
    layer, layer_id = large
    assert stage.do("layer.histogram", layer=layer_id, mode="full") == ""
    assert stage.delivered == []
    while not stage.delivered:
        stage.run_posted()
    viewer, histogram = stage.delivered[0]
    assert (viewer, histogram.layer) == ("V1", layer_id)
    assert sum(histogram.counts) >= 1_000_000
    # Another slice is the same data.
    layer.events.set_data()
    stage.histograms.tell()
    assert stage.posted.empty()
    layer.events.contrast_limits_range()
    stage.histograms.tell()
    while len(stage.delivered) < 2:
        stage.run_posted()


def test_what_changes_while_it_is_counted_is_counted_again(stage: CommandStage, large: tuple[Image, str]) -> None:
    layer, layer_id = large
    stage.do("layer.histogram", layer=layer_id, mode="full")
    layer.events.contrast_limits_range()
    stage.histograms.tell()
    while len(stage.delivered) < 2:
        stage.run_posted()
    assert [update.state for _, update in stage.told].count("done") >= 1


def test_the_slice_is_counted_at_once_whatever_the_size(stage: CommandStage, large: tuple[Image, str]) -> None:
    layer, layer_id = large
    stage.do("layer.histogram", layer=layer_id)
    assert len(stage.delivered) == 1
    layer.events.set_data()
    stage.histograms.tell()
    assert len(stage.delivered) == 2
    assert stage.told == []
    stage.histograms.forget("V1")
    layer.events.set_data()
    stage.histograms.tell()
    assert len(stage.delivered) == 2
