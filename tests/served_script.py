"""A napari script under `napari-cuda run`, and what a client sees of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import napari_cuda
from napari_cuda.bench.fidelity import luma_of, ssim
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.server_process import ServerProcess

RUN = ("-m", "napari_cuda", "run", "--port", "0", "--announce", "json", "--end-with-stdin")

Picture = npt.NDArray[np.uint8]


def run_script(script: Path, *arguments: str, options: Sequence[str] = ()) -> ServerProcess:
    """Return a server, to be entered, that runs a script."""
    return ServerProcess([*options, str(script), *arguments], program=RUN)


def wait_for(viewer: Any, done: Any, timeout_s: float = 30.0) -> None:
    """Take in what the server says until `done()`."""
    until_s = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < until_s, "it did not become so in time"
        viewer.pump(0.02)


def served_picture(
    server: ServerProcess, timeout_s: float = 60.0, ready: Callable[[RemoteViewer], bool] = lambda viewer: True
) -> Picture:
    """Return the exact picture of the script's viewer once it is `ready`, overlays included, (H, W, 4)."""
    viewer: RemoteViewer = napari_cuda.connect(server.connect_url, window=False, timeout_s=timeout_s)
    try:
        wait_for(viewer, lambda: ready(viewer), timeout_s)
        return viewer.screenshot(timeout_s=timeout_s)
    finally:
        viewer.close()


def likeness(found: Picture, expected: Picture) -> float:
    """Return the structural similarity of two pictures; 0 if they have not even the same size."""
    if found.shape != expected.shape:
        return 0.0
    return ssim(luma_of(found), luma_of(expected))


def differing(found: Picture, expected: Picture) -> int:
    """Return how many pixels of two pictures differ."""
    if found.shape != expected.shape:
        return expected.shape[0] * expected.shape[1]
    return int((found[..., :3] != expected[..., :3]).any(-1).sum())
