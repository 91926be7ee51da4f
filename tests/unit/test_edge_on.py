"""A layer seen edge-on: napari's own visual and model go on, and what is not edge-on is as before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from napari.layers import Points
from napari.utils.transforms import Affine
from vispy.visuals.transforms import MatrixTransform

from napari_cuda.edge_on import survive_edge_on


@pytest.fixture(autouse=True)
def surviving(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Set to what they are, so that they are that again after the test.
    monkeypatch.setattr(MatrixTransform, "inv_matrix", MatrixTransform.inv_matrix)
    monkeypatch.setattr(Affine, "inverse", Affine.inverse)
    survive_edge_on.cache_clear()
    survive_edge_on()
    yield
    survive_edge_on.cache_clear()


def test_a_layer_that_is_seen_edge_on_is_drawn_on() -> None:
    layer = Points(np.zeros((1, 3)), rotate=[[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    edge_on = layer._transforms.simplified.set_slice([0, 1])
    assert np.linalg.matrix_rank(edge_on.linear_matrix) == 1
    assert np.isfinite(edge_on.inverse((1.0, 2.0))).all()
    matrix = np.eye(4)
    matrix[1, 1] = 0
    assert np.isfinite(MatrixTransform(matrix).inv_matrix).all()


def test_other_inverses_stay_exact() -> None:
    affine = Affine(scale=(2.0, 4.0), translate=(1.0, -1.0))
    assert affine.inverse(affine((3.0, 5.0))) == pytest.approx((3.0, 5.0))
    assert np.allclose(MatrixTransform(np.diag([2.0, 4.0, 1.0, 1.0])).inv_matrix, np.diag([0.5, 0.25, 1.0, 1.0]))
