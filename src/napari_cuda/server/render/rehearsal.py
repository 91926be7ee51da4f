"""Rehearsal: what napari's functions for layer lists do, done to a copy of the list first, on another thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from napari.components import LayerList
from napari.layers import Layer


class _Selection(set[Layer]):
    """A set that knows which of its layers is the active one."""

    def __init__(self, layers: Iterable[Layer], active: Layer | None) -> None:
        super().__init__(layers)
        self.active = active


class Rehearsal(list[Layer]):
    """All that the functions which make layers of others ask of a layer list: its layers and its selection.

    Owner: the render thread makes it and calls `carry_over`; in between the thread that reads the data has it.
    """

    def __init__(self, layers: LayerList) -> None:
        super().__init__(layers)
        self.selection: Any = _Selection(layers.selection, layers.selection.active)
        self._before = list(layers)
        self._selected_before = self.selection

    def carry_over(self, layers: LayerList) -> list[Layer]:
        """Do to `layers` what was done here, whatever else has become of them; return the new ones."""
        for gone in [layer for layer in self._before if layer not in self and layer in layers]:
            layers.remove(gone)
        made = [layer for layer in self if layer not in self._before]
        place = 0
        for layer in self:
            if layer in made:
                layers.insert(place, layer)
            if layer in layers:
                place = layers.index(layer) + 1
        if self.selection is not self._selected_before:
            layers.selection = self.selection
        return made
