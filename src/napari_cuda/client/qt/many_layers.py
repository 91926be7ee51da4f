"""napari's layer list and layer controls, for hundreds of layers. Owner: GUI thread.

napari makes the controls of all layers, and a panel anew at each step of a change of the selection. For each layer that
is selected, and for each that is painted, it goes through all rows.
"""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import napari
from napari.layers import Layer
from qtpy.QtCore import QItemSelection, QModelIndex, QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_cuda.client.mirror.remote_layers import RemoteLayer

# As in `napari_adapter.py`, checked by the same contract test.
PRIVATE_NAMES = (
    "viewer.window._qt_viewer.controls._add",
    "viewer.window._qt_viewer.controls._remove",
    "viewer.window._qt_viewer.controls._populate",
    "viewer.window._qt_viewer.layers._on_py_selection_change",
    "viewer.window._qt_viewer.layers._on_py_current_change",
    "napari._qt.containers.qt_layer_model:QtLayerListModel._process_event",
)

FEW = 16
"""With so few layers all is as in napari: the window's layout depends on when controls are made and shown."""


IN_NO_ROW = frozenset({"scale_factor", "set_data"})
"""Events of each layer at a step of the zoom or of a slider: napari has its row painted, which shows none of that."""


def prepare_for_many_layers(viewer: napari.Viewer) -> None:
    """Have the window of a viewer make controls, and find rows, when they are needed."""
    qt_viewer = viewer.window._qt_viewer
    _ControlsOnDemand(qt_viewer.controls)
    _LayerRows(viewer, qt_viewer.layers)


class _Controls(dict[Layer, QWidget]):
    """The controls of layers, made when somebody asks for them."""

    def __init__(self, container: Any) -> None:
        super().__init__(container.widgets)
        self._container = container

    def __missing__(self, layer: Layer) -> QWidget:
        self.make(layer)
        return dict(self)[layer]  # not here again, should there be none still

    def make(self, layer: Layer) -> None:
        """Make the controls of a layer that has none, unless the user's settings want panels only."""
        # What a control sets its layer to while it learns to show it is nobody's doing.
        with layer.applying() if isinstance(layer, RemoteLayer) else nullcontext():
            self._container._add(SimpleNamespace(value=layer))


class _ControlsOnDemand(QObject):
    """Shows controls of the selected layers once what changes the selection is done. Lives as long as its container.

    Of each kind of layers one has its controls at once: the container is as large as the largest that it has.
    """

    def __init__(self, container: Any) -> None:
        super().__init__(container)
        self._container = container
        container.widgets = _Controls(container)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(container._populate)
        self._layers = layers = container.viewer.layers
        layers.events.inserted.disconnect(container._add)
        layers.events.inserted.connect(self._on_inserted)
        layers.events.removed.disconnect(container._remove)
        layers.events.removed.connect(self._on_removed)
        layers.selection.events.changed.disconnect(container._populate)
        layers.selection.events.changed.connect(self._on_selection)

    def _on_inserted(self, event: Any) -> None:
        if len(self._layers) <= FEW and not getattr(self._layers, "batched", False):
            self._container._add(event)
        else:
            self._make_one_like(event.value)

    def _on_removed(self, event: Any) -> None:
        if event.value in self._container.widgets:
            self._container._remove(event)
            for layer in self._layers:
                self._make_one_like(layer)

    def _make_one_like(self, layer: Layer) -> None:
        controls = self._container.widgets
        if all(type(layer) is not type(known) for known in controls):
            controls.make(layer)

    def _on_selection(self, _event: Any = None) -> None:
        if len(self._layers) <= FEW:
            self._container._populate()
        else:
            self._soon.start(0)


class _LayerRows(QObject):
    """Tells the list which of its rows are selected, and whether all are loaded. Lives as long as the list."""

    def __init__(self, viewer: napari.Viewer, view: Any) -> None:
        super().__init__(view)
        self._layers = viewer.layers
        self._view = view
        events = viewer.layers.selection.events
        events.changed.disconnect(view._on_py_selection_change)
        events.changed.connect(self._on_selection)
        events._current.disconnect(view._on_py_current_change)
        events._current.connect(self._on_current)
        self._rows_model = view.model().sourceModel()
        self._rows_model.all_loaded = self._all_loaded
        viewer.layers.events.disconnect(self._rows_model._process_event)
        viewer.layers.events.connect(self._on_event)

    def _on_event(self, event: Any) -> None:
        if event.type not in IN_NO_ROW:
            self._rows_model._process_event(event)

    def _all_loaded(self) -> bool:
        return all(layer.loaded for layer in self._layers)

    def _on_selection(self, event: Any) -> None:
        chosen = self._view.selectionModel()
        for layers, how in (
            (event.added, chosen.SelectionFlag.Select),
            (event.removed, chosen.SelectionFlag.Deselect),
        ):
            if layers:
                chosen.select(self._rows(set(layers)), how)

    def _on_current(self, event: Any) -> None:
        chosen = self._view.selectionModel()
        if event.value is None:
            chosen.clearCurrentIndex()
        elif event.value in self._layers:
            chosen.setCurrentIndex(self._index(self._layers.index(event.value)), chosen.SelectionFlag.Current)

    def _rows(self, layers: set[Layer]) -> QItemSelection:
        rows = QItemSelection()
        for row, layer in enumerate(self._layers):
            if layer in layers:
                index = self._index(row)
                rows.select(index, index)
        return rows

    def _index(self, row: int) -> QModelIndex:
        reversing: Any = self._view.model()
        index: QModelIndex = reversing.mapFromSource(reversing.sourceModel().index(row))
        return index
