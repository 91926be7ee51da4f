"""What napari's models are spared where there are hundreds of layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_cuda.client.mirror.napari_adapter import MeasuredOncePerBatch, added_unselected


class Viewer(MeasuredOncePerBatch, ViewerModel):
    pass


@pytest.fixture
def viewer() -> Viewer:
    viewer = Viewer()
    viewer.watch_batches()
    return viewer


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Numbers of layers of which somebody asked where all of them are."""
    seen: list[int] = []
    own = ViewerModel._on_layers_change

    def look(viewer: ViewerModel) -> None:
        seen.append(len(viewer.layers))
        own(viewer)

    monkeypatch.setattr(ViewerModel, "_on_layers_change", look)
    return seen


def test_many_layers_are_measured_once(viewer: Viewer, looks: list[int]) -> None:
    viewer.add_image(np.zeros((4, 4)))
    looks.clear()
    with viewer.layers.batched_update():
        for number in range(5):
            viewer.add_image(np.zeros((4, 4)), translate=(10 * number, 0))
        assert not looks
    assert looks == [6]
    assert viewer.dims.range[0][:2] == (0.0, 43.0)
    looks.clear()
    viewer.layers.selection = set(viewer.layers[1:])
    viewer.layers.remove_selected()
    assert looks == [1]
    assert viewer.dims.range[0][:2] == (0.0, 3.0)
    viewer.add_image(np.zeros((8, 8)))
    assert looks == [1, 2], "a layer that comes alone is measured at once"


def test_another_number_of_dimensions_is_seen_at_once(viewer: Viewer, looks: list[int]) -> None:
    viewer.add_image(np.zeros((4, 4)))
    with viewer.layers.batched_update():
        viewer.add_image(np.zeros((3, 4, 4)))
        assert viewer.dims.ndim == 3
        viewer.layers.pop()
        assert viewer.dims.ndim == 2
        viewer.layers.pop()
        assert looks[-1] == 0


def test_a_layer_may_be_added_without_being_selected(viewer: Viewer) -> None:
    first = viewer.add_image(np.zeros((4, 4)))
    with added_unselected(viewer.layers):
        viewer.add_image(np.zeros((4, 4)))
    assert viewer.layers.selection.active is first
    third = viewer.add_image(np.zeros((4, 4)))
    assert viewer.layers.selection.active is third
