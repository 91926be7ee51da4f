"""ProgressBars: what clients are told of napari's progress bars, and which of them can be cancelled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from napari.utils import cancelable_progress, progress

from napari_cuda.protocol.messages import JobUpdate
from napari_cuda.server.render.progress import ProgressBars


@pytest.fixture
def told() -> list[JobUpdate]:
    return []


@pytest.fixture
def bars(told: list[JobUpdate]) -> Iterator[ProgressBars]:
    bars = ProgressBars(told.append)
    yield bars
    bars.close()


def test_a_bar_is_a_job_until_it_is_closed(bars: ProgressBars, told: list[JobUpdate]) -> None:
    with progress(total=4, desc="cells") as bar:
        assert told == [JobUpdate("progress-1", 0, "cells", fraction=0.0, can_cancel=False)]
        bar.update(2)
        assert bars.known() == [JobUpdate("progress-1", 0, "cells", fraction=0.5, can_cancel=False)]
    assert told[-1] == JobUpdate("progress-1", 0, "cells", "done", 0.5, can_cancel=False)
    assert bars.known() == told[-1:]


def test_steps_are_not_all_told(bars: ProgressBars, told: list[JobUpdate]) -> None:
    for _ in progress(range(1000), desc="many"):
        pass
    assert len(told) < 500
    assert told[-1].state == "done"


def test_a_loop_that_can_be_cancelled_is(bars: ProgressBars, told: list[JobUpdate]) -> None:
    steps = 0
    for step in cancelable_progress(range(10), desc="cells"):
        steps += 1
        if step == 3:
            assert told[0].can_cancel
            bars.cancel("progress-7")
            bars.cancel(told[0].job)
    assert steps == 4


def test_a_bar_that_is_closed_says_nothing_more(bars: ProgressBars, told: list[JobUpdate]) -> None:
    bar = progress(total=4)
    bar.close()
    bar.set_description("late")
    assert told[-1].state == "done"
