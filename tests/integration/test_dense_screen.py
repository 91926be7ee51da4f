"""A window on a screen of high resolution shows what stock napari shows there, to the pixel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gl_window import require_display
from integration.dense_screen_probe import CANVAS
from scene_server import SceneServer

PROBE = Path(__file__).with_name("dense_screen_probe.py")
Seen = tuple[float, dict[str, np.ndarray], dict[str, Any]]


@pytest.fixture(scope="module", params=[1.5, 2.0])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """The ratio, and what a window and stock napari's showed at it."""
    require_display()
    pictures = tmp_path_factory.mktemp("dense") / "pictures.npz"
    with SceneServer("flat", size=(200, 150)) as server:
        done = subprocess.run(
            [sys.executable, str(PROBE), server.connect_url, str(pictures)],
            env={**os.environ, "QT_SCALE_FACTOR": str(request.param)},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(pictures) as saved:
        yield request.param, dict(saved), json.loads(done.stdout.splitlines()[-1])


def test_the_server_draws_every_pixel_of_the_screen(seen: Seen) -> None:
    ratio, pictures, facts = seen
    width, height = (int(side * ratio) for side in CANVAS)
    assert facts["ratio"] == facts["known"]["rendering.pixel_ratio"] == ratio
    assert facts["known"]["size"] == facts["size"] == list(CANVAS[::-1]), "napari's canvas is in logical pixels"
    assert facts["own"]
    assert facts["canvas"] == [width, height]
    assert pictures["exact"].shape == (height, width, 3)


def test_the_window_shows_what_stock_napari_shows(seen: Seen) -> None:
    _ratio, pictures, _facts = seen
    assert np.array_equal(pictures["window"], pictures["stock"])


def test_a_stroke_is_where_stock_napari_has_it(seen: Seen) -> None:
    _ratio, pictures, facts = seen
    assert not np.array_equal(pictures["window_painted"], pictures["window"]), "nothing was painted"
    assert np.array_equal(pictures["window_painted"], pictures["stock_painted"])
    assert facts["value"] is not None


def test_the_picture_follows_the_camera_by_what_that_moved(seen: Seen) -> None:
    _ratio, _pictures, facts = seen
    assert facts["still"], "at rest nothing is re-projected"
    assert facts["zoomed"] == pytest.approx(1.5)
