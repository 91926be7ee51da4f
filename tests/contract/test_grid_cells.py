"""The layers of all cells, found at once, are those that napari finds cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components.grid import GridCanvas

from napari_cuda.grid_cells import PRIVATE_NAMES, iter_viewboxes

UPGRADE = "napari changed: adapt src/napari_cuda/grid_cells.py or pin the older version"


class Layer:
    """All that a grid asks of a layer."""

    def __init__(self, visible: bool) -> None:
        self.visible = visible


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_name_exists(name: str) -> None:
    assert callable(getattr(GridCanvas, name, None)), UPGRADE


@settings(max_examples=300, deadline=None)
@given(
    visible=st.lists(st.booleans(), max_size=12),
    enabled=st.booleans(),
    stride=st.integers(-4, 4).filter(bool),
    shape=st.tuples(*[st.one_of(st.just(-1), st.integers(1, 4))] * 2),
)
def test_the_same_layers_in_the_same_cells(
    visible: list[bool], enabled: bool, stride: int, shape: tuple[int, int]
) -> None:
    grid = GridCanvas(enabled=enabled, stride=stride, shape=shape)
    layers = [Layer(one) for one in visible]
    by_cell = [(cell, grid.contents_at(cell, layers)) for cell, _ in iter_viewboxes(grid, layers)]
    assert list(iter_viewboxes(grid, layers)) == by_cell
    assert [cell for cell, _ in by_cell] == list(np.ndindex(grid.actual_shape(layers)))
