"""What napari's models do for its window, without window or canvas: the private names of napari that this needs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from napari._app_model.actions._layerlist_context_actions import LAYERLIST_CONTEXT_ACTIONS
from napari.components import LayerList, ViewerModel
from napari.layers import Layer, Points, Shapes
from napari.layers.labels import _labels_key_bindings
from napari.layers.points import _points_key_bindings
from napari.layers.shapes import _shapes_key_bindings
from napari.layers.utils._link_layers import get_linked_layers
from napari.plugins import _initialize_plugins
from napari.settings import get_settings
from napari.settings._constants import BrushSizeOnMouseModifiers
from napari.utils import progress, resize_dask_cache
from napari.utils.action_manager import action_manager
from npe2 import PluginManager

from napari_cuda.edge_on import survive_edge_on
from napari_cuda.grid_cells import find_cells_at_once
from napari_cuda.lean_events import make_events_lean
from napari_cuda.lean_transforms import make_transforms_lean
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import CommandError, StartupError
from napari_cuda.protocol.layer_actions import MEASURE_SHAPES
from napari_cuda.server.render.listeners import own_keys
from napari_cuda.settings import headless_napari_config

PRIVATE_NAMES = (
    "napari._app_model.actions._layerlist_context_actions.LAYERLIST_CONTEXT_ACTIONS",
    "napari.layers.labels._labels_key_bindings",
    "napari.layers.points._points_key_bindings",
    "napari.layers.shapes._shapes_key_bindings",
    "napari.layers.utils._link_layers.get_linked_layers",
    "napari.plugins._initialize_plugins",
    "napari.settings._constants.BrushSizeOnMouseModifiers",
    "napari._qt.qthreading.GeneratorWorker._worker_set",
    "napari.utils.progress._all_instances",
    "viewer._calc_status_from_cursor",
    "viewer._new_labels",
    "layer._mouse_drag_gen",
    "layer._persisted_mouse_event",
    "layer._value",
    "shapes._data_view._edge_color",
    "shapes._data_view._face_color",
    "shapes._feature_table",
    "shapes._is_creating",
    "shapes._moving_value",
)
"""Every private name of napari used here, as in `napari_adapter.py`. Checked by the contract test."""


def progress_bars() -> Any:
    """Return the evented set of all progress bars of this process that are not closed."""
    return progress._all_instances


def worker_of(bar: progress) -> Any:
    """Return the thread worker that a progress bar is of, if it looks whether it is to quit; else None.

    One that does not yield never looks.
    """
    from napari.qt.threading import GeneratorWorker  # noqa: PLC0415 -- all of napari's Qt

    workers = list(GeneratorWorker._worker_set)  # other threads begin and end some
    own = (one for one in workers if isinstance(one, GeneratorWorker) and getattr(one, "pbar", None) is bar)
    return next(own, None)


def adopt_napari() -> None:
    """Have a process in which napari was imported before be ours: its settings are kept in our file from now on.

    Owner: render thread; before `initialise_napari`. For kernels, whose user imports what he likes first.
    """
    settings = get_settings()
    if settings.config_path != headless_napari_config():
        settings.config_path = headless_napari_config()


@functools.cache
def initialise_napari() -> None:
    """Set up napari for this process: settings, plugins, shortcuts. Call before making a viewer.

    Owner: render thread. Raises StartupError if napari would write to the user's settings.
    """
    settings = get_settings()
    if settings.config_path is None or settings.config_path != headless_napari_config():
        raise StartupError("napari was imported before the headless set-up; start the server in a process of its own")
    # The file outlives the process: every setting we rely on is set, never assumed.
    settings.experimental.async_ = True
    settings.appearance.theme = "dark"
    settings.application.save_window_geometry = False
    # The clients change the brush with the mouse, and tell its size.
    settings.application.brush_size_on_mouse_move_modifiers = BrushSizeOnMouseModifiers.DISABLED
    survive_edge_on()
    make_transforms_lean()
    make_events_lean()
    find_cells_at_once()
    _initialize_plugins()
    dask = settings.application.dask
    resize_dask_cache(int(dask.enabled * dask.cache * 1e9))
    for action, shortcuts in settings.shortcuts.shortcuts.items():
        action_manager.unbind_shortcut(action)
        for shortcut in shortcuts:
            action_manager.bind_shortcut(action, shortcut)
    own_keys()  # from now on they are other people's


def slice_in_background(*, on: bool) -> None:
    """Have layers sliced on napari's slicer thread, or (off) where they are asked for it, as stock napari does.

    On, pictures are served meanwhile. Off, a script finds each layer as it would there: contrast limits, for one,
    come from the first slice that is shown, which must not be skipped for a later one.
    """
    get_settings().experimental.async_ = on


_KEY_BINDINGS = {"labels": _labels_key_bindings, "points": _points_key_bindings, "shapes": _shapes_key_bindings}


def layer_action(kind: str, name: str) -> Callable[[Layer], Any]:
    """Return napari's function for a key action on layers of a kind, by the function's name."""
    action: Callable[[Layer], Any] = getattr(_KEY_BINDINGS[kind], name)
    return action


def menu_actions() -> dict[str, Callable[[LayerList], object]]:
    """Return the entries of napari's layer menus by id; they act on the selected layers of a list."""
    return {
        **{action.id: action.callback for action in LAYERLIST_CONTEXT_ACTIONS},
        MEASURE_SHAPES: _toggle_shape_measures,
    }


def _toggle_shape_measures(layers: LayerList) -> None:
    layer = layers.selection.active
    if not isinstance(layer, Shapes):
        raise ValueError("select one shapes layer to measure it")
    PluginManager.instance().commands.execute(MEASURE_SHAPES, args=(layer,))
    # It adds columns to the table itself, which tells nobody.
    layer.features = layer.features


def add_new_labels(viewer: ViewerModel) -> None:
    """Do what napari's button for new labels does. MemoryError if the selected layers are too large."""
    viewer._new_labels()


def linked_layers(layer: Layer) -> set[Layer]:
    """Return the layers that a layer is linked to."""
    linked: set[Layer] = get_linked_layers(layer)
    return linked


@contextmanager
def _hovering(layers: Iterable[Layer]) -> Iterator[None]:
    """Give layers back the value under the cursor that their tools go by: asking for one sets it."""
    values = [(layer, layer._value) for layer in layers]
    try:
        yield
    finally:
        for layer, value in values:
            layer._value = value


class _LayersUnderCursor(list[Layer]):
    """A layer list for one look: napari reverses it, and reversing its own makes one that connects all events anew."""

    def __init__(self, layers: LayerList) -> None:
        super().__init__(layers)
        self.selection = layers.selection


class UnderCursor:
    """What napari's status bar tells, asked of the model. Owner: render thread."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer

    def layers_under_cursor(self) -> list[Layer]:
        """Return the layers that napari's status bar tells of."""
        viewer = self._viewer
        active, selection = viewer.layers.selection.active, viewer.layers.selection
        if active is not None and len(selection) < 2:
            return [active]
        return [layer for layer in viewer.layers if layer in selection or viewer.canvas.grid.enabled]

    def status_at(self, query: m.CursorQuery) -> tuple[str | dict[str, str], str]:
        """Return napari's status and tooltip for a position; the model's own cursor stays where it is."""
        viewer = self._viewer
        direction = query.view_direction
        stand_in = SimpleNamespace(
            mouse_over_canvas=True,
            layers=_LayersUnderCursor(viewer.layers),
            canvas=viewer.canvas,
            tooltip=SimpleNamespace(visible=query.tooltip),
            dims=SimpleNamespace(displayed=query.dims_displayed or viewer.dims.displayed),
            cursor=SimpleNamespace(
                position=tuple(query.position),
                _view_direction=None if direction is None else np.asarray(direction),
            ),
        )
        with _hovering(self.layers_under_cursor()):
            status: tuple[str | dict[str, str], str] = ViewerModel._calc_status_from_cursor(stand_in)
        return status

    def value_at(self, layer: Layer, query: m.CursorQuery) -> Any:
        """Return what a layer has at a position."""
        direction = query.view_direction
        with _hovering([layer]):
            return layer.get_value(
                np.asarray(query.position),
                view_direction=None if direction is None else np.asarray(direction),
                dims_displayed=query.dims_displayed,
                world=query.world,
            )


MOST_KEPT = 1000
"""Shapes of a layer that can be given back: making them anew takes a second, and of many more a minute."""


class _ShapesBefore:
    """What a layer of shapes holds, so that it can be given back. Costs a copy of all vertices."""

    def __init__(self, layer: Shapes) -> None:
        self._vertices = [np.array(vertices) for vertices in layer.data]
        self._facts = {
            "shape_type": list(layer.shape_type),
            "edge_width": list(layer.edge_width),
            "edge_color": np.array(layer.edge_color),
            "face_color": np.array(layer.face_color),
            "z_index": list(layer.z_index),
        }
        self._features = layer.features.copy()
        self._selected = set(layer.selected_data)

    def give_back(self, layer: Shapes) -> None:
        # First without any: colours and vertices may have come apart.
        layer.data = []
        layer.add(self._vertices, **self._facts)
        layer.features = self._features
        layer.selected_data = self._selected


class Tools:
    """napari's tools: who may use them, and what becomes of what they could not finish. Owner: render thread.

    What napari's window does for them is done here: shapes, and points of two dimensions, cannot be edited in 3D.
    And a mend of napari 0.9.2: a path of too few corners, which it takes away, leaves its colours behind.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Layer | None = None
        """Where the hand is, or was last."""
        self._before: _ShapesBefore | None = None
        # After napari, whose layers then know of the dimensions.
        viewer.dims.events.ndisplay.connect(self._on_ndisplay, position="last")
        viewer.layers.events.inserted.connect(self._on_inserted, position="last")
        for layer in viewer.layers:
            self._adopt(layer)

    def begin(self) -> None:
        """The hand comes down on the active layer. CommandError if its tool can do nothing in this view."""
        layer = self._viewer.layers.selection.active
        if isinstance(layer, Shapes) and layer.mode != "pan_zoom" and self._viewer.dims.ndisplay == 3:
            raise CommandError("shapes are drawn and edited in two dimensions: switch the view to 2D")
        if layer is self._layer and isinstance(layer, Shapes) and layer._is_creating:
            return  # one more corner of a path that was begun
        self._layer = layer
        few = isinstance(layer, Shapes) and layer.nshapes <= MOST_KEPT
        self._before = _ShapesBefore(layer) if few else None

    def take_back(self) -> None:
        """The tool failed: it forgets the drag, and shapes, if not too many, are as they were when it began."""
        layer, before = self._layer, self._before
        self._layer = self._before = None
        if layer is None:
            return
        layer._mouse_drag_gen.clear()
        layer._persisted_mouse_event.clear()
        if isinstance(layer, Shapes):
            layer._is_creating = False
            layer._moving_value = (None, None)
            if before is not None:
                before.give_back(layer)

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _adopt(self, layer: Layer) -> None:
        if isinstance(layer, Shapes):
            layer.events.data.connect(_forget_looks_of_no_shape)
        if self._viewer.dims.ndisplay == 3 and not _editable_in_3d(layer):
            layer.editable = False

    def _on_ndisplay(self, event: Any) -> None:
        for layer in self._viewer.layers:
            if not _editable_in_3d(layer):
                layer.editable = event.value == 2


def _editable_in_3d(layer: Layer) -> bool:
    return not (isinstance(layer, Shapes) or (isinstance(layer, Points) and layer.ndim == 2))


def _forget_looks_of_no_shape(event: Any) -> None:
    """Cut colours and features to the number of shapes: else napari fails at the next change of dimensions."""
    layer = event.source
    view, count = layer._data_view, layer.nshapes
    if len(view._face_color) <= count:
        return
    view._face_color = view._face_color[:count]
    view._edge_color = view._edge_color[:count]
    rows = list(range(count, len(layer.features)))
    layer._feature_table.remove(rows)
    layer.text.remove(rows)
