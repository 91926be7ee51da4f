"""Images that let nothing through are drawn without blending: the same pixels, without reading what is below."""

from __future__ import annotations

from typing import Any

from napari._vispy.layers.image import VispyImageLayer
from napari._vispy.visuals.image import Image as ImageNode

PRIVATE_NAMES = (
    "napari._vispy.layers.image.VispyImageLayer",
    "napari._vispy.layers.image.VispyImageLayer._on_blending_change",
    "napari._vispy.layers.image.VispyImageLayer._on_colormap_change",
    "napari._vispy.layers.image.VispyImageLayer._on_data_change",
    "napari._vispy.layers.image.VispyImageLayer._on_opacity_change",
    "napari._vispy.visuals.image.Image",
    "napari._vispy.visuals.image.Image.update_gl_state",
    "visual._data",
)
"""Every private name of napari used here, as in `napari_adapter.py`."""

_REPLACE = {"opaque", "translucent", "translucent_no_depth"}
"""Blendings by which a colour of alpha 1 takes the place of the one below."""


class SparinglyBlendedImage(VispyImageLayer):
    """Owner: render thread.

    napari blends every image, the lowest with the canvas too. To software OpenGL that is a sixth of a draw.
    """

    def _on_blending_change(self, event: Any = None) -> None:
        super()._on_blending_change(event)
        if isinstance(self.node, ImageNode) and self._lets_nothing_through():
            self.node.update_gl_state(blend=False)

    def _on_opacity_change(self) -> None:
        super()._on_opacity_change()
        self._on_blending_change()

    def _on_colormap_change(self, event: Any = None) -> None:
        super()._on_colormap_change(event)
        self._on_blending_change()

    def _on_data_change(self) -> None:
        was = self._data.dtype
        super()._on_data_change()
        if self._data.dtype != was:
            self._on_blending_change()

    def _lets_nothing_through(self) -> bool:
        layer, colormap = self.layer, self.layer.colormap
        beyond = [color for color in (colormap.low_color, colormap.high_color) if color is not None]
        return bool(
            layer.blending in _REPLACE
            and layer.opacity == 1
            and not layer.rgb
            # What is not a number has a colour of its own, which may be none.
            and self._data.dtype.kind in "bui"
            and all(color[3] == 1 for color in (*colormap.colors, *beyond))
        )
