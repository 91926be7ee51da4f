"""Remote layers: napari's seven layer classes without data, their setters gated.

A remote layer has the right shape, extent and properties and never a pixel: reading its data
gives stride-0 zeros. Setting a mirrored property shows at once and tells the owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Layer, Points, Shapes, Surface, Tracks, Vectors

from napari_cuda import conversion
from napari_cuda.client.mirror.napari_adapter import NoLocalData, extent_changed
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import layer_properties
from napari_cuda.protocol.property import Property
from napari_cuda.protocol.wire_types import Wire

OnSet = Callable[["RemoteLayer", Property, Wire], None]
OnCommand = Callable[["RemoteLayer", str], None]


class RemoteLayer(NoLocalData):
    """What all remote layers share. Owner: GUI thread.

    Inside `applying()` setters only set; outside, the user's value is set and handed to
    `on_set`. Sets that napari makes itself inside a setter are not handed over: the server's
    napari makes the same.
    """

    remote_id: str
    on_set: OnSet | None = None
    on_command: OnCommand | None = None
    _quiet: int = 0
    _server_thumbnail: npt.NDArray[np.uint8] = np.zeros((32, 32, 4), np.uint8)

    @property
    def thumbnail(self) -> npt.NDArray[np.uint8]:
        """The server's thumbnail, as it came: napari's own setter would blend it with black once more."""
        return self._server_thumbnail

    @thumbnail.setter
    def thumbnail(self, picture: npt.NDArray[np.uint8]) -> None:
        self._server_thumbnail = picture
        self.events.thumbnail()  # type: ignore[attr-defined]

    def prepare(self, spec: m.LayerSpec) -> None:
        """Take over what the layer's own constructor will ask for."""
        self.remote_id = spec.layer
        self.remote_kind = spec.kind
        self.remote_extent = None if spec.shape else np.asarray(spec.extent, dtype=float)
        self._quiet = 1

    def attach(self, on_set: OnSet, on_command: OnCommand) -> None:
        """From now on, tell what the user sets and asks for."""
        self.on_set = on_set
        self.on_command = on_command
        self._quiet = 0

    @contextmanager
    def applying(self) -> Iterator[None]:
        """Set what the server says, without an echo."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    def command(self, name: str) -> None:
        """Ask the server to do something with this layer."""
        if self._quiet == 0 and self.on_command is not None:
            self.on_command(self, name)

    def set_mirrored(self, base: property, row: Property, value: Any) -> None:
        """Set through napari's own setter, then tell the owner what came of it."""
        with self.applying():
            base.__set__(self, value)
        if self._quiet == 0 and self.on_set is not None:
            self.on_set(self, row, conversion.read(self, row))

    def reset_contrast_limits(self, *_args: Any, **_kwargs: Any) -> None:
        """Autoscale, on the server."""
        self.command("layer.reset_contrast_limits")

    def reset_contrast_limits_range(self, *_args: Any, **_kwargs: Any) -> None:
        """The range follows the server's data."""

    def get_value(self, *_args: Any, **_kwargs: Any) -> None:
        """No value: it would have to come from the data, which is not here."""


def _gated(base: property, row: Property) -> property:
    def fset(self: RemoteLayer, value: Any) -> None:
        self.set_mirrored(base, row, value)

    return property(base.fget, fset, base.fdel, base.__doc__)


def _remote_class(base: type[Layer], kind: str) -> type[Layer]:
    """Return `Remote<Base>`: the base with the setters of all its table rows gated."""
    members: dict[str, Any] = {"__doc__": f"napari's {base.__name__} layer, its data on the server."}
    for row in layer_properties(kind).values():
        own = getattr(base, row.attribute)
        if not isinstance(own, property):
            raise TypeError(f"{base.__name__}.{row.attribute} is not a property: the table's row cannot be gated")
        members[row.attribute] = _gated(own, row)
    return type(f"Remote{base.__name__}", (RemoteLayer, base), members)


REMOTE_CLASSES: dict[str, type[Layer]] = {
    base.__name__.lower(): _remote_class(base, base.__name__.lower())
    for base in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)
}


def build(state: m.LayerState) -> Any:
    """Return the remote layer of a state; attach it once it is in the viewer."""
    spec = state.spec
    cls: Any = REMOTE_CLASSES[spec.kind]
    layer = cls.__new__(cls)
    layer.prepare(spec)
    layer.__init__(*_stub_args(spec), **_stub_options(spec), **_placement(spec), name=state.values["name"])
    layer.editable = False
    show(layer, state.values)
    return layer


def show(layer: Any, values: m.Values) -> None:
    """Set a layer's properties to the server's values, where they differ."""
    rows = layer_properties(layer.remote_kind)
    with layer.applying():
        for name, row in rows.items():
            if name in values and conversion.read(layer, row) != values[name]:
                conversion.write(layer, row, values[name])


def place(layer: Layer, spec: m.LayerSpec) -> None:
    """Follow a change of the layer's geometry on the server."""
    remote: Any = layer
    with remote.applying():
        if spec.shape:
            data = _pixels(spec)
            if [list(level.shape) for level in data] != [list(level) for level in _levels(layer)]:
                remote.data = data if spec.level_shapes else data[0]
        else:
            remote.remote_extent = np.asarray(spec.extent, dtype=float)
        for name, value in _placement(spec).items():
            setattr(layer, name, value)
        extent_changed(layer)
        layer.events.extent()


def _levels(layer: Layer) -> list[tuple[int, ...]]:
    data: Any = layer.data
    return [level.shape for level in data] if getattr(layer, "multiscale", False) else [data.shape]


def _stub_args(spec: m.LayerSpec) -> tuple[Any, ...]:
    if spec.kind in ("image", "labels"):
        pixels = _pixels(spec)
        return (pixels if spec.level_shapes else pixels[0],)
    if spec.kind == "points":
        return (np.empty((0, spec.ndim)),)
    if spec.kind == "shapes":
        return (None,)
    if spec.kind == "surface":
        return ((np.zeros((3, spec.ndim)), np.array([[0, 1, 2]]), np.ones(3)),)
    if spec.kind == "tracks":
        return (np.zeros((1, spec.ndim + 1)),)
    return (np.zeros((0, 2, spec.ndim)),)


def _stub_options(spec: m.LayerSpec) -> dict[str, Any]:
    if spec.kind == "image":
        # Given limits: napari would otherwise look for them in the data.
        return {"rgb": spec.rgb, "multiscale": bool(spec.level_shapes), "contrast_limits": (0, 1)}
    if spec.kind == "labels":
        return {"multiscale": bool(spec.level_shapes)}
    return {"ndim": spec.ndim} if spec.kind in ("points", "shapes", "vectors") else {}


def _pixels(spec: m.LayerSpec) -> list[npt.NDArray[Any]]:
    """Return arrays of the right shape and dtype that take no memory, one per level."""
    dtype = np.dtype(spec.dtype)
    return [np.broadcast_to(np.zeros((), dtype), shape) for shape in spec.level_shapes or [spec.shape]]


def _placement(spec: m.LayerSpec) -> dict[str, Any]:
    transform = {name: np.asarray(value) for name, value in spec.transform.items()}
    return {**transform, "units": tuple(spec.units), "axis_labels": tuple(spec.axis_labels)}
