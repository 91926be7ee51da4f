"""Every script of `examples/`, in stock napari and under `napari-cuda run`: the same picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gl_window import require_display
from napari_cuda.client.headless import RemoteViewer
from served_script import differing, likeness, run_script, served_picture

ROOT = Path(__file__).parents[2]
SIZE = "400x300"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
QUICK = {"images", "overlays", "screenshots", "threads"}
"""Run by `make test`; each takes a server of its own, so that the others are left to `make test-slow`."""


def ready(name: str, viewer: RemoteViewer) -> bool:
    """Return whether a script is done with what it does in the background."""
    return name != "threads" or viewer.canvas.overlays.text.text == "done"


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The pictures that stock napari draws of the scripts that are tried, in one process."""
    require_display()
    chosen = [item.callspec.params["script"] for item in request.session.items if hasattr(item, "callspec")
              and item.path == request.path]  # fmt: skip
    folder = tmp_path_factory.mktemp("stock")
    command = [sys.executable, ROOT / "tests" / "stock_script.py", SIZE, folder, *chosen]
    environment = ["env", f"NAPARI_CONFIG={folder / 'napari.yaml'}"]
    done = subprocess.run([*environment, *map(str, command)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize(
    "script",
    [pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.slow) for path in EXAMPLES],
)
def test_a_script_shows_what_it_shows_in_napari(script: Path, stock: Path) -> None:
    expected = np.load(stock / f"{script.stem}.npy")
    with run_script(script, options=["--size", SIZE]) as server:
        found = served_picture(server, ready=lambda viewer: ready(script.stem, viewer))
    assert expected.std() > 5, "stock napari's picture shows nothing"
    assert likeness(found, expected) >= 0.99, f"{differing(found, expected)} pixels differ"
