"""The headless canvas against stock desktop napari, and its own promises.

Every case is a process of its own: a process renders headless or not from its first import
on. The desktop needs a display (`DISPLAY`, Xvfb will do).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headless_process import run, run_headless

HERE = Path(__file__).parent
PROBE = HERE / "headless_probe.py"
EXACTNESS = HERE / "exactness_probe.py"


def _probe(folder: Path, *args: str, probe: Path = PROBE) -> dict[str, Any]:
    done = run_headless(folder / "server" / "napari.yaml", probe, *args)
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("scene", ["flat", "mri", "blending"])
def test_picture_equals_the_desktops(scene: str, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.npy", tmp_path / "theirs.npy"
    result = _probe(tmp_path, "picture", scene, str(ours))
    desktop = ["env", "-u", "QT_QPA_PLATFORM", "-u", "PYOPENGL_PLATFORM", f"NAPARI_CONFIG={tmp_path / 'desktop.yaml'}"]
    done = run([*desktop, sys.executable, str(HERE / "desktop_reference.py"), scene, str(theirs)])
    assert done.returncode == 0, done.stderr[-3000:]
    a, b = np.load(ours), np.load(theirs)
    assert a.shape == b.shape == (720, 1280, 4)
    assert np.ptp(b[..., :3]) > 200, "the reference picture is empty"
    assert (a[..., 3] == 255).all()
    error = float(((a[..., :3].astype(float) - b[..., :3]) ** 2).mean())
    psnr_db = np.inf if error == 0 else 10 * np.log10(255**2 / error)
    assert psnr_db >= 45
    assert result["has_volume"] is (scene == "mri")


def test_noise_moves_quickly_and_rests_and_is_grabbed_bit_identical_to_the_desktops(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.npy", tmp_path / "theirs.npy"
    result = _probe(tmp_path, "exactly", "noise", str(ours), probe=EXACTNESS)
    desktop = ["env", "-u", "QT_QPA_PLATFORM", "-u", "PYOPENGL_PLATFORM", f"NAPARI_CONFIG={tmp_path / 'desktop.yaml'}"]
    done = run([*desktop, sys.executable, str(HERE / "desktop_reference.py"), "noise", str(theirs)])
    assert done.returncode == 0, done.stderr[-3000:]
    assert np.array_equal(np.load(ours), np.load(theirs))
    assert result["moving_differs"] > 0, "this scene tells nothing: constants draw it as well"
    assert result["grab_is_rest"]
    # Moving, at rest, at rest again, moving to the same place, at rest; moving elsewhere and back.
    assert result["exact"] == [False, True, True, False, True, False, False]
    assert result["linked"] == [[1, 0, 0, 0, 0], [0, 2, 0, 0, 0]], "one program for what moves, one twin at first rest"
    assert result["calm"] == [True] * 5, "the exact picture asks for another"
    assert len(set(result["hashes"][1:])) == 1, "a draw that changes nothing is another picture"
    assert not result["after_grab"], "what moves is drawn exactly once something was grabbed"
    assert result["turns"] == [3, 1], "three more images: their twins are not linked one a turn, where turns are short"


def test_a_programs_twin_draws_what_the_program_was_told(tmp_path: Path) -> None:
    result = _probe(tmp_path, "twin", probe=EXACTNESS)
    # Red is a uniform to the power of gamma, green is a texture, blue is an attribute.
    expected = {
        "first": (255, 0, 51),
        "green": (255, 255, 51),
        "uniform": (102, 255, 51),
        "attribute": (102, 255, 153),
        "texture": (102, 51, 153),
        "another constant": (0, 51, 153),
        "it back": (204, 51, 153),
        "code": (255, 51, 0),
        "anew": (102, 255, 51),
    }
    for step, color in expected.items():
        quick, exact = [*color, True], [*color, False]
        assert result[step] == [quick, exact, quick, 2], step
    quick, exact, _, programs = result["gone"]  # what a texture shows that was deleted is nobody's business
    assert (quick[0], exact[0], programs) == (204, 204, 2)
    for step, red in (("gamma", 163), ("gamma back", 204)):
        assert result[step] == [[red, 255, 0, False]] * 3 + [1], "no twin where gamma is a uniform anyway"
    assert result["left"] == 0


def test_flat_scene_rests_resizes_and_refuses(tmp_path: Path) -> None:
    result = _probe(tmp_path, "flat")
    assert result["early_layers_drawn"], "layers added before the canvas are not shown"
    assert result["idle"], "a scene at rest asks for pictures"
    assert result["same_rows"], "the two ways to read the picture differ"
    assert "(720, 1280, 4)" in result["refused"]
    margin = result["margin"]
    assert margin["calm"], "a picture of more than the canvas changes the canvas, or asks for another"
    # Where a pixel falls between two of the data, rounding may decide otherwise.
    assert margin["differing"] < 0.01
    assert margin["around"] > 20, "there is nothing in the margin"
    assert result["model_size"] == [480, 640]
    assert result["resized_mean"] > 20
    assert result["resized_like_fresh"], "a resized canvas draws differently from a new one of that size"
    assert result["pose_matches"]
    assert result["widget_deleted"], "a widget of a script that asked to be deleted lives on"
    assert not result["has_volume"]


def test_a_slice_that_hangs_can_be_given_up(tmp_path: Path) -> None:
    result = _probe(tmp_path, "giving_up")
    assert (result["waits"], result["loaded"]) == (True, True)
    assert result["older"] == [50, 50, 50, 255]
    assert result["newer"] == result["late"] == [190, 190, 190, 255]


def test_async_slicing_never_blocks_and_ends_with_the_last_slice(tmp_path: Path) -> None:
    result = _probe(tmp_path, "slicing")
    assert result["before"] == {"settled": False, "loaded": False, "wakers": 0}
    assert result["center"] == [230, 230, 230, 255]
    assert result["wakers"] == 1
    assert not result["woken_by_main"]


def test_multiscale_level_follows_the_zoom(tmp_path: Path) -> None:
    result = _probe(tmp_path, "multiscale")
    assert result["fit"]["level"] >= 3
    assert result["fit"]["center"] == [40 * (result["fit"]["level"] + 1)] * 3 + [255]
    assert result["near"]["level"] == 0
    assert result["near"]["center"] == [40, 40, 40, 255]
    assert result["near"]["draws"] >= 2, "the level changes after the first picture: a second must follow"


def test_of_a_volume_that_is_too_large_the_part_in_view_is_shown_finer_and_in_its_place(tmp_path: Path) -> None:
    found = _probe(tmp_path, "parts")["found"]
    for pose in found:
        assert pose["level"] < pose["before"][0], "no finer than all of it"
        assert np.prod(pose["shape"]) < np.prod(pose["of"]), "all of the level"
        assert pose["contrast"] > 1, "the picture is empty"
        # Rays begin at the part's own side: between two voxels they sample at other places.
        assert pose["psnr_db"] > 60, "not what all of that level shows"
        assert pose["calm"], "the choice of the part goes on by itself"
        assert pose["values"] == pose["values_of_all"]
        assert sum(value is not None for value in pose["values"]) > 30
    assert len({tuple(pose["shape"]) for pose in found}) > 2


def test_detail_comes_back_bit_identical(tmp_path: Path) -> None:
    result = _probe(tmp_path, "detail")
    assert result["wanted"]
    assert result["coarse_shape"] == [360, 640, 4]
    assert result["coarse_psnr_db"] > 25
    assert result["model"] == ["linear", [1280, 720], [720, 1280]]
    assert result["identical"]
    assert result["model_change_survives"]
    assert result["nearest_differs"]
    assert result["has_volume"]


@pytest.mark.parametrize(
    ("scene", "resting"),
    [("blending", ["method", "u_enabled", "u_gamma"]), ("mri", ["u_enabled", "u_rgb_mode", "gamma"])],
)
def test_uniforms_as_constants_change_no_pixel(scene: str, resting: list[str], tmp_path: Path) -> None:
    result = _probe(tmp_path, "resting", scene)
    assert result["dragged"] == [False, True, True, False]
    assert result["same"] == [True] * 4
    compiled = [set(constants) for constants in result["compiled"]]
    assert set(resting) in compiled, "what rests is compiled in"
    assert set(resting[:-1]) in compiled, "what rests still is, after the gamma was set"


def test_images_that_let_nothing_through_are_not_blended(tmp_path: Path) -> None:
    result = _probe(tmp_path, "blended")
    assert result["same"] == [True] * 12
    assert result["seen"] >= 8, "the steps change nothing"
    # As it came; opacity; a fading and a hollow colormap, then a whole one; four blendings; holes, and none.
    assert result["blends"] == [not spared for spared in (1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1)]


def test_what_opengl_holds_goes_with_the_layers_when_there_is_time(tmp_path: Path) -> None:
    held = _probe(tmp_path, "removal")["held"]
    for waits, many, left in held:
        assert waits, "a removal waits for the garbage"
        assert many >= left + 10, "the images had none"
    assert held[-1][2] == held[0][2], "objects of removed layers stay"


def test_the_users_napari_settings_are_not_touched(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.mkdir()
    config = tmp_path / "server" / "napari.yaml"
    done = run_headless(config, PROBE, "names", environment=(f"XDG_CONFIG_HOME={users}",))
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["napari_config"] == str(config)
    assert "async_: true" in config.read_text()
    assert not list(users.rglob("*.yaml"))


def test_without_egl_one_clear_line() -> None:
    code = "from napari_cuda.server.render.egl import EglContext\nEglContext()"
    done = run(["env", "__EGL_VENDOR_LIBRARY_DIRS=/nonexistent", sys.executable, "-c", code])
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("napari_cuda.protocol.errors.StartupError: no EGL device can render:")
    assert "apt install libegl1" in last


def test_a_kind_of_device_that_is_not_there_is_named() -> None:
    code = "from napari_cuda.server.render.egl import EglContext\nEglContext('hardware')"
    hidden = ["__EGL_VENDOR_LIBRARY_DIRS=/nonexistent"]
    done = run(["env", *hidden, sys.executable, "-c", code])
    assert "no EGL device of kind 'hardware' (NAPARI_CUDA_GL_DEVICE) can render" in done.stderr


def test_napari_imported_too_early_is_refused(tmp_path: Path) -> None:
    code = (
        "import napari.settings\nfrom pathlib import Path\nfrom napari_cuda.settings import prepare_headless_process\n"
    )
    code += f"prepare_headless_process(Path({str(tmp_path / 'late.yaml')!r}))"
    done = run(["env", f"NAPARI_CONFIG={tmp_path / 'users.yaml'}", sys.executable, "-c", code])
    assert "StartupError: napari was imported before the headless set-up" in done.stderr


@pytest.mark.parametrize("closes", ["close", "abandon"])
def test_the_process_ends_cleanly(closes: str, tmp_path: Path) -> None:
    assert _probe(tmp_path, "leave", closes)["draws"] > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_processes_end_cleanly(tmp_path: Path) -> None:
    for _ in range(20):
        _probe(tmp_path, "leave", "close")
