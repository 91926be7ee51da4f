"""The visuals of remote layers: napari's canvas draws nothing for them, the video shows them. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from napari._vispy.layers.base import VispyBaseLayer
from napari._vispy.utils.visual import layer_to_visual
from napari.layers import Layer
from vispy.scene import Node

# As in `napari_adapter.py`, checked by the same contract test.
PRIVATE_NAMES = (
    "napari._vispy.utils.visual:layer_to_visual",
    "napari._vispy.layers.base:VispyBaseLayer._on_data_change",
    "napari._vispy.layers.base:VispyBaseLayer._on_blending_change",
    "napari._vispy.layers.base:VispyBaseLayer._on_matrix_change",
    "napari._vispy.layers.base:VispyBaseLayer.reset",
)


class NullVispyLayer(VispyBaseLayer):
    """The visual of a remote layer: draws nothing, carries its transform, order and overlays.

    Owner: GUI thread. The video already shows the layer.
    """

    def __init__(self, layer: Layer, font_info: Any) -> None:
        super().__init__(layer, Node(name=f"remote {layer.name}"), font_info)
        self.reset()

    def _on_data_change(self) -> None:
        # As napari's own visuals do: the displayed axes may be others now.
        self._on_matrix_change()

    def _on_blending_change(self, event: object = None) -> None:
        """Nothing to blend: an empty node has no OpenGL state."""


def register_null_visuals(layer_classes: Iterable[type[Layer]]) -> None:
    """Have napari give layers of these classes a visual that draws nothing.

    Subclasses included; classes already registered are left as they are. Raises TypeError
    for napari's own classes: local layers must stay visible.
    """
    for layer_class in layer_classes:
        if layer_to_visual.get(layer_class, NullVispyLayer) is not NullVispyLayer:
            raise TypeError(f"{layer_class.__name__} is drawn by napari: register a subclass of it")
        layer_to_visual[layer_class] = NullVispyLayer
