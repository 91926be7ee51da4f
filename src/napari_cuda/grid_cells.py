"""Which layers are in which cell of napari's grid, for hundreds of layers.

napari asks each cell for its layers, for each layer where it is, and for that where all are: of 500 layers, for many
minutes at every change. Here all are asked once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np
from napari.components.grid import GridCanvas
from napari.layers import Layer

PRIVATE_NAMES = ("_viewbox_groups", "_effective_indices")
"""Of a grid. Checked by tests/contract/test_grid_cells.py."""

Cell = tuple[int, int]


@functools.cache
def find_cells_at_once() -> None:
    """Have all grids of this process find the layers of their cells like this. Owner: the thread of napari's canvas."""
    GridCanvas.iter_viewboxes = iter_viewboxes


def iter_viewboxes(grid: GridCanvas, layers: Sequence[Layer]) -> Iterator[tuple[Cell, tuple[int, ...]]]:
    """Yield each cell (row, column) with the indices of the layers in it, as napari's function of this name does."""
    shape = grid.actual_shape(layers)
    held: dict[Cell, list[int]] = {(row, column): [] for row, column in np.ndindex(shape)}
    if grid.enabled and layers:
        group_of, occupied = grid._viewbox_groups(layers)
        number_of = {group: number % (shape[0] * shape[1]) for number, group in enumerate(occupied)}
        for index in grid._effective_indices(layers):
            held[divmod(number_of[group_of[index]], shape[1])].append(index)
    else:
        held[0, 0].extend(range(len(layers)))
    yield from ((cell, tuple(indices)) for cell, indices in held.items())
