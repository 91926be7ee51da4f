"""Real files through real reader plugins, as a user opens them; and the user's settings stay theirs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import yaml
import zarr
from ome_zarr.writer import write_image, write_multiscale
from PIL import Image

import napari_cuda
from gl_window import require_display
from integration.conftest import Connect, Serve
from scenes import mri_volume, smooth_image

CLIENT = Path(__file__).parent.parent / "client_process.py"

Picture = npt.NDArray[np.uint8]
Snapshot = Callable[..., tuple[dict[str, Any], Picture]]


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Run `napari-cuda snapshot`; return its JSON and the picture."""

    def take(source: object, *options: str) -> tuple[dict[str, Any], Picture]:
        out = tmp_path / "picture.png"
        words = [sys.executable, "-m", "napari_cuda", "snapshot", str(source), "-o", str(out), "--json", *options]
        done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout), np.asarray(Image.open(out))

    return take


def colors(picture: Picture) -> int:
    return len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0))


def check_report(report: dict[str, Any], picture: Picture, layers: list[str], size: tuple[int, int]) -> None:
    assert report["layers"] == layers
    assert tuple(report["size"]) == size == picture.shape[1::-1]
    assert picture.shape[2] == 4
    assert report["revision"] >= 1
    assert all(seconds >= 0 for seconds in report["timings_s"].values())
    assert {"start", "connect", "exact_picture", "write"} <= set(report["timings_s"])


def test_a_tiff_stack(snapshot: Snapshot, tmp_path: Path) -> None:
    stack = np.zeros((5, 120, 160), np.uint8)
    stack[:, 0, 0] = 255  # the full range, whichever slice napari takes its limits from
    for number in range(5):
        stack[number, 40:80, 40:120] = 40 * (number + 1)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack)
    report, picture = snapshot(path, "--size", "320x240")
    check_report(report, picture, ["stack"], (320, 240))
    # napari begins in the middle of the stack: slice 2, grey of 120.
    assert np.array_equal(picture[120, 160], (120, 120, 120, 255))


def test_balls_in_three_dimensions(snapshot: Snapshot) -> None:
    flat, flat_picture = snapshot("sample:balls_3d", "--size", "320x240")
    report, picture = snapshot("sample:balls_3d", "--size", "320x240", "--ndisplay", "3")
    check_report(report, picture, flat["layers"], (320, 240))
    assert colors(picture) > 100
    assert not np.array_equal(picture, flat_picture)


def test_the_mri_volume(snapshot: Snapshot, tmp_path: Path) -> None:
    path = tmp_path / "T1.tif"
    tifffile.imwrite(path, np.ascontiguousarray(mri_volume()))
    report, picture = snapshot(path, "--size", "320x240", "--ndisplay", "3")
    check_report(report, picture, ["T1"], (320, 240))
    # A head: bright in the middle, nothing in the corners, grey throughout.
    assert picture[120, 160, 0] > 60
    assert not picture[:20, :20, :3].any()
    assert np.array_equal(picture[..., 0], picture[..., 1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ome-zarr")


WINDOW = {"start": 0, "end": 255, "min": 0, "max": 255}


def test_a_multichannel_pyramid(snapshot: Snapshot, folder: Path) -> None:
    path = folder / "cells.zarr"
    channels = np.stack([smooth_image(512, 768, 1), smooth_image(512, 768, 2)])
    omero = {
        "channels": [
            {"label": "nuclei", "color": "FF0000", "active": True, "window": WINDOW},
            {"label": "membrane", "color": "00FF00", "active": True, "window": WINDOW},
        ]
    }
    write_image(channels, zarr.open_group(path, mode="w"), axes="cyx", omero=omero)
    report, picture = snapshot(path, "--size", "384x256")
    check_report(report, picture, ["image: nuclei", "image: membrane"], (384, 256))
    # Red and green, added: no blue.
    assert picture[..., 0].any()
    assert picture[..., 1].any()
    assert not picture[..., 2].any()


def test_five_dimensions(serve: Serve, connect: Connect, folder: Path) -> None:
    path = folder / "movie.zarr"
    movie = np.zeros((3, 1, 4, 96, 128), np.uint8)
    movie[..., 0, 0] = 255
    for time in range(3):
        for z in range(4):
            movie[time, 0, z, 24:72, 32:96] = 60 * time + 10 * z + 20
    write_image(movie, zarr.open_group(path, mode="w"), axes="tczyx", scaler=None)
    viewer = connect(serve(path, "--size", "256x192"))
    assert viewer.dims.ndim in (4, 5)
    assert len(viewer.layers) == 1
    first, second = (0, viewer.dims.ndim - 3)
    viewer.layers[0].contrast_limits = (0, 255)
    for time, z in ((0, 0), (2, 3), (1, 2)):
        viewer.dims.set_current_step(first, time)
        viewer.dims.set_current_step(second, z)
        grey = viewer.screenshot()[96, 128, 0]
        assert grey == 60 * time + 10 * z + 20, (time, z)


def test_the_level_follows_the_zoom(serve: Serve, connect: Connect, folder: Path) -> None:
    path = folder / "levels.zarr"
    greys = (200, 120, 40)
    levels = [grey + smooth_image(1536 >> level, 2048 >> level) // 16 for level, grey in enumerate(greys)]
    write_multiscale(levels, zarr.open_group(path, mode="w"), axes="yx")
    viewer = connect(serve(path, "--size", "320x240"))
    layer = viewer.layers[0]
    assert [tuple(shape.shape) for shape in layer.data] == [(1536, 2048), (768, 1024), (384, 512)]
    layer.contrast_limits = (0, 255)
    viewer.scene.camera.center = (0, 768, 1024)
    # The coarsest level that still has a pixel for each of the screen's.
    for zoom, level in ((0.2, 2), (0.45, 1), (1.5, 0), (0.45, 1), (0.2, 2)):
        viewer.scene.camera.zoom = zoom
        grey = int(viewer.screenshot()[120, 160, 0])
        assert greys[level] <= grey < greys[level] + 16, f"zoom {zoom}: {grey}"


def test_the_reader_says_what_is_wrong(folder: Path) -> None:
    broken = folder / "broken.zarr"
    broken.mkdir()
    (broken / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"multisc')
    words = [sys.executable, "-m", "napari_cuda", "serve", "--port", "0", str(broken)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: cannot open {broken}: ")
    assert len(last) > len(f"error: cannot open {broken}: ") + 10


# --- from Python ----------------------------------------------------------------------------

FUNCTION = """
import numpy as np
import napari_cuda

def build(viewer):
    viewer.add_image(np.full((20, 30), 7), name="from python")

napari_cuda.serve(build, port=0, size=(320, 240), on_ready=lambda server: print(server.connect_url, flush=True))
"""

MODEL = """
import napari_cuda
napari_cuda.prepare_server_process()
import numpy as np
from napari.components import ViewerModel

viewer = ViewerModel()
viewer.add_image(np.full((20, 30), 7), name="from python")
napari_cuda.serve(viewer, port=0, size=(320, 240), on_ready=lambda server: print(server.connect_url, flush=True))
"""


@pytest.mark.parametrize("script", [FUNCTION, MODEL], ids=["function", "model"])
def test_serve_from_python(script: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, process.communicate()[1]
        with napari_cuda.connect(url, window=False) as viewer:
            assert [layer.name for layer in viewer.layers] == ["from python"]
            assert viewer.screenshot().shape == (240, 320, 4)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
    finally:
        process.kill()
        process.communicate()


def test_serve_too_late_says_so() -> None:
    late = MODEL.replace("napari_cuda.prepare_server_process()\n", "")
    done = subprocess.run([sys.executable, "-c", late], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "StartupError: napari was imported before the headless set-up" in last
    assert "prepare_server_process" in last


# --- whose settings -------------------------------------------------------------------------

WHERE = """
from napari.settings import get_settings
settings = get_settings()
settings.appearance.theme = "light"
settings.save()
print(settings.config_path)
"""


SCRIPT = """
import sys
import napari_cuda
with napari_cuda.connect(sys.argv[1], window=False) as viewer:
    viewer.sync(60)
"""


def test_the_users_settings_are_untouched(tmp_path: Path) -> None:
    require_display()
    home = tmp_path / "home"
    home.mkdir()
    own = ["env", "-u", "NAPARI_CONFIG", "-u", "XDG_STATE_HOME", "-u", "XDG_CONFIG_HOME", f"HOME={home}"]

    def run(*words: str) -> str:
        done = subprocess.run([*own, sys.executable, *words], capture_output=True, text=True, timeout=110, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    path = Path(run("-c", WHERE).strip())
    assert path.is_relative_to(home)
    assert "light" in path.read_text()
    before = path.read_bytes()
    run("-m", "napari_cuda", "snapshot", "sample:balls_2d", "-o", str(tmp_path / "x.png"))
    assert path.read_bytes() == before
    server = subprocess.Popen(
        [*own, sys.executable, "-m", "napari_cuda", "serve", "--port", "0", "--announce", "json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        facts = json.loads(server.stdout.readline())
        run("-c", SCRIPT, f"{facts['url']}?token={facts['token']}")
        assert path.read_bytes() == before
        run(str(CLIENT), "window", f"{facts['url']}?token={facts['token']}")
    finally:
        server.terminate()
        server.communicate()
    # A napari window of any kind notes where it was when it closes. All else is as the user left it.
    assert yaml.safe_load(path.read_text()) | {"application": None} == yaml.safe_load(before) | {"application": None}
    assert (home / ".local" / "state" / "napari-cuda" / "server" / "napari.yaml").is_file(), "the server has its own"
