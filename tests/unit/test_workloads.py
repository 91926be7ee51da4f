"""The steps of each interaction, on a viewer model of our own."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_cuda import workloads
from napari_cuda.client.telemetry import StageStats


@pytest.fixture
def viewer() -> ViewerModel:
    """A volume of five slices."""
    model = ViewerModel()
    model.add_image(np.zeros((5, 8, 8), np.uint8))
    return model


def test_panning_goes_round_and_comes_back(viewer: ViewerModel) -> None:
    viewer.scene.camera.zoom = 4.0
    centers = []
    for number in range(180):
        workloads.pan(viewer, number)
        centers.append(viewer.scene.camera.center)
    assert len(set(centers)) == 180, "an input that changes nothing asks for no picture"
    assert np.allclose(centers[-1], (centers[0][0], *np.subtract(centers[0][1:], (0, 50 * np.pi / 90 / 4))), atol=0.5)
    assert np.ptp([x for _, _, x in centers]) * 4.0 == pytest.approx(100, rel=0.05)


def test_zooming_goes_in_and_comes_back(viewer: ViewerModel) -> None:
    start = viewer.scene.camera.zoom
    zooms = []
    for number in range(80):
        workloads.zoom(viewer, number)
        zooms.append(viewer.scene.camera.zoom)
    assert max(zooms) == pytest.approx(start * 1.01**40)
    assert zooms[-1] == pytest.approx(start)


def test_scrolling_visits_every_slice_to_and_fro(viewer: ViewerModel) -> None:
    steps = []
    for number in range(11):
        workloads.scroll(viewer, number)
        steps.append(viewer.dims.current_step[0])
    assert steps == [0, 1, 2, 3, 4, 4, 3, 2, 1, 0, 0]


def test_rotating_turns_a_volume(viewer: ViewerModel) -> None:
    viewer.dims.ndisplay = 3
    workloads.rotate(viewer, 10)
    assert viewer.scene.camera.angles == pytest.approx((7.0, 4.0, 90.0))


def test_an_outcome_counts_per_second_and_per_frame() -> None:
    outcome = workloads.Outcome(60, 2.0, 50, 100_000, StageStats(50, 0.02, 0.03, 0.04))
    assert (outcome.frames_per_s, outcome.bytes_per_frame) == (25.0, 2000.0)
    assert workloads.Outcome(60, 2.0, 0, 0, None).bytes_per_frame == 0.0
