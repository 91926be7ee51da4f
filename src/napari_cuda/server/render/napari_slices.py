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
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils.transforms import Affine

from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.data.chunked_array import ChunkedArray, Slicing
from napari_cuda.server.data.chunks import ChunkKey
from napari_cuda.server.render.volume_level import (
    CuttingPlane,
    Planes,
    Pyramid,
    VolumeBudget,
    VolumePart,
    allowed_level,
    choose_volume_part,
    seen_box,
    whole,
)

PRIVATE_NAMES = (
    "layer._calculate_value_from_ray",
    "layer._data_level",
    "layer._get_value_ray",
    "layer._slice.image.raw",
    "layer._transforms",
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


SAMPLES_PER_VOXEL = 2
"""A plane reaches farther than its thickness says: vispy takes steps of a voxel, and 1.25 of them for each."""

PLANE_MARGIN = 8
"""Voxels of the finest level on both sides of a plane: it is dragged through them before another part is needed."""

PART_SHARE = 0.25
"""Of the cache of chunks, for what is read for a part of a volume."""


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

    def __init__(
        self,
        viewer: ViewerModel,
        wake: Callable[[], None],
        volumes: VolumeBudget,
        seen: Callable[[Layer], Planes | None] = lambda _layer: None,
    ) -> None:
        """`seen` gives what the camera sees a layer in, of the world's displayed axes; None: everything."""
        self._viewer = viewer
        self._volumes = volumes
        self._seen = seen
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
            _Levels(layer, self._volumes, self._seen)
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


@dataclass(frozen=True, slots=True)
class _PartRequest:
    """A request for a part of a volume: napari's, for data that is cut out already; the slice is put in its place."""

    request: Any
    translate: tuple[float, ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.request, name)

    def __call__(self) -> Any:
        response = self.request()
        scale = response.tile_to_data.scale
        placed = Affine(name="tile2data", scale=scale, translate=self.translate, ndim=len(scale))
        return replace(response, tile_to_data=placed)


class _Levels:
    """Has napari show the level of a pyramid that suits: it takes the coarsest for volumes, and any that is fixed.

    Of a volume that is too large at a fine level only the part is shown that is seen, if that suits.
    Owner: render thread. Stands in for three methods of the layer.
    """

    def __init__(self, layer: Layer, volumes: VolumeBudget, seen: Callable[[Layer], Planes | None]) -> None:
        self._layer = weakref.ref(layer)
        self._volumes = volumes
        self._seen = seen
        self._part: tuple[tuple[int, ...], VolumePart] | None = None
        """The displayed axes, and what is shown of them in three dimensions."""
        self._choose_as_napari = weakref.WeakMethod(layer._update_level_and_corners)
        self._value_as_napari = weakref.WeakMethod(layer._get_value_ray)
        self._request_as_napari = layer._slicing_state._make_slice_request_internal
        layer._update_level_and_corners = self._update
        layer._get_value_ray = self._value
        layer._slicing_state._make_slice_request_internal = self._request
        # Now and not after the next picture: a plane that left what is shown would be missing in that.
        for cut in (layer.events.depiction, layer.plane.events, layer.experimental_clipping_planes.events):
            cut.connect(self._on_cut)

    def _on_cut(self) -> None:
        layer = self._layer()
        if layer is not None and layer._slice_input.ndisplay == 3 and layer.visible:
            self._update(None, None, layer._slice_input.displayed)

    def _update(self, box: Any, threshold: Any, displayed: Sequence[int]) -> None:
        """Choose the level while drawing."""
        layer, choose = self._layer(), self._choose_as_napari()
        if layer is None or choose is None:
            return
        part = self._own_choice(layer, layer._slice_input.ndisplay, displayed, drawing=True)
        if part is None and box is not None:
            choose(box, threshold, displayed)
        elif part is None:
            return
        elif self._set(layer, part, displayed):
            layer.refresh(extent=False, thumbnail=False)

    def _request(self, **what: Any) -> Any:
        """Make the request for a slice."""
        request, layer = self._request_as_napari(**what), self._layer()
        displayed = list(request.slice_input.displayed)
        part = None if layer is None else self._own_choice(layer, request.slice_input.ndisplay, displayed)
        if layer is None or part is None:
            return request
        self._set(layer, part, displayed)
        data, corners = layer.data[part.level], layer.corner_pixels
        if not corners[0].any() and part.shape == tuple(layer.level_shapes[part.level][displayed]):
            return replace(request, data_level=part.level, data_at_data_level=data, corner_pixels=corners)
        cut = [slice(None)] * layer.ndim
        for axis, (first, end) in zip(displayed, part.window, strict=True):
            cut[axis] = slice(first, end)
        request = replace(request, data_level=part.level, data_at_data_level=data[tuple(cut)], corner_pixels=corners)
        return _PartRequest(request, tuple(corners[0] * layer.downsample_factors[part.level]))

    def _value(self, start_point: Any, end_point: Any, dims_displayed: list[int]) -> Any:
        """Return the value that a ray meets: napari takes what is shown for all of the volume."""
        layer, value = self._layer(), self._value_as_napari()
        if layer is None or value is None:
            return None
        if start_point is None or end_point is None or len(dims_displayed) != 3:
            return value(start_point, end_point, dims_displayed)
        place, raw = layer._transforms["tile2data"], layer._slice.image.raw
        factors = place.scale[dims_displayed]
        of_level = np.round(np.array(layer.level_shapes[0])[dims_displayed] / factors)
        if np.array_equal(raw.shape[:3], of_level):
            return value(start_point, end_point, dims_displayed)
        start, end = (point[dims_displayed] / factors for point in (start_point, end_point))
        # The voxels that napari would look at if all of the level were here, and of these the ones that are.
        looks = np.linspace(start, end, int(2 * np.linalg.norm(end - start)))
        if str(layer.depiction) == "plane":
            plane = plane_of(layer).within(factors, np.zeros(3))
            # The same for every part that is here, and what is seen.
            looks = looks[np.abs((looks - 0.5 - plane.position) @ plane.normal) <= plane.thickness / 2]
        voxels = np.clip(looks, 0, of_level - 1).astype(int) - np.round(place.translate[dims_displayed] / factors)
        here = voxels[np.all((voxels >= 0) & (voxels < raw.shape[:3]), axis=1)].astype(int)
        return layer._calculate_value_from_ray(raw[tuple(here.T)]) if len(here) else None

    def _own_choice(
        self, layer: Layer, ndisplay: int, displayed: Sequence[int], *, drawing: bool = False
    ) -> VolumePart | None:
        """Return the level to show, and what of it; None to leave it to napari."""
        locked = layer.locked_data_level
        if not layer.multiscale or (locked is None and ndisplay == 2):
            self._part = None
            return None
        shapes = layer.level_shapes[:, list(displayed)].tolist()
        itemsize = layer.dtype.itemsize * (layer.data[0].shape[-1] if getattr(layer, "rgb", False) else 1)
        if locked is not None:
            self._part = None
            level = allowed_level(locked, shapes, itemsize)
            return whole(level, shapes[level])
        now = self._part[1] if self._part is not None and self._part[0] == tuple(displayed) else None
        if now is None or drawing:
            pyramid = Pyramid(shapes, [_chunks(data, displayed) for data in layer.data], itemsize)
            now = choose_volume_part(
                pyramid, self._budget(layer), self._seen_of(layer, displayed, pyramid.shapes[0]), now
            )
            self._part = (tuple(displayed), now)
        return now

    def _budget(self, layer: Layer) -> VolumeBudget:
        """Return what a volume may have; what is read for it must not fill the cache of chunks."""
        finest = layer.data[0]
        if not isinstance(finest, ChunkedArray):
            return self._volumes
        most = int(PART_SHARE * finest.level.chunks.budget_bytes)
        return replace(self._volumes, read_bytes=min(self._volumes.read_bytes, most))

    def _seen_of(self, layer: Layer, displayed: Sequence[int], shape: Sequence[int]) -> Any:
        """Return the box around what is seen of a layer; None if that is not known, or not all that matters."""
        if len(displayed) != 3 or self._volumes.holds(shape, layer.dtype.itemsize):
            return None
        planes = self._seen(layer)
        if planes is None:
            return None
        axes = list(displayed)
        origin = np.array(layer.data_to_world(np.zeros(layer.ndim)))
        steps = np.array([layer.data_to_world(np.eye(layer.ndim)[axis]) for axis in axes]) - origin
        to_world = steps[:, axes].T
        there = np.column_stack([planes[:, :3] @ to_world, planes[:, :3] @ origin[axes] + planes[:, 3]])
        plane = plane_of(layer)
        if str(layer.depiction) == "plane" and plane.normal.any():
            reach = SAMPLES_PER_VOXEL * max(1.0, plane.thickness) + PLANE_MARGIN
            there = np.concatenate([there, plane.slab(reach)])
        return seen_box(there, shape)

    @staticmethod
    def _set(layer: Layer, part: VolumePart, displayed: Sequence[int]) -> bool:
        """Have the layer know its level, and what of it is shown; True if it was another."""
        corners = np.zeros((2, layer.ndim), dtype=int)
        corners[:, list(displayed)] = np.array(part.window).T - [[0], [1]]
        changed = bool(layer._data_level != part.level or np.any(corners != layer.corner_pixels))
        layer._data_level, layer.corner_pixels = part.level, corners
        return changed


def plane_of(layer: Layer) -> CuttingPlane:
    """Return the plane of an image or labels that are depicted as one, in voxels of the finest level."""
    plane = layer.plane
    return CuttingPlane(np.array(plane.position, float), np.array(plane.normal, float), float(plane.thickness))


def place_of(layer: Layer) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return what a voxel of the volume that a layer shows is in voxels of the finest level, and where it begins."""
    axes, place = list(layer._slice_input.displayed), layer._transforms["tile2data"]
    return np.array(place.scale[axes], float), np.array(place.translate[axes], float)


def _chunks(data: Any, displayed: Sequence[int]) -> list[int]:
    """Return the voxels along the displayed axes that are read together; one where all are in memory."""
    chunks = getattr(data, "chunks", None) or (1,) * data.ndim
    # dask has a size for each chunk.
    return [int(max(side)) if isinstance(side, tuple) else int(side) for side in (chunks[axis] for axis in displayed)]
