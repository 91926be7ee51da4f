"""LayeredCanvas: napari's canvas, for hundreds of layers.

After each event of the layer list napari's own goes through all layers, and for each of them through all of them; and
it has all of Python's garbage collected when a layer goes. With 500 layers a move takes a second so, a removal four.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from napari._vispy.canvas import VispyCanvas
from napari.layers import Layer

PRIVATE_NAMES = (
    "_clean_and_update_scenegraph",
    "_defer_canvas_overlay_position_update",
    "_deferred_world_units_update",
    "_on_interactive",
    "_on_view_direction_change",
    "_pause_scene_graph",
    "_reorder_layers",
    "_reorder_layers_in_the_same_view",
    "_scene_canvas",
    "_setup_layer_views_in_grid",
    "_setup_single_view",
    "_update_grid_spacing",
    "_init_or_update_grid",
    "_update_layer_overlays",
    "_update_overlay_canvas_positions",
    "_update_scenegraph",
    "_update_viewer_overlays",
    "_update_world_units",
    "_viewer_overlay_to_visual",
)
"""What of napari's canvas is used or overridden here. Checked by tests/contract/test_layered_canvas.py."""


class LayeredCanvas(VispyCanvas):
    """napari's canvas that looks at its layers once before a draw. Owner: the thread of the canvas.

    What napari does at each event is only noted, and `catch_up` does it: call it before every draw. What is on the
    canvas then is what napari's own canvas would have on it; in a batch of the layer list too, for one may take long.
    A canvas that napari made becomes one by `take_over`.

    napari collects garbage because a layer's OpenGL objects are in cycles, and some drivers on Windows break if they
    go while others come. Here nothing is collected: the objects go when Python finds them, in a draw between two
    pictures. A server that draws layers has to look for them itself when it has time (`HeadlessCanvas`).
    """

    layer_to_visual: dict[Layer, Any]
    _behind = False
    _other_units = False
    _misplaced_overlays = False
    _layers_to_dress: frozenset[Layer] = frozenset()
    """Those whose overlays may need other visuals, or another place."""
    _new_levels = False
    _gridded = False
    _newcomer: Any = None
    """The visual of a layer that is being added."""
    _known_units: Any = ()
    _units_of: Mapping[Layer, tuple[Any, Any]] = MappingProxyType({})

    @classmethod
    def take_over(cls, canvas: VispyCanvas) -> LayeredCanvas:
        """Make a canvas of napari's one of these, in place."""
        canvas.__class__ = cls
        canvas._gridded = canvas.viewer.canvas.grid.enabled
        return canvas  # type: ignore[no-any-return]

    def catch_up(self) -> bool:
        """Do what the events since the last draw ask for; True if the layers or the grid are others."""
        behind = self._behind and all(layer in self.layer_to_visual for layer in self.viewer.layers)
        if behind:
            self._behind = False
            self._arrange()
        self._follow_units()
        if self._misplaced_overlays:
            self._misplaced_overlays = False
            super()._update_overlay_canvas_positions()
        return behind

    def give_back(self) -> None:
        """Be napari's own canvas again."""
        self.catch_up()
        self.__class__ = VispyCanvas

    def _arrange(self) -> None:
        gridded = self.viewer.canvas.grid.enabled
        if gridded:
            self._init_or_update_grid()
            self._setup_layer_views_in_grid()
            self._update_grid_spacing()
        else:
            self._setup_single_view()
        self._reorder_layers()
        self._update_viewer_overlays()
        # Before layers get new overlays, as in napari: what is there then moves with its layer by half a pixel.
        self._follow_units()
        dressed, self._layers_to_dress = self._layers_to_dress, frozenset()
        # In a grid the place of each depends on those before it.
        for layer in self.viewer.layers:
            if layer in dressed or gridded or self._gridded:
                super()._update_layer_overlays(layer)
        self._on_interactive()
        if gridded or self._gridded or self._new_levels:
            self.on_draw()  # cameras of a new grid, the level of a new pyramid: before it is drawn
        self._gridded, self._new_levels = gridded, False

    def _follow_units(self) -> None:
        if self._other_units and not self._pause_scene_graph:  # it looks at the units of all layers
            self._other_units = False
            self._update_world_units()

    @contextmanager
    def _of_some(self, visuals: dict[Layer, Any]) -> Iterator[None]:
        """Within this the canvas has these visuals of layers only."""
        everybody, self.layer_to_visual = self.layer_to_visual, visuals
        try:
            yield
        finally:
            self.layer_to_visual = everybody

    def _drop_overlays_without_cell(self) -> None:
        """Keep no more of an overlay than there are cells: a mend of napari 0.9.2, which fails at a smaller grid."""
        rows, columns = self.viewer.canvas.grid.actual_shape(self.viewer.layers)
        for visuals in self._viewer_overlay_to_visual.values():
            while len(visuals) > max(1, rows * columns):
                visuals.pop().close()

    # --- what napari calls at its events --------------------------------------------------

    def add_layer_visual_mapping(self, napari_layer: Layer, vispy_layer: Any) -> None:
        """As napari's."""
        self._new_levels |= getattr(napari_layer, "multiscale", False)
        self._layers_to_dress |= {napari_layer}
        self._newcomer = vispy_layer
        try:
            super().add_layer_visual_mapping(napari_layer, vispy_layer)
        finally:
            self._newcomer = None

    def _on_view_direction_change(self) -> None:
        newcomer = self._newcomer
        with self._of_some({newcomer.layer: newcomer} if newcomer is not None else self.layer_to_visual):
            super()._on_view_direction_change()

    def _deferred_world_units_update(self) -> None:
        self._other_units = True

    def _update_scenegraph(self, event: object = None) -> None:
        self._behind = True
        self._drop_overlays_without_cell()  # any overlay that is shown before the next draw has napari look at all
        self._scene_canvas.update()

    def _clean_and_update_scenegraph(self) -> None:
        self._update_scenegraph()

    def _update_layer_overlays(self, layer: Layer) -> None:
        if layer in self.layer_to_visual:
            self._layers_to_dress |= {layer}
            self._update_scenegraph()
        else:  # it was removed
            super()._update_layer_overlays(layer)

    def _update_overlay_canvas_positions(self, event: object = None) -> None:
        self._misplaced_overlays = True
        self._scene_canvas.update()

    def _defer_canvas_overlay_position_update(self) -> None:
        self._update_overlay_canvas_positions()

    # --- what costs each layer something: only where it changed ---------------------------

    def _reorder_layers_in_the_same_view(self, layers: Sequence[Layer]) -> None:
        lowest = next((layer for layer in layers if layer.visible), None)
        for order, layer in enumerate(layers):
            visual = self.layer_to_visual[layer]
            if visual.node.order != order:
                visual.node.order = order
            if visual.first_visible != (layer is lowest):
                visual.first_visible = layer is lowest
                visual._on_blending_change()
        self._update_overlay_canvas_positions()
        self._scene_canvas._draw_order.clear()
        self._scene_canvas.update()

    def _update_world_units(self) -> None:
        units = self.viewer.layers.extent.units
        placed = {
            layer: (layer.units if units is None else units[-layer.ndim :], layer.units)
            for layer in self.layer_to_visual
        }
        # A new visual is placed by the units of its layer.
        misplaced = {
            layer: self.layer_to_visual[layer]
            for layer, pair in placed.items()
            if self._units_of.get(layer, (pair[1], pair[1])) != pair
        }
        if units is None or units != self._known_units or misplaced:
            with self._of_some(misplaced):
                super()._update_world_units()
        self._known_units, self._units_of = units, placed
