"""The picture is right: at rest, while it moves, in its colours, and in the real window.

Real servers of the scenes in `scenes.py`; the references are an independent render of the same
scene in a process of its own, and stock desktop napari on a display.
"""

from __future__ import annotations

import functools
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from napari._qt.utils import QImg2array
from PIL import Image
from scipy import ndimage

import napari_cuda
from gl_window import require_display
from headless_process import run, run_headless
from napari_cuda.bench.fidelity import ssim
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.picture import YuvPicture
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server_process import ServerProcess
from pictures import Rgba, luma_of, psnr_db, rgb_of

HERE = Path(__file__).parent
SIZE = (1280, 720)
MOVING_FRAMES = 40

# Not where the scene opens: the camera must have travelled.
CAMERAS = {
    "flat": {"center": (0.0, 240.3, 401.7), "zoom": 1.7},
    "mri": {"center": (100.0, 110.0, 90.0), "zoom": 2.6, "angles": (12.0, 33.0, 71.0)},
    "mip3d": {"center": (60.0, 66.0, 62.0), "zoom": 3.9, "angles": (12.0, 33.0, 71.0)},
}
VOLUMES = ("mri", "mip3d")
LEAST_SSIM = 0.99

Serve = Callable[..., ServerProcess]


@pytest.fixture(scope="module")
def server_of(serve_scene: Serve) -> Serve:
    """One server per scene for all tests of the module."""
    return functools.cache(lambda scene: serve_scene(scene, size=SIZE))


@contextmanager
def looking_at(server: ServerProcess) -> Iterator[RemoteViewer]:
    """Connect without a window, on a canvas of SIZE whatever was connected before."""
    with napari_cuda.connect(server.connect_url, window=False) as viewer:
        viewer.canvas.size = SIZE[::-1]
        viewer.sync(timeout_s=60)
        yield viewer


def newest_frame(viewer: RemoteViewer | StreamedViewer) -> SubmittedFrame:
    """Return the frame on screen."""
    frame = viewer._session.loop.frame
    assert frame is not None
    return frame


def render_alone(folder: Path, probe: str, scene: str, camera: str) -> Path:
    """Draw a scene with the server's own canvas in another process; return the file."""
    out = folder / ("pictures.npz" if probe == "ladder" else "picture.npy")
    done = run_headless(folder / "napari.yaml", HERE / "headless_probe.py", probe, scene, str(out), camera)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def around_data(picture: Rgba) -> tuple[slice, slice]:
    """Return the rows and columns that show something: black around it is alike everywhere, and would hide errors."""
    seen = picture[..., :3].max(axis=-1) > 8
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


@pytest.mark.parametrize("scene", ["flat", "mri", pytest.param("mip3d", marks=pytest.mark.slow)])
def test_at_rest_the_picture_is_the_servers_and_the_desktops(scene: str, server_of: Serve, tmp_path: Path) -> None:
    """Also after it moved in less detail: no error at all against a full render, hardly any against the desktop."""
    require_display()
    server = server_of(scene)
    with looking_at(server) as viewer:
        viewer.scene.camera.update(CAMERAS[scene])
        if scene in VOLUMES:
            for degrees in (8, 5, 2, 0):
                viewer.scene.camera.angles = (12.0 + degrees, 33.0, 71.0)
                viewer.sync(timeout_s=60)
        shot = viewer.screenshot(timeout_s=60)
        header = newest_frame(viewer).header
        saved = tmp_path / "snapshot.png"
        command = [sys.executable, "-m", "napari_cuda", "snapshot", server.connect_url, "-o", str(saved), "--json"]
        done = run(command)
        assert done.returncode == 0, done.stderr[-3000:]
    assert shot.shape == (*SIZE[::-1], 4)
    assert np.ptp(shot[..., :3]) > 200, "the picture is empty"
    assert header.full_detail
    assert picture_hash(shot) == header.picture_hash, "not the picture that the server rendered"
    assert json.loads(done.stdout)["size"] == list(SIZE)
    assert np.array_equal(np.asarray(Image.open(saved)), shot), "snapshot and screenshot() differ"

    camera = json.dumps(CAMERAS[scene])
    alone = np.load(render_alone(tmp_path, "picture", scene, camera))
    assert np.array_equal(alone, shot), "another process renders this scene differently"

    theirs = tmp_path / "desktop.npy"
    desktop = ["env", "-u", "QT_QPA_PLATFORM", "-u", "PYOPENGL_PLATFORM", f"NAPARI_CONFIG={tmp_path / 'desktop.yaml'}"]
    done = run([*desktop, sys.executable, str(HERE / "desktop_reference.py"), scene, str(theirs), camera])
    assert done.returncode == 0, done.stderr[-3000:]
    stock = np.load(theirs)
    assert psnr_db(shot[..., :3], stock[..., :3]) >= 45
    part = around_data(stock)
    alike = ssim(luma_of(shot[part]), luma_of(stock[part]))
    print(f"{scene}: SSIM {alike:.5f} to the desktop's, {stock[part].shape[1::-1]} pixels")
    assert alike >= LEAST_SSIM


def move(viewer: RemoteViewer, step: Callable[[int], None]) -> list[SubmittedFrame]:
    """Take step after step as fast as they are shown; return the decoded video frames that came."""
    seen: list[SubmittedFrame] = []
    for number in range(MOVING_FRAMES):
        step(number)
        viewer.sync(timeout_s=60)
        frame = newest_frame(viewer)
        if isinstance(frame.picture, YuvPicture):
            seen.append(frame)
    assert len(seen) >= MOVING_FRAMES // 2, "hardly any video: the scene was at rest between the steps"
    assert not any(frame.header.keyframe for frame in seen), "a stream that runs needs no further keyframe"
    return seen


def luma_psnr_db(frame: SubmittedFrame, reference: Rgba) -> float:
    """Return how well a video frame shows `reference`, a picture of SIZE."""
    assert isinstance(frame.picture, YuvPicture)
    assert frame.header.canvas_size == SIZE
    return psnr_db(frame.picture.y[: SIZE[1], : SIZE[0]], luma_of(reference))


def exact_picture(viewer: RemoteViewer, camera: CameraPose) -> Rgba:
    """Return the exact picture that the scene shows from `camera`."""
    viewer.scene.camera.update({"center": camera.center, "zoom": camera.zoom, "angles": camera.angles})
    return viewer.screenshot(timeout_s=60)


@pytest.mark.alone  # a busy machine has no time for 4:4:4, and another encoder begins with a keyframe
def test_a_moving_image_keeps_34_db(server_of: Serve) -> None:
    with looking_at(server_of("flat")) as viewer:
        viewer.scene.camera.update({"center": (0.0, 255.5, 383.5), "zoom": 1.3359375})
        viewer.screenshot()

        def pan(number: int) -> None:
            angle = number / 12
            viewer.scene.camera.center = (0.0, 255.5 + 60 * math.sin(angle), 323.5 + 60 * math.cos(angle))

        seen = move(viewer, pan)
        levels = []
        for frame in seen[::4]:
            exact = exact_picture(viewer, frame.header.camera)
            assert frame.header.full_detail
            assert picture_hash(exact) == frame.header.picture_hash, "not the picture that this frame was made from"
            levels.append(luma_psnr_db(frame, exact))
    print(f"moving image, luma PSNR in dB: {np.round(levels, 1)}")
    assert min(levels) >= 34


def test_a_rotating_volume_keeps_34_db(server_of: Serve, tmp_path: Path) -> None:
    """Against the full picture, and against what the server drew if that was less."""
    with looking_at(server_of("mri")) as viewer:
        viewer.scene.camera.update(CAMERAS["mri"])
        viewer.screenshot(timeout_s=60)

        def rotate(number: int) -> None:
            viewer.scene.camera.angles = (12 + 0.7 * number, 33 + 0.4 * number, 71.0)

        seen = move(viewer, rotate)
        against_full = []
        for frame in seen[::5]:
            exact = exact_picture(viewer, frame.header.camera)
            against_full.append(luma_psnr_db(frame, exact))
    pose = asdict(seen[-1].header.camera)
    camera = json.dumps({name: pose[name] for name in ("center", "zoom", "angles")})
    rungs = np.load(render_alone(tmp_path, "ladder", "mri", camera))
    drawn = [rungs[name] for name in rungs.files if picture_hash(rungs[name]) == seen[-1].header.picture_hash]
    assert drawn, "the server drew a picture that no step of its ladder of detail gives"
    assert seen[-1].header.full_detail is (drawn[0].shape == (*SIZE[::-1], 4))
    enlarged = np.asarray(Image.fromarray(drawn[0]).resize(SIZE, Image.Resampling.BILINEAR))
    against_drawn = luma_psnr_db(seen[-1], enlarged)
    print(f"rotating volume drawn as {drawn[0].shape}, luma PSNR in dB: {against_drawn:.1f} against that,")
    print(f"{np.round(against_full, 1)} against full detail")
    assert against_drawn >= 34
    assert min(against_full) >= 34


def inside_patches(exact: Rgba) -> npt.NDArray[np.bool_]:
    """Return where a picture is flat: 4:2:0 mixes the colours of two patches at their border."""
    reach = (17, 17, 1)
    spread = ndimage.maximum_filter(exact, reach).astype(int) - ndimage.minimum_filter(exact, reach)
    return spread.max(axis=-1) == 0


def test_colours_survive_the_video_within_6(server_of: Serve) -> None:
    with looking_at(server_of("patches")) as viewer:
        # Patches of 40 pixels.
        viewer.scene.camera.update({"center": (0.0, 127.5, 191.5), "zoom": 0.625})
        viewer.screenshot()

        def pan(number: int) -> None:
            viewer.scene.camera.center = (0.0, 127.5 + number, 191.5 + 2 * number)

        seen = move(viewer, pan)
        worst = []
        for frame in seen[::6]:
            assert isinstance(frame.picture, YuvPicture)
            exact = exact_picture(viewer, frame.header.camera)
            inside = inside_patches(exact)
            assert len(np.unique(exact[inside][:, :3], axis=0)) >= 24, "not every patch has an inside"
            worst.append(float(np.abs(np.clip(rgb_of(frame.picture, SIZE), 0, 255) - exact[..., :3])[inside].max()))
    print(f"worst colour error of 255: {np.round(worst, 1)}")
    assert max(worst) <= 6


def window_picture(viewer: StreamedViewer) -> Rgba:
    """Return what the window's canvas shows, (H, W, 4) uint8: napari's own screenshot waits for the exact picture."""
    picture: Rgba = QImg2array(viewer.window._qt_viewer.canvas.native.grabFramebuffer())
    return picture


@pytest.mark.parametrize("scene", ["flat", "mri"])
def test_at_rest_the_window_shows_the_exact_picture(scene: str, server_of: Serve) -> None:
    require_display()
    viewer = napari_cuda.connect(server_of(scene).connect_url)
    try:
        viewer.reset_view()
        exact = viewer.exact_screenshot(timeout_s=60)
        shown = window_picture(viewer)
        assert np.ptp(exact[..., :3]) > 200, "the picture is empty"
        assert picture_hash(exact) == newest_frame(viewer).header.picture_hash
        assert np.array_equal(shown, exact)
    finally:
        viewer.close()


def test_colours_survive_in_the_window_within_6(server_of: Serve) -> None:
    """The same patches, through napari's canvas and our shader to the pixels of the window."""
    require_display()
    viewer = napari_cuda.connect(server_of("patches").connect_url)
    try:
        viewer.scene.camera.update({"center": (0.0, 127.5, 191.5), "zoom": 0.625})
        viewer.exact_screenshot(timeout_s=60)
        taken: list[tuple[CameraPose, Rgba]] = []
        for number in range(MOVING_FRAMES):
            viewer.scene.camera.center = (0.0, 127.5 + number / 2, 191.5 + number)
            viewer.sync(timeout_s=60)
            frame = newest_frame(viewer)
            shown = window_picture(viewer)
            if isinstance(frame.picture, YuvPicture) and newest_frame(viewer) is frame:
                taken.append((frame.header.camera, shown))
        assert taken, "no video frame was on screen while the scene moved"
        for camera, shown in taken[:: max(1, len(taken) // 4)]:
            viewer.scene.camera.center = camera.center
            exact = viewer.exact_screenshot(timeout_s=60)
            inside = inside_patches(exact)
            assert len(np.unique(exact[inside][:, :3], axis=0)) >= 24, "not every patch has an inside"
            assert np.abs(shown[..., :3].astype(int) - exact[..., :3])[inside].max() <= 6
    finally:
        viewer.close()
