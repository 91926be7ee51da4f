"""The one client module that overrides private names of napari's *model* classes.

`PRIVATE_NAMES` is checked by `tests/contract/test_client_model_names.py`, so that a napari
release that renames one fails with a readable message.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any
from weakref import ref

import numpy as np
import numpy.typing as npt
from napari.components import Dims, LayerList, ViewerModel
from napari.components.canvas import Canvas
from napari.components.cursor import Cursor
from napari.components.histogram import HistogramModel
from napari.layers import Image, Labels, Layer, Points, Shapes, Surface, Tracks, Vectors
from napari.layers.base import no_op
from napari.layers.base._base_mouse_bindings import highlight_box_handles, transform_with_box
from napari.layers.points._points_utils import coerce_symbols
from napari.layers.utils import _link_layers
from napari.utils.action_manager import action_manager
from napari.utils.theme import is_theme_available
from pydantic import PrivateAttr

_MODE_ACTION = r"napari:activate_\w+_mode"

PRIVATE_NAMES: tuple[tuple[Any, str], ...] = (
    *((cls, "_get_layer_slicing_state") for cls in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)),
    *((cls, "_extent_data") for cls in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)),
    *((cls, "_extent_data_augmented") for cls in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)),
    (Layer, "_update_draw"),
    (Layer, "_slice_dims"),
    *((Image(np.zeros((2, 2)))._slicing_state, name) for name in ("_slice_input", "_units", "make_slice_input")),
    (Layer, "_refresh_sync"),
    *((cls, "_update_thumbnail") for cls in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)),
    *((cls, "_drag_modes") for cls in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)),
    *((cls, "_move_modes") for cls in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)),
    (Shapes, "_double_click_modes"),
    (Layer, "_mode_setter_helper"),
    *((Points, name) for name in ("_copy_data", "_paste_data")),
    (action_manager, "_actions"),
    (Layer, "_type_string"),
    (Layer, "_reset_editable"),
    (Layer, "_clear_extent"),
    (Canvas, "_update_bgcolor_from_viewer"),
    (ViewerModel, "_new_labels"),
    *((HistogramModel, name) for name in ("_mark_dirty", "_on_enabled_change", "_on_mode_change")),
    *((HistogramModel, name) for name in ("_on_log_scale_change", "_bin_edges", "_counts", "_dirty")),
    (_link_layers, "_LINKED_LAYERS"),
    (Layer, "_get_value"),
    (Image, "_calc_data_range"),
    (ViewerModel, "_calc_status_from_cursor"),
    (ViewerModel, "_layer_help_from_mode"),
    (ViewerModel, "_on_add_layer"),
    (ViewerModel, "_on_layers_change"),
    (ViewerModel, "_update_layers"),
    (ViewerModel(), "_layer_slicer"),
    (Cursor, "_view_direction"),
)


class NoLocalData:
    """Mixin: a layer whose data is elsewhere never reads, slices or measures it here.

    Set `remote_extent` ([[min …], [max …]] in data coordinates, or None for the stub's own),
    `remote_margin` (what is drawn reaches so much farther) and `remote_kind` before the layer's own `__init__` runs.
    """

    remote_extent: npt.NDArray[np.float64] | None
    remote_margin: float
    remote_kind: str
    _view: dict[str, Any] | None = None
    _corner_pixels: npt.NDArray[np.int_]

    def _get_layer_slicing_state(self, data: Any, cache: bool) -> Any:
        state = super()._get_layer_slicing_state(data, cache)  # type: ignore[misc]
        state._set_view_slice = _nothing
        # Not callable: the layer slicer then takes the synchronous way, which does nothing.
        state._make_slice_request = None
        return state

    @property
    def _extent_data(self) -> npt.NDArray[np.float64]:
        if self.remote_extent is not None:
            return self.remote_extent.copy()
        extent: npt.NDArray[np.float64] = super()._extent_data  # type: ignore[misc]
        return extent

    @property
    def _extent_data_augmented(self) -> npt.NDArray[np.float64]:
        if self.remote_extent is None:
            extent: npt.NDArray[np.float64] = super()._extent_data_augmented  # type: ignore[misc]
            return extent
        augmented: npt.NDArray[np.float64] = self._extent_data + np.array([[-1.0], [1.0]]) * self.remote_margin
        return augmented

    @property
    def _type_string(self) -> str:
        return self.remote_kind

    def _mode_setter_helper(self, mode_in: Any) -> Any:
        mode = super()._mode_setter_helper(mode_in)  # type: ignore[misc]
        for name in ("polygon", "brush_stroke"):
            if name in self._overlays:  # type: ignore[attr-defined]
                # They are tools too, and draw on the data.
                self._overlays[name].enabled = False  # type: ignore[attr-defined]
        return mode

    def _update_draw(self, **view: Any) -> None:
        """The canvas tells each layer what of it is seen, at every draw: only slicing needs that, and who asks."""
        self.scale_factor = view["scale_factor"]
        self._view = view
        if getattr(self, "multiscale", False):
            self._look()  # the controls show the level

    def _look(self) -> None:
        view, self._view = self._view, None
        if view is not None:
            super()._update_draw(**view)  # type: ignore[misc]

    @property
    def corner_pixels(self) -> npt.NDArray[np.int_]:
        """napari's: the corners of what of the data is seen, (2, ndim)."""
        self._look()
        return self._corner_pixels

    @corner_pixels.setter
    def corner_pixels(self, corners: npt.NDArray[np.int_]) -> None:
        self._corner_pixels = corners

    def _update_thumbnail(self) -> None:
        """Thumbnails come from the server."""

    def _slice_dims(self, dims: Dims, force: bool = False) -> None:
        """As napari's, but nothing is read, and nobody is told if the same of the data is seen as before."""
        state: Any = self._slicing_state  # type: ignore[attr-defined]
        before, state._slice_input = state._slice_input, state.make_slice_input(dims)
        state._units = dims.units
        if force or _seen_of_data(before) != _seen_of_data(state._slice_input):
            self._refresh_sync(data_displayed=True, highlight=True)  # type: ignore[attr-defined]

    def _reset_editable(self) -> None:
        """Editing tools act on data, which is not here."""

    def _get_value(self, *args: Any, **kwargs: Any) -> None:
        """Values come from the server."""

    def _calc_data_range(self, mode: str = "data") -> tuple[float, float]:
        low, high = self.contrast_limits_range  # type: ignore[attr-defined]
        return float(low), float(high)


def _seen_of_data(slice_input: Any) -> object:
    """Return along which axes a layer's data is seen, and where on the others: a point on those changes nothing."""
    world, hidden = slice_input.world_slice, slice_input.not_displayed
    places = [(world.point[axis], world.margin_left[axis], world.margin_right[axis]) for axis in hidden]
    return slice_input.ndisplay, slice_input.order, places


class NoLocalStatus:
    """Mixin: a viewer whose status bar and tooltip are told by the server never looks for them here.

    napari asks in a thread of its own (`StatusChecker`), and whenever another layer is active.
    """

    def _calc_status_from_cursor(self) -> None:
        """Nothing to show; `CursorMirror` does."""

    @staticmethod
    def _layer_help_from_mode(layer: Layer) -> None:
        """Have the status bar tell the shortcuts of a remote layer's tools: napari looks for its own classes."""
        base = next(cls for cls in type(layer).__mro__ if cls.__module__.startswith("napari."))
        stand_in = type("StandIn", (), {"__class__": base, "mode": layer.mode, "help": ""})()
        ViewerModel._layer_help_from_mode(stand_in)
        layer.help = stand_in.help


def view_direction(viewer: ViewerModel) -> npt.NDArray[np.float64] | None:
    """Return along which way the cursor looks into the scene, in world coordinates; None in two dimensions."""
    direction: npt.NDArray[np.float64] | None = viewer.cursor._view_direction
    return direction


_LOCAL_TOOLS = (transform_with_box, highlight_box_handles, Labels.brush_size_on_mouse_move)


def local_tools(base: type[Layer]) -> dict[str, Any]:
    """Return, as members of a subclass, the tools of a layer class without those that act on data."""
    return {
        name: {mode: tool if tool in _LOCAL_TOOLS else no_op for mode, tool in getattr(base, name).items()}
        for name in ("_drag_modes", "_move_modes", "_double_click_modes")
        if hasattr(base, name)
    }


def mode_actions() -> list[str]:
    """Return the names of napari's actions that set the mode of a layer."""
    return [name.removeprefix("napari:") for name in action_manager._actions if re.fullmatch(_MODE_ACTION, name)]


def wrap_layer_action(name: str, around: Callable[[str, Callable[[Layer], Any], Layer], Any]) -> None:
    """Have napari's action of that name call `around(name, its function, layer)`; nothing if it has no such action.

    A button of a panel has the action done to the active layer, which may be another one than that of the panel: a
    layer of another kind is left alone.
    """
    action = action_manager._actions.get(f"napari:{name}")
    if action is None or hasattr(action.command, "wrapped_by_napari_cuda"):
        return
    command, kind = action.command, action.keymapprovider

    @functools.wraps(command)
    def act(layer: Layer) -> Any:
        return around(name, command, layer) if isinstance(layer, kind) else None

    act.wrapped_by_napari_cuda = True  # type: ignore[attr-defined]
    action_manager.register_action(
        f"napari:{name}", act, action.description, action.keymapprovider, repeatable=action.repeatable
    )


class HistogramElsewhere(HistogramModel):
    """A layer's histogram that the server computes. Owner: GUI thread.

    `ask(self)` is called whenever it is needed, or no more (`enabled`); `show` what came.
    """

    _ask: Callable[[HistogramModel], None] = PrivateAttr()

    def __init__(self, layer: Any, ask: Callable[[HistogramModel], None]) -> None:
        super().__init__(layer)
        self._ask = ask
        self._dirty = False  # or napari would compute it

    def show(self, bin_edges: list[float], counts: list[float]) -> None:
        """Show what the server counted."""
        self._bin_edges = np.asarray(bin_edges, np.float32)
        self._counts = np.asarray(counts, np.float32)
        self.events.counts()

    def compute(self) -> Generator[tuple[npt.NDArray[Any], npt.NDArray[Any]], None, None]:
        """Nothing to compute here."""
        yield from ()

    def _mark_dirty(self, event: object = None) -> None:
        if self.enabled:
            self._ask(self)

    def _on_enabled_change(self) -> None:
        self._ask(self)

    def _on_mode_change(self) -> None:
        self._mark_dirty()

    def _on_log_scale_change(self) -> None:
        self._mark_dirty()


@contextmanager
def added_unselected(layers: LayerList) -> Iterator[None]:
    """Within this, a layer that is added is not selected: napari would make all its controls."""
    activate, layers._activate_on_insert = layers._activate_on_insert, False
    try:
        yield
    finally:
        layers._activate_on_insert = activate


@contextmanager
def sliced_once(viewer: ViewerModel) -> Iterator[None]:
    """Within this dims change, and all layers are sliced once, after it: napari does at each change."""
    slicer: Any = viewer._layer_slicer
    asked: list[object] = []
    slicer.submit = lambda **what: asked.append(what)
    try:
        yield
    finally:
        del slicer.submit
        if asked:
            slicer.submit(layers=viewer.layers, dims=viewer.dims)


def remake_slicing(layer: Layer) -> None:
    """Have a layer that changed its class slice as that does."""
    layer._slicing_state = layer._get_layer_slicing_state(layer.data, False)


def show_links(groups: Iterable[Iterable[Layer]], layers: Iterable[Layer]) -> None:
    """Have napari's menus take these of `layers` as linked; on the server they follow each other."""
    for layer in layers:
        _link_layers._LINKED_LAYERS.pop(ref(layer), None)
    for group in groups:
        linked = {ref(layer) for layer in group}
        for one in linked:
            _link_layers._LINKED_LAYERS[one] |= linked - {one}


class DimensionsFollowLayers:
    """Mixin: a viewer that tells when it changes its dimensions for the layers' sake: nobody asked for that."""

    def follow_layers_within(self, following: Callable[[], AbstractContextManager[None]]) -> None:
        """Do so within `following()` from now on."""
        self.layers.following = following  # type: ignore[attr-defined]

    def _following(self) -> AbstractContextManager[None]:
        following: AbstractContextManager[None] = getattr(self.layers, "following", nullcontext)()  # type: ignore[attr-defined]
        return following

    def _on_layers_change(self) -> None:
        with self._following():
            super()._on_layers_change()  # type: ignore[misc]

    def _on_add_layer(self, event: Any) -> None:
        with self._following():
            super()._on_add_layer(event)  # type: ignore[misc]


class MeasuredOncePerBatch(DimensionsFollowLayers):
    """Mixin: a viewer that looks at all layers for ranges and units of its dimensions once for many that come or go.

    napari does for each of them; while a batch of the list is open here only if there are more or fewer dimensions.
    """

    def _on_layers_change(self) -> None:
        layers: Any = self.layers  # type: ignore[attr-defined]
        if not getattr(layers, "batched", False) or layers.ndim != self.dims.ndim or not layers:  # type: ignore[attr-defined]
            super()._on_layers_change()

    def _update_layers(self, *, layers: Iterable[Layer] | None = None) -> None:
        if not getattr(self.layers, "batched", False):  # type: ignore[attr-defined]
            super()._update_layers(layers=layers)  # type: ignore[misc]
        elif layers:
            self._layer_slicer.submit(layers=layers, dims=self.dims)  # type: ignore[attr-defined]
            for layer in layers:
                layer.extent  # noqa: B018 -- found out, and kept, now: at the end of the batch it would be all at once

    def watch_batches(self) -> None:
        """Hear of batches from now on."""
        layers: Any = self.layers  # type: ignore[attr-defined]

        def begin() -> None:
            layers.batched = True

        def end() -> None:
            try:
                super(MeasuredOncePerBatch, self)._on_layers_change()
            finally:
                layers.batched = False
            self._update_layers()

        layers.events.begin_batch.connect(begin)
        layers.events.end_batch.connect(end)


class NewLabelsElsewhere:
    """Mixin: a viewer whose button for new labels makes them on the server, where there is room for them."""

    def ask_for_new_labels(self) -> None:
        """Have the server do what the button does."""
        raise NotImplementedError  # the viewer, which has the connection, does it

    def _new_labels(self) -> None:
        self.ask_for_new_labels()


def set_canvas_theme(canvas: Canvas, theme: str) -> None:
    """Give a canvas the colours of a napari theme; one that is not known here changes nothing."""
    if is_theme_available(theme):
        canvas._update_bgcolor_from_viewer(SimpleNamespace(value=theme))


def symbols(value: Any) -> Any:
    """Return what napari makes of a symbol's name or sign, or of a list of them; ValueError if it knows none."""
    return coerce_symbols(value)


def extent_changed(layer: Layer) -> None:
    """Make a layer forget the extent it computed."""
    layer._clear_extent()


def _nothing() -> None:
    return None
