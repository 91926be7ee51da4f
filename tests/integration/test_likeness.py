"""The window looks like stock napari's: the same canvas, the same widgets in the same places, saying the same."""

from __future__ import annotations

import difflib

import pytest

from gl_window import require_display
from likeness import remote_look, stock_look
from likeness_scenes import SCENES
from pictures import psnr_db

LEAST_DB = 45.0
"""Both draw with the same OpenGL: flat scenes come out equal, volumes nearly (51 dB)."""


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("scene", SCENES)
def test_the_window_looks_like_stock_naparis(scene: str) -> None:
    require_display()
    stock, remote = stock_look(scene), remote_look(scene)
    changes = [line for line in difflib.unified_diff(stock.widgets, remote.widgets, n=0) if line[0] in "+-"]
    assert not changes, "\n".join(changes)
    assert remote.canvas_at == stock.canvas_at
    assert remote.canvas.shape == stock.canvas.shape
    assert psnr_db(remote.canvas, stock.canvas) >= LEAST_DB
