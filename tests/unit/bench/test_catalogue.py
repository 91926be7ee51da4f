"""Every workload can be begun and stepped, by any viewer model."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_cuda.bench.catalogue import WORKLOADS
from napari_cuda.bench.scenes import SCENES, blobs, noisy


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_step_asks_for_another_picture(name: str) -> None:
    workload = WORKLOADS[name]
    assert workload.scene in SCENES
    viewer = ViewerModel()
    viewer.add_image(np.zeros((8, 32, 32), np.uint8))
    workload.begin(viewer)
    assert viewer.dims.ndisplay == workload.ndisplay
    poses = []
    for number in range(6):
        workload.step(viewer, number)
        camera = viewer.scene.camera
        poses.append((tuple(camera.center), camera.zoom, tuple(camera.angles), tuple(viewer.dims.current_step)))
    assert len(set(poses)) >= 5, "an input that changes nothing asks for no picture"


def test_scenes_are_noise_that_does_not_change_from_run_to_run() -> None:
    once, again = (noisy(blobs((64, 48), seed=1), seed=2) for _ in range(2))
    assert once.dtype == np.uint16
    assert np.array_equal(once, again)
    assert 200 < np.ptp(once) <= 4095
