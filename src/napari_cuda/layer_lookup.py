"""Where a layer is in a napari layer list, for hundreds of layers.

napari's list asks that at each event of each of its layers, and compares them one by one in Python: with 500 layers
that is most of what a thumbnail costs, or a step of a slider.
"""

from __future__ import annotations

from typing import Any

from napari.components import LayerList
from napari.layers import Layer

PRIVATE_NAMES = ("_list",)
"""Of a layer list. Checked by tests/contract/test_layer_lookup.py."""


def find_layers_quickly(layers: LayerList) -> None:
    """Have a layer list find its layers by Python's own list. Owner: the thread of the list."""
    index = layers.index

    def quick_index(value: Any, *bounds: Any, **options: Any) -> int:
        if bounds or options or not isinstance(value, Layer):  # a name, say
            return int(index(value, *bounds, **options))
        found: int = layers._list.index(value)
        return found

    layers.index = quick_index
