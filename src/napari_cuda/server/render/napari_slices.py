"""Slices on their way from napari's slicer to the canvas: the private names of napari that this needs."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.data.chunked_array import ChunkedArray, Slicing
from napari_cuda.server.data.chunks import ChunkKey
from napari_cuda.server.render.volume_level import VolumeBudget, allowed_level, choose_volume_level

PRIVATE_NAMES = (
    "layer._data_level",
    "layer._slice_input",
    "layer._update_level_and_corners",
    "viewer._layer_slicer._executor",
    "viewer._layer_slicer._layers_to_task",
    "viewer._layer_slicer.events.ready",
    "viewer._layer_slicer.shutdown",
    "layer._refresh_sync",
    "layer._slicing_state._last_slice_id",
    "layer._slicing_state._make_slice_request_internal",
    "layer._slicing_state._update_loaded_slice_id",
    "layer._slicing_state._update_slice_response",
)
"""Every private name of napari used here, as in `napari_adapter.py`. Checked by the contract test."""

MOST_LEFT = 8
"""Reads that were given up and go on all the same, each on a thread that nothing can end."""

REFINE_EVERY_S = 0.15
"""A picture that fills up is sliced anew so often at most: it costs as much as any other."""


@dataclass(slots=True)
class _Coarse:
    """A slice that is shown though it lacks chunks."""

    request: int
    missing: tuple[ChunkKey, ...]
    shown_s: float
    asked: bool = False


class Slices:
    """Shows the newest slice of each layer, and again when what it lacked is there.

    Owner: render thread; slices come on napari's slicer thread, chunks on their readers': `wake` is called there.
    A layer whose slice lacks chunks is not `loaded`.
    """

    def __init__(self, viewer: ViewerModel, wake: Callable[[], None], volumes: VolumeBudget) -> None:
        self._viewer = viewer
        self._volumes = volumes
        self._wake = wake
        self._lock = threading.Condition()
        self._newest: dict[weakref.ReferenceType[Layer], tuple[Any, tuple[ChunkKey, ...]]] = {}
        self._slicings: weakref.WeakKeyDictionary[Layer, Slicing] = weakref.WeakKeyDictionary()
        self._coarse: weakref.WeakKeyDictionary[Layer, _Coarse] = weakref.WeakKeyDictionary()
        self._given_up: weakref.WeakKeyDictionary[Layer, int] = weakref.WeakKeyDictionary()
        """Layer → the newest request whose slice is not to be shown any more."""
        self._left: list[Future[Any]] = []
        """What was given up and goes on. Bound: MOST_LEFT."""
        viewer._layer_slicer.events.ready.connect(self._on_ready)

    def __bool__(self) -> bool:
        """Return whether there is something to show."""
        return bool(self._newest)

    def adopt(self, layer: Layer) -> None:
        """Have a layer's chunked arrays read as its slices need them, and of a pyramid the level that suits."""
        if not isinstance(layer, (Image, Labels)):
            return
        if layer.multiscale:
            _Levels(layer, self._volumes)
        finest = layer.data[0] if layer.multiscale else layer.data
        if isinstance(finest, ChunkedArray):
            finest.level.chunks.on_arrival = self._on_arrival
            slicing = Slicing(finest.level.chunks)
            self._slicings[layer] = slicing
            layer._slicing_state.dask_optimized_slicing = slicing

    def forget(self, layer: Layer) -> None:
        """A layer is gone."""
        self._coarse.pop(layer, None)
        slicing = self._slicings.pop(layer, None)
        if slicing is not None:
            slicing.close()

    def awaited(self, layer: Layer) -> bool:
        """Return whether a layer shows nothing yet of what it was last asked for."""
        coarse = self._coarse.get(layer)
        return not layer.loaded and (coarse is None or coarse.request != layer._slicing_state._last_slice_id)

    def wait(self, timeout_s: float) -> None:
        """Return when a slice came, or after `timeout_s`."""
        with self._lock:
            self._lock.wait_for(lambda: self._newest, timeout_s)

    def show(self) -> bool:
        """Show what came; True if something did."""
        with self._lock:
            arrived, self._newest = self._newest, {}
        for weak_layer, (response, missing) in arrived.items():
            layer = weak_layer()
            if layer is not None:
                self._show(layer, response, missing)
        self._refine()
        return bool(arrived)

    def give_up(self) -> None:
        """Leave what is on its way: layers keep what they show, and what is asked for next does not wait for it.

        A read that cannot be interrupted goes on unseen. CommandError if too many do.
        """
        slicer = self._viewer._layer_slicer
        going_on = [task for task in slicer._layers_to_task.values() if task.running()]
        self._left = [task for task in self._left if not task.done()]
        if len(self._left) + len(going_on) > MOST_LEFT:
            raise CommandError(f"{len(self._left)} reads that were given up go on: no more can be left alone")
        self._left += going_on
        slicer._executor.shutdown(wait=False, cancel_futures=True)
        slicer._executor = type(slicer._executor)(max_workers=1)
        for layer in self._viewer.layers:
            if not layer.loaded:
                state = layer._slicing_state
                self._coarse.pop(layer, None)
                if layer in self._slicings:
                    self._slicings[layer].give_up()
                self._given_up[layer] = state._last_slice_id
                state._update_loaded_slice_id(state._last_slice_id)

    def close(self) -> None:
        """Show no more; the viewer can slice no more."""
        self._viewer._layer_slicer.shutdown()
        for layer in list(self._slicings):
            self.forget(layer)
        with self._lock:
            self._newest = {}

    def _show(self, layer: Layer, response: Any, missing: tuple[ChunkKey, ...]) -> None:
        if response.request_id <= self._given_up.get(layer, -1):
            return
        state = layer._slicing_state
        state._update_slice_response(response)
        if missing and layer in self._slicings:  # else it was removed meanwhile
            self._coarse[layer] = _Coarse(response.request_id, missing, time.monotonic())
        else:
            self._coarse.pop(layer, None)
            state._update_loaded_slice_id(response.request_id)
        layer.events.set_data()
        layer._refresh_sync(data_displayed=False, thumbnail=True, highlight=True, extent=False)

    def _refine(self) -> None:
        now_s = time.monotonic()
        for layer, coarse in list(self._coarse.items()):
            newest = coarse.request == layer._slicing_state._last_slice_id
            if coarse.asked or not newest or not layer.visible:
                continue
            left = self._slicings[layer].chunks.pending(coarse.missing)
            if left == 0 or (now_s - coarse.shown_s > REFINE_EVERY_S and left < len(coarse.missing)):
                coarse.asked = True
                layer.refresh(thumbnail=False, highlight=False, extent=False)
                coarse.request = layer._slicing_state._last_slice_id

    def _on_ready(self, event: Any) -> None:
        """Keep the slices for `show`. Runs on the slicer thread, right after they were made."""
        with self._lock:
            for weak_layer, response in event.value.items():
                layer = weak_layer()
                slicing = self._slicings.get(layer) if layer is not None else None
                self._newest[weak_layer] = (response, () if slicing is None else slicing.missing)
            self._lock.notify()
        self._wake()

    def _on_arrival(self) -> None:
        if self._coarse:
            self._wake()


class _Levels:
    """Has napari show the level of a pyramid that suits: it takes the coarsest for volumes, and any that is fixed.

    Owner: render thread. Stands in for two methods of the layer.
    """

    def __init__(self, layer: Layer, volumes: VolumeBudget) -> None:
        self._layer = weakref.ref(layer)
        self._volumes = volumes
        self._choose_as_napari = weakref.WeakMethod(layer._update_level_and_corners)
        self._request_as_napari = layer._slicing_state._make_slice_request_internal
        layer._update_level_and_corners = self._update
        layer._slicing_state._make_slice_request_internal = self._request

    def _update(self, box: Any, threshold: Any, displayed: Sequence[int]) -> None:
        """Choose the level while drawing."""
        layer, choose = self._layer(), self._choose_as_napari()
        if layer is None or choose is None:
            return
        level = self._own_choice(layer, layer._slice_input.ndisplay, displayed)
        if level is None:
            choose(box, threshold, displayed)
        elif self._set(layer, level, displayed):
            layer.refresh(extent=False, thumbnail=False)

    def _request(self, **what: Any) -> Any:
        """Make the request for a slice."""
        request, layer = self._request_as_napari(**what), self._layer()
        displayed = list(request.slice_input.displayed)
        level = None if layer is None else self._own_choice(layer, request.slice_input.ndisplay, displayed)
        if layer is None or level is None:
            return request
        self._set(layer, level, displayed)
        return replace(
            request, data_level=level, data_at_data_level=layer.data[level], corner_pixels=layer.corner_pixels
        )

    def _own_choice(self, layer: Layer, ndisplay: int, displayed: Sequence[int]) -> int | None:
        """Return the level to show; None to leave it to napari."""
        locked = layer.locked_data_level
        if not layer.multiscale or (locked is None and ndisplay == 2):
            return None
        shapes = layer.level_shapes[:, list(displayed)].tolist()
        itemsize = layer.dtype.itemsize * (layer.data.shape[-1] if getattr(layer, "rgb", False) else 1)
        if locked is not None:
            return allowed_level(locked, shapes, itemsize)
        return choose_volume_level(shapes, itemsize, self._volumes)

    @staticmethod
    def _set(layer: Layer, level: int, displayed: Sequence[int]) -> bool:
        """Have the layer know its level, all of which is shown; True if it was another."""
        corners = np.zeros((2, layer.ndim), dtype=int)
        corners[1, list(displayed)] = layer.level_shapes[level][list(displayed)] - 1
        changed = bool(layer._data_level != level)
        layer._data_level, layer.corner_pixels = level, corners
        return changed
