"""What of napari's layers reads or changes their data, and so cannot be done to a layer whose data is elsewhere.

napari would do it to the stub: nothing would come of it, or an error in the next draw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Layer

from napari_cuda.protocol.errors import DataError

SETTERS: dict[str, tuple[str, ...]] = {
    "labels": ("properties",),
    "points": ("selected_data", "properties"),
    "shapes": ("selected_data", "shape_type", "properties"),
    "surface": ("faces", "texcoords", "texture", "vertex_colors", "vertex_values", "vertices"),
    "tracks": ("graph", "properties"),
    "vectors": ("properties",),
}
"""Kind → properties of its data that napari lets be set, besides `data` itself."""

METHODS: dict[str, tuple[str, ...]] = {
    "labels": ("data_setitem", "fill", "paint", "paint_polygon"),
    "points": ("add", "pop", "remove", "to_mask"),
    "shapes": (
        *("add", "add_ellipses", "add_lines", "add_paths", "add_polygons", "add_rectangles"),
        *("pop", "remove", "to_labels", "to_masks"),
    ),
}
"""Kind → methods on its data, besides those of all layers; `RemoteTools` has those that the server does when asked."""


class DataElsewhere:
    """Mixin of remote layers. Owner: GUI thread."""

    name: str
    _quiet: int

    def refuse(self, what: str) -> None:
        """Raise DataError unless it is napari or the mirror that builds the layer: `what` needs the data."""
        if self._quiet == 0:
            raise DataError(
                f"{what}: the data of {self.name!r} is on the server. Use the layer's tools, add another layer, or run "
                "the script there (napari-cuda run)"
            )

    def as_layer_data_tuple(self) -> Any:
        """The data is on the server: DataError that says what to do."""
        self.refuse("as_layer_data_tuple")
        return super().as_layer_data_tuple()  # type: ignore[misc]


def data_members(base: type[Layer], kind: str) -> dict[str, Any]:
    """Return what a remote layer's class has in place of its base's ways to the data."""
    setters = {name: _guarded(getattr(base, name), name) for name in ("data", *SETTERS.get(kind, ()))}
    methods = {name: _refusing(getattr(base, name), name) for name in METHODS.get(kind, ())}
    return {**setters, **methods}


def _guarded(base: property, name: str) -> property:
    def fset(self: DataElsewhere, value: Any) -> None:
        if not (name == "selected_data" and len(value) == 0):  # nothing is what is selected here
            self.refuse(f"{name} cannot be set here")
        base.__set__(self, value)

    return property(base.fget, fset, base.fdel, base.__doc__)


def _refusing(base: Callable[..., Any], name: str) -> Callable[..., Any]:
    def refuse(self: DataElsewhere, *args: Any, **kwargs: Any) -> Any:
        self.refuse(f"{name}() cannot be done here")
        return base(self, *args, **kwargs)

    refuse.__doc__ = f"The data is on the server: DataError that says what to do instead of `{name}`."
    return refuse
