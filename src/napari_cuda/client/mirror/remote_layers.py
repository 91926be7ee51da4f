"""Remote layers: napari's seven layer classes without data, their setters gated.

A remote layer has the right shape, extent and properties and never a pixel: reading its data
gives stride-0 zeros. Setting a mirrored property shows at once and tells the owner.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Layer, Points, Shapes, Surface, Tracks, Vectors

from napari_cuda import conversion
from napari_cuda.client.mirror.data_elsewhere import DataElsewhere, data_members
from napari_cuda.client.mirror.napari_adapter import (
    HistogramElsewhere,
    NoLocalData,
    extent_changed,
    remake_slicing,
    symbols,
)
from napari_cuda.client.mirror.remote_features import FeaturesElsewhere, feature_members
from napari_cuda.client.mirror.remote_tools import RemoteTools, bind_remote_keys, tool_members
from napari_cuda.evented_parts import watch_parts
from napari_cuda.layer_state import check_placement
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import DataError, PropertyError
from napari_cuda.protocol.layer_rows import PLACEMENT
from napari_cuda.protocol.properties import layer_properties
from napari_cuda.protocol.property import Property
from napari_cuda.protocol.wire_types import Wire

log = logging.getLogger(__name__)

OnSet = Callable[["RemoteLayer", Property, Wire], None]
OnCommand = Callable[[str, dict[str, Wire]], None]


class RemoteLayer(RemoteTools, DataElsewhere, FeaturesElsewhere, NoLocalData):
    """What all remote layers share. Owner: GUI thread.

    Inside `applying()` setters only set; outside, the user's value is set and handed to
    `on_set`. Sets that napari makes itself inside a setter are not handed over: the server's
    napari makes the same (but for the mode that a layer had before it was invisible, for each
    remembers its own). What is kept in a part of the layer (a plane, a text, an overlay) has
    no setter: its events are heard.

    What all elements have (`held` rows) is kept here, for there are no elements that could have it.
    """

    remote_id: str
    on_set: OnSet | None = None
    on_command: OnCommand | None = None
    on_value: Callable[..., Any] | None = None
    consequences: Callable[[], AbstractContextManager[None]] = nullcontext
    _quiet: int = 0
    _histogram: HistogramElsewhere | None = None
    _autoscaled: bool = False
    """Autoscaling was asked for: the contrast limits here may be the old ones."""
    _held: dict[str, Any] | None = None
    """By attribute; None until napari's constructor is done."""
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
        self.remote_extent, self.remote_margin = _extent(spec), spec.margin
        self._quiet = 1

    def built(self) -> None:
        """napari's constructor is done."""
        self._held = {}
        self.announce_features()
        watch_parts(self, layer_properties(self.remote_kind).values(), self._tell)

    def attach(
        self,
        on_set: OnSet,
        on_command: OnCommand,
        consequences: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """From now on, tell what the user sets and asks for.

        A layer is moved within `consequences()`: what becomes of dims then is no wish of the user.
        """
        self.on_set = on_set
        self.on_command = on_command
        self.consequences = consequences
        self._quiet = 0

    @contextmanager
    def applying(self) -> Iterator[None]:
        """Set what the server says, without an echo."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    def command(self, name: str, **args: Wire) -> None:
        """Ask the server to do something with this layer."""
        self.ask(name, layer=self.remote_id, **args)

    def ask(self, name: str, **args: Wire) -> None:
        """Ask this layer's server to do something."""
        if self._quiet == 0 and self.on_command is not None:
            self.on_command(name, args)

    def set_mirrored(self, base: property, row: Property, value: Any) -> None:
        """Set through napari's own setter, then tell the owner what came of it.

        It is set before those who listen hear of it: that one of them raises does not keep it here.
        """
        if self._autoscaled and self._quiet == 0 and row.name == "contrast_limits_range" and self._are_limits(value):
            # napari's button: autoscale, and then the limits become the range. Only the server knows them.
            self.command("layer.reset_contrast_limits_range", to_limits=True)
            return
        self._autoscaled &= row.name != "contrast_limits"
        mode, by_user = self.mode, self._quiet == 0
        before = conversion.read(self, row) if by_user else None
        try:
            with self.applying():
                if row.name in PLACEMENT:
                    self._place(base, row, value)
                else:
                    base.__set__(self, value)
        except BaseException:  # an interrupt too: what shows here must be what is told
            if by_user and conversion.read(self, row) != before:
                self._tell(row)
            raise
        self._tell(row)
        if row.name == "visible" and self.mode != mode:
            self._tell(layer_properties(self.remote_kind)["mode"])

    def _place(self, base: property, row: Property, value: Any) -> None:
        """Set where the layer is. ValueError, and it stays where it was, if it cannot be there.

        napari would take a matrix of another size, and raise in every draw from then on.
        """
        layer: Any = self
        before = base.__get__(self)
        with self.consequences():
            try:
                base.__set__(self, value)
                check_placement(layer, row.name, conversion.read(self, row))
            except BaseException:  # an interrupt too: the layer may not stay where it cannot be drawn
                base.__set__(self, before)
                raise

    def _are_limits(self, value: Any) -> bool:
        return list(value) == list(self.contrast_limits)  # type: ignore[attr-defined]

    def held(self, attribute: str) -> Any:
        """Return what all elements have, None if that is not one value."""
        return None if self._held is None else self._held.get(attribute)

    def set_held(self, base: property, row: Property, value: Any) -> None:
        """Keep what all elements have. ValueError if a user sets what is not one value for all."""
        if self._held is None:
            base.__set__(self, value)
            return
        if self._quiet == 0:
            value = symbols(value) if row.attribute == "symbol" else value
            try:
                value = conversion.to_native(row, conversion.uniform(row, value, self.feature_names()))
            except PropertyError as error:
                raise ValueError(f"{error}; values of single elements are set on the server") from None
        self._held[row.attribute] = value
        emitter = self.events.emitters.get(row.attribute)  # type: ignore[attr-defined]
        try:
            if emitter is not None:
                emitter()
        finally:
            self._tell(row)

    def _tell(self, row: Property) -> None:
        if self._quiet == 0 and self.on_set is not None:
            self.on_set(self, row, conversion.read(self, row))

    def reset_contrast_limits(self, *_args: Any, **_kwargs: Any) -> None:
        """Autoscale, on the server."""
        self._autoscaled = self._quiet == 0
        self.command("layer.reset_contrast_limits")

    def reset_contrast_limits_range(self, *_args: Any, **_kwargs: Any) -> None:
        """Set the range from the dtype or the data, on the server."""
        self.command("layer.reset_contrast_limits_range")

    def save(self, path: str, plugin: str | None = None) -> list[str]:
        """The data is on the server: DataError that says how to save it."""
        raise DataError("the data of this layer is on the server: save it with viewer.save_layers(path, [layer])")

    def server_histogram(self) -> HistogramElsewhere:
        """Return the layer's histogram: asked for while it is enabled."""
        if self._histogram is None:
            self._histogram = HistogramElsewhere(self, self._ask_for_histogram)
        return self._histogram

    def _ask_for_histogram(self, model: Any) -> None:
        names = ("bins", "mode", "log_scale", "max_samples")
        options = {name: getattr(model, name) for name in names}
        self.command("layer.histogram", shown=model.enabled, **options)

    def get_value(self, position: npt.ArrayLike, **how: Any) -> Any:
        """Return what napari's `Layer.get_value` does, from the data on the server: waits for one round trip."""
        if self._quiet or self.on_value is None:
            return None
        return self.on_value(self, position, **how)


def _gated(base: property, row: Property) -> property:
    def fset(self: RemoteLayer, value: Any) -> None:
        self.set_mirrored(base, row, value)

    return property(base.fget, fset, base.fdel, base.__doc__)


def _held(base: property, row: Property) -> property:
    def fget(self: RemoteLayer) -> Any:
        value = self.held(row.attribute)
        if value is None:
            return base.__get__(self)
        # As napari has it, an array of elements: its controls ask for the largest, say.
        return value if isinstance(value, str) else np.array([value])

    def fset(self: RemoteLayer, value: Any) -> None:
        self.set_held(base, row, value)

    return property(fget, fset, base.fdel, base.__doc__)


def _remote_class(base: type[Layer], kind: str) -> type[Layer]:
    """Return `Remote<Base>`: the base with the setters of all its table rows gated, but for those of its parts."""
    members = {
        "__doc__": f"napari's {base.__name__} layer, its data on the server.",
        **data_members(base, kind),
        **feature_members(base),
        **tool_members(base, kind),
    }
    for row in layer_properties(kind).values():
        if "." in row.attribute or not row.writable:  # features: see `feature_members`
            continue
        own = getattr(base, row.attribute)
        if not isinstance(own, property):
            raise TypeError(f"{base.__name__}.{row.attribute} is not a property: the table's row cannot be gated")
        gate = _held if row.held else _gated
        members[row.attribute] = gate(own, row)
    if hasattr(base, "histogram"):
        members["histogram"] = property(RemoteLayer.server_histogram, doc="napari's histogram, the server's counts.")
    cls = type(f"Remote{base.__name__}", (RemoteLayer, base), members)
    bind_remote_keys(cls)
    return cls


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
    layer.__init__(*_stub_args(spec), **_stub_options(spec), name=state.values["name"])
    layer.built()
    show(layer, state.values)
    return layer


def take_over(layer: Layer, state: m.LayerState) -> Any:
    """Make a layer that the user made here the remote one of a state, in place; attach it then.

    Whoever holds it steers the server's layer from now on. Its data goes.
    """
    remote: Any = layer
    layer.__class__ = REMOTE_CLASSES[state.spec.kind]
    remote.prepare(state.spec)
    remote.built()
    remake_slicing(layer)
    (stub,) = _stub_args(state.spec)
    remote.data = [] if stub is None else stub
    show(layer, state.values)
    return remote


def show(layer: Any, values: m.Values) -> None:
    """Set a layer's properties to the server's values, where they differ."""
    rows = layer_properties(layer.remote_kind)
    with layer.applying():
        for name in (*rows, "mode"):  # that one again: an invisible layer takes none
            if name in values and conversion.read(layer, rows[name]) != values[name]:
                _show(layer, rows[name], values[name])


def _show(layer: Any, row: Property, value: Wire) -> None:
    if value is None and row.wire.kind == "encoding":
        return  # each element has its own there; here there are none
    try:
        conversion.write(layer, row, value)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        # The server's napari took it, with the data that is not here: no reason to end the session.
        log.warning("%s of %r is not shown: %s", row.name, layer.name, error)


def place(layer: Layer, spec: m.LayerSpec) -> None:
    """Follow a change of the layer's geometry on the server."""
    remote: Any = layer
    with remote.applying():
        if spec.shape:
            data = _pixels(spec)
            shapes = [list(level.shape) for level in data]
            if shapes != [list(level) for level in _levels(layer)] or np.dtype(remote.dtype) != data[0].dtype:
                remote.data = data if spec.level_shapes else data[0]
        else:
            remote.remote_extent, remote.remote_margin = _extent(spec), spec.margin
        extent_changed(layer)
        layer.events.extent()


def _extent(spec: m.LayerSpec) -> npt.NDArray[np.float64] | None:
    """Return where the data is, in data coordinates, NaN if it is empty; None for pixels, whose stub is as large."""
    if spec.shape:
        return None
    return np.asarray(spec.extent, dtype=float) if spec.extent else np.full((2, spec.ndim), np.nan)


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
