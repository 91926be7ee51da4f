"""What clients read of layers' data and write to it; what no picture could be made of is not taken."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Layer, Points, Shapes, Surface

from napari_cuda.protocol.errors import DataError, NapariCudaError
from napari_cuda.server.render.layer_data import LayerDataAccess


class Layers:
    """The scene, with layers by their names."""

    def __init__(self, *layers: Layer) -> None:
        self._layers = {layer.name: layer for layer in layers}
        self.edited: list[str] = []

    def layer(self, layer_id: str) -> Layer:
        return self._layers[layer_id]

    def note_edit(self, layer: Layer) -> None:
        self.edited.append(layer.name)

    def revision_now(self) -> int:
        return 5


def test_what_is_in_memory_is_taken_at_once_and_the_rest_later() -> None:
    memory, computed = np.zeros((4, 4)), []

    def compute(block: Any) -> Any:
        computed.append(block.shape)
        return block + 1

    lazy = da.from_array(memory, chunks=(2, 4)).map_blocks(compute, meta=np.empty((0, 0)))
    access = LayerDataAccess(
        Layers(Image(memory, name="memory"), Image(lazy, name="lazy", contrast_limits=(0, 1), visible=False))
    )
    computed.clear()
    revision, take = access.read("memory", 0, "0:2:1,0:4:1")
    memory[:] = 9
    assert (revision, take().max()) == (5, 0)
    _, take = access.read("lazy", 0, "2:1:1,0:4:1")
    assert computed == []
    assert take().tolist() == [[1.0] * 4]
    assert computed == [(2, 4)]
    assert [info.why_fixed == "" for info in access.describe("memory").arrays] == [True]
    assert [info.chunks for info in access.describe("lazy").arrays] == [[2, 4]]


def test_what_is_written_to_pixels_is_there_and_makes_no_picture_by_itself() -> None:
    scene = Layers(Image(np.zeros((4, 4)), name="memory"))
    LayerDataAccess(scene).write("memory", 0, "1:2:2,0:4:1", np.array(3.0))()
    assert scene.layer("memory").data[:, 0].tolist() == [0, 3, 0, 3]
    assert scene.edited == []
    with pytest.raises(ValueError, match="could not broadcast"):
        LayerDataAccess(scene).write("memory", 0, "0:2:1,0:4:1", np.zeros(3))
    with pytest.raises(IndexError, match="out of bounds"):
        LayerDataAccess(scene).read("memory", 0, "0:5:1,0:4:1")
    for number in (1, -1):
        with pytest.raises(DataError, match="has no array"):
            LayerDataAccess(scene).read("memory", number, "")


def test_elements_are_set_anew_and_refused_if_nothing_could_draw_them() -> None:
    mesh = (np.random.default_rng(0).uniform(0, 9, (4, 2)), np.array([[0, 1, 2]]), np.ones(4))
    scene = Layers(
        Points(np.zeros((3, 2)), name="points"),
        Surface(mesh, name="mesh"),
        Shapes([np.eye(3, 2)], shape_type="polygon", name="shapes"),
    )
    access = LayerDataAccess(scene)
    access.write("points", 0, "1:1:1,0:2:1", np.array([[7.0, 8.0]]))
    access.write("shapes", 0, "2:1:1,0:2:1", np.array(4.0))
    assert scene.layer("points").data.tolist() == [[0, 0], [7, 8], [0, 0]]
    assert scene.layer("shapes").data[0][2].tolist() == [4, 4]
    assert scene.edited == ["points", "shapes"]
    for name, number, region, value in (
        ("points", 0, "0:1:1,0:1:1", np.nan),
        ("points", 0, "0:1:1,0:1:1", 1e300),
        ("mesh", 1, "0:1:1,0:1:1", 4),
        ("mesh", 1, "0:1:1,0:1:1", -1),
        ("shapes", 1, "0:1:1", 2),
    ):
        before = [np.array(array) for array in np.atleast_1d(scene.layer(name).data[0])]
        with pytest.raises((NapariCudaError, ValueError)):
            access.write(name, number, region, np.array(value))
        assert np.array_equal(before, [np.array(array) for array in np.atleast_1d(scene.layer(name).data[0])])
    assert scene.layer("mesh").faces.tolist() == [[0, 1, 2]]
