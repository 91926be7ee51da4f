"""What `benchmarks/peers.py` makes of its figures, and the mark by which it knows frames."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from peers import Figures, bars, median_of, page
from PIL import Image
from stock_napari import CELL_PX, cells_of, number_of

OURS = Figures(
    frames_per_s=40.0,
    age_ms=30.0,
    age_p95_ms=45.0,
    shown_age_ms=40.0,
    megabytes_per_s=0.5,
    server_cpu=1.2,
    client_cpu=0.15,
    moving_db=42.0,
    exact_ms=105.0,
    click_ms=30.0,
    click_p95_ms=40.0,
)
VNC = replace(OURS, frames_per_s=26.0, age_ms=70.0, megabytes_per_s=8.0, moving_db=39.0, exact_ms=None, click_ms=75.0)
LOCAL = replace(OURS, frames_per_s=33.0, age_ms=38.0, moving_db=None, exact_ms=50.0, click_ms=50.0)


@pytest.mark.parametrize("number", [0, 1, 640 + 4096 * 361, (1 << 23) + 60])
def test_a_mark_is_read_from_a_lossy_picture(number: int) -> None:
    mark = cells_of(number).repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)
    file = io.BytesIO()
    Image.fromarray(mark).save(file, "JPEG", quality=60)
    assert number_of(np.asarray(Image.open(file))) == number


def test_medians_are_of_what_was_measured_and_none_if_that_is_the_minority() -> None:
    rounds = [replace(OURS, age_ms=age_ms, exact_ms=exact_ms) for age_ms, exact_ms in ((30, None), (50, None), (31, 9))]
    found = median_of(rounds)
    assert (found.age_ms, found.exact_ms) == (31, None)


def test_every_bar_is_judged_and_losses_are_told() -> None:
    found = {("pan2d", "ours"): OURS, ("pan2d", "vnc"): VNC, ("pan2d", "local"): LOCAL}
    assert len(bars(found)) == 9
    assert all(bar.met for bar in bars(found))
    slow = found | {("pan2d", "ours"): replace(OURS, click_ms=38.0, exact_ms=None)}
    lost = [bar.what for bar in bars(slow) if not bar.met]
    assert lost == ["pan2d: exact at rest, 110 ms", "click to pixel, 0.75 × local", "click to pixel, 0.5 × VNC"]
    text = page(slow, rounds=3, seconds=8.0, load=(0.1, 1.2))
    assert text.count("**lost**") == 3
    assert "never (6 s)" in text


def test_a_volume_is_measured_against_the_window_only() -> None:
    found = {("mip3d", "ours"): replace(OURS, frames_per_s=15.0), ("mip3d", "local"): replace(LOCAL, frames_per_s=2.1)}
    (bar,) = bars(found)
    assert bar.met
    assert bar.allowed == pytest.approx(14.7)
