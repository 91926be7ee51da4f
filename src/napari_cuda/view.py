"""View: what the properties of `Scope.VIEW` are attributes of, the same on both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

from napari.components import ViewerModel
from napari.components.canvas import Canvas
from napari.components.dims import Dims
from napari.components.scene import Scene
from psygnal import EventedModel
from pydantic import ConfigDict

from napari_cuda.protocol.properties import scope_properties
from napari_cuda.protocol.property import Scope

Quality = Literal["auto", "full", "fast"]


class Rendering(EventedModel):
    """How the server draws: what napari itself has no setting for.

    `quality` of volumes: `auto` draws less while something moves if the machine needs it, `full` never does,
    `fast` always. `volume_step` is the distance between the samples along a ray in voxels; None:
    napari's own. `theme` is that of the server's viewer, whose colour the canvas has; that of a window
    is its user's own. The canvas has `pixel_ratio` pixels of the picture for each of its own, as a window on a
    screen of high resolution.
    """

    model_config = ConfigDict(validate_assignment=True)

    quality: Quality = "auto"
    volume_step: float | None = None
    theme: str = "dark"
    pixel_ratio: float = 1.0


def framebuffer_size(size: tuple[int, int], pixel_ratio: float) -> tuple[int, int]:
    """Return (width, height) of the picture of a canvas of that size, to the pixel as vispy has it in a window."""
    width, height = size
    return int(width * pixel_ratio), int(height * pixel_ratio)


@dataclass(frozen=True, slots=True)
class View:
    """The models of one viewer that are not layers, dims or camera alone. Owner: the viewer's thread."""

    canvas: Canvas
    dims: Dims
    scene: Scene
    rendering: Rendering = field(default_factory=Rendering)

    @classmethod
    def of(cls, viewer: ViewerModel) -> View:
        """Return the view of a viewer; what is not napari's is new."""
        return cls(viewer.canvas, viewer.dims, viewer.scene)

    def watch(self, on_change: Callable[[str], object]) -> None:
        """Have `on_change` called with the name of each property of `Scope.VIEW` that may have changed.

        By name, because there are many and each changes alone: nobody reads all overlays for one.
        """
        for name, row in scope_properties(Scope.VIEW).items():
            *path, attribute = row.attribute.split(".")
            model: Any = reduce(getattr, path, self)

            def changed(*_event: object, name: str = name) -> None:
                on_change(name)

            getattr(model.events, attribute).connect(changed)
