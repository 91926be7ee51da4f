"""Where a layer is in a list, as napari says it and as ours does."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import LayerList
from napari.layers import Image

from napari_cuda.layer_lookup import PRIVATE_NAMES, find_layers_quickly


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_name_exists(name: str) -> None:
    assert hasattr(LayerList(), name), f"{name} is gone: adapt src/napari_cuda/layer_lookup.py or pin the older version"


def test_layers_are_where_they_are_in_naparis_list() -> None:
    stock, ours = LayerList(), LayerList()
    find_layers_quickly(ours)
    layers = [Image(np.zeros((2, 3)), name=name) for name in "abcd"]
    for of_napari, layer in zip(layers, [Image(np.zeros((2, 3)), name=name) for name in "abcd"], strict=True):
        stock.append(of_napari)
        ours.append(layer)
    for layers_here in (stock, ours):
        first, second, third, fourth = layers_here
        layers_here.move(0, 3)
        layers_here.remove(second)
        assert [layers_here.index(layer) for layer in (third, first, fourth)] == [0, 1, 2]
        assert layers_here.index("d") == layers_here.index(fourth, 1) == layers_here.index(fourth, 1, stop=3) == 2
        with pytest.raises(ValueError, match="is not in list"):
            layers_here.index(second)
        with pytest.raises(ValueError, match="is not in list"):
            layers_here.index(third, 1)
