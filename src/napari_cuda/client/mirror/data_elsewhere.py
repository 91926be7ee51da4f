"""What of napari's layers reads or changes their data, for a layer whose data is elsewhere.

Who reads `layer.data` gets the server's; napari itself, which reads it at each turn of the window, the stub. What
napari would do to that is refused: nothing would come of it, or an error in the next draw.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_cuda.client.mirror.remote_array import RemoteArray, RemoteLevels, Source, as_arrays, elements
from napari_cuda.protocol.errors import DataError

SETTERS: dict[str, tuple[str, ...]] = {
    "shapes": ("shape_type",),
    "surface": ("faces", "texcoords", "texture", "vertex_colors", "vertex_values", "vertices"),
    "tracks": ("graph",),
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

INNER = frozenset({"napari", "napari_cuda", "vispy"})
"""Packages that read a layer's data to show it, and must never wait for the server."""

HANDING_ON = frozenset({"napari.utils._magicgui", "napari.types"})
"""Modules of these that give it to a user's function."""


def asked_by_napari(here: FrameType | None) -> bool:
    """Return whether what called the function that runs in a frame is napari's own code, or ours.

    That function must not keep its frame in a variable: the cycle would keep all that its callers have.
    """
    caller = here.f_back if here is not None else None
    module = str(caller.f_globals.get("__name__", "")) if caller is not None else ""
    return module.partition(".")[0] in INNER and module not in HANDING_ON


class DataElsewhere:
    """Mixin of remote layers. Owner: GUI thread; `data` may be read from any."""

    name: str
    ndim: int
    remote_id: str
    remote_kind: str
    on_data: Source | None = None
    """Where the data is; None: nowhere, yet."""
    unsent: Any = None
    """The data that is on its way to the server."""
    consequences: Callable[[], AbstractContextManager[None]]
    """Within it, what becomes of dims is no wish of the user."""
    _quiet: int

    def refresh(self, *args: Any, **options: Any) -> None:
        """Show what was written to `data`; for napari, what it has here."""
        super().refresh(*args, **options)  # type: ignore[misc]
        if not asked_by_napari(inspect.currentframe()):
            self.command("layer.refresh")

    def command(self, name: str, **args: Any) -> None:
        """Ask the server to do something with this layer."""
        raise NotImplementedError  # the layer, which has the connection, does it

    def data_there(self, stub: Any) -> Any:
        """Return the data on the server: RemoteArrays as large as the stub, of elements what the server says."""
        if self.unsent is not None or self.on_data is None:
            return stub if self.unsent is None else self.unsent
        if self.remote_kind not in ("image", "labels"):
            return elements(self.on_data, self.remote_id)
        several = bool(getattr(self, "multiscale", False))
        levels = [
            RemoteArray(self.on_data, self.remote_id, number, level.shape, level.dtype)
            for number, level in enumerate(stub if several else [stub])
        ]
        return RemoteLevels(levels) if several else levels[0]

    def give_data(self, base: property, value: Any) -> None:
        """Set the data on the server: pixels of any shape and dtype that napari takes, or elements.

        In place of what is there, as in napari: who holds the array that the layer had keeps it as it is.
        """
        if self.on_data is None or self.unsent is not None:
            self.refuse("data cannot be set here")
        elif self.remote_kind not in ("image", "labels"):
            self.on_data.replace(self.remote_id, as_arrays(self.remote_kind, value, self.ndim))
        else:
            several = bool(getattr(self, "multiscale", False))
            given = value if several else [value]
            levels = [level if hasattr(level, "dtype") else np.asarray(level) for level in given]
            self.on_data.replace(self.remote_id, levels)
            # What follows in a script goes by that; the server tells the same.
            stubs = [np.broadcast_to(np.zeros((), level.dtype), level.shape) for level in levels]
            with self.consequences(), self.applying():
                base.__set__(self, stubs if several else stubs[0])

    def applying(self) -> AbstractContextManager[None]:
        """Set what the server says, without an echo."""
        raise NotImplementedError  # as `command`

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
    setters["data"] = setters["data"].getter(_reading(getattr(base, "data")))  # noqa: B009 -- every kind has it
    if hasattr(base, "selected_data"):
        setters["selected_data"] = _selecting(getattr(base, "selected_data"))  # noqa: B009 -- not every kind has it
    methods = {name: _refusing(getattr(base, name), name) for name in METHODS.get(kind, ())}
    return {**setters, **methods}


def _reading(base: property) -> Callable[[Any], Any]:
    def fget(self: Any) -> Any:
        """The layer's data: RemoteArrays, which read from the server what is indexed of them."""
        stub = base.__get__(self)
        inner = self._quiet or asked_by_napari(inspect.currentframe())
        return stub if inner else self.data_there(stub)

    return fget


def _guarded(base: property, name: str) -> property:
    def fset(self: DataElsewhere, value: Any) -> None:
        if name == "data" and self._quiet == 0 and not asked_by_napari(inspect.currentframe()):
            self.give_data(base, value)
            return
        self.refuse(f"{name} cannot be set here")
        base.__set__(self, value)

    return property(base.fget, fset, base.fdel, base.__doc__)


def _selecting(base: property) -> property:
    def fset(self: DataElsewhere, value: Any) -> None:
        if self._quiet or (asked_by_napari(inspect.currentframe()) and not len(value)):
            base.__set__(self, value)
        else:  # which are selected only the server knows: here are none that could be
            self.command("layer.select", elements=sorted(int(number) for number in value))

    return property(base.fget, fset, base.fdel, base.__doc__)


def _refusing(base: Callable[..., Any], name: str) -> Callable[..., Any]:
    def refuse(self: DataElsewhere, *args: Any, **kwargs: Any) -> Any:
        self.refuse(f"{name}() cannot be done here")
        return base(self, *args, **kwargs)

    refuse.__doc__ = f"The data is on the server: DataError that says what to do instead of `{name}`."
    return refuse
