"""A hand that does random things to a viewer in its own process, as the cells of a notebook do."""

from __future__ import annotations

import random
from typing import Any

FEWEST_LAYERS, MOST_LAYERS = 4, 12
COLORMAPS = ("gray", "viridis", "magma", "green")


class KernelHand:
    """Owner: the thread of the viewer."""

    def __init__(self, viewer: Any, seed: int) -> None:
        self._viewer = viewer
        self._chance = random.Random(seed)

    def act(self) -> str:
        """Do one thing; return what."""
        actions = (self._look, self._hide, self._step, self._order, self._add, self._remove, self._camera)
        action = self._chance.choice(actions)
        action()
        return action.__name__

    def _layer(self) -> Any:
        return self._chance.choice(list(self._viewer.layers))

    def _look(self) -> None:
        layer = self._layer()
        layer.opacity = self._chance.random()
        if hasattr(layer, "colormap") and hasattr(layer, "contrast_limits"):
            layer.colormap = self._chance.choice(COLORMAPS)

    def _hide(self) -> None:
        layer = self._layer()
        layer.visible = not layer.visible

    def _step(self) -> None:
        dims = self._viewer.dims
        axis = self._chance.randrange(dims.ndim)
        dims.set_current_step(axis, self._chance.randrange(max(1, dims.nsteps[axis])))

    def _order(self) -> None:
        count = len(self._viewer.layers)
        self._viewer.layers.move(self._chance.randrange(count), self._chance.randrange(count + 1))

    def _add(self) -> None:
        if len(self._viewer.layers) < MOST_LAYERS:
            places = [[self._chance.uniform(0, high) for high in (7, 48, 64)] for _ in range(5)]
            self._viewer.add_points(places, size=self._chance.uniform(2, 10), name="of a cell")

    def _remove(self) -> None:
        if len(self._viewer.layers) > FEWEST_LAYERS:
            self._viewer.layers.remove(self._layer())

    def _camera(self) -> None:
        self._viewer.camera.zoom = self._chance.uniform(1, 8)
