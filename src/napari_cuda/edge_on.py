"""A layer seen edge-on, say one that is rotated and whose axes are rolled, is drawn as nothing and breaks nothing.

napari and vispy invert the matrix that places a layer on the canvas, and raise where there is no inverse: in every
draw, and in the middle of events, after which layers and visuals do not agree any more.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.utils.transforms import Affine
from vispy.visuals.transforms import MatrixTransform


@functools.cache
def survive_edge_on() -> None:
    """Give transforms of this process that have no inverse the nearest to one. Owner: the thread of napari's models."""
    exact: Any = MatrixTransform.inv_matrix.fget
    exact_inverse: Any = Affine.inverse.fget

    def inv_matrix(transform: MatrixTransform) -> npt.NDArray[np.float64]:
        try:
            return exact(transform)  # type: ignore[no-any-return]
        except np.linalg.LinAlgError:
            return np.linalg.pinv(transform.matrix)

    def inverse(transform: Affine) -> Affine:
        try:
            return exact_inverse(transform)
        except np.linalg.LinAlgError:
            linear = np.linalg.pinv(transform.linear_matrix)
            return Affine(linear_matrix=linear, translate=-linear @ transform.translate, units=transform.units)

    MatrixTransform.inv_matrix = property(inv_matrix)
    Affine.inverse = property(inverse)
