"""LayerDataAccess: what clients read of the data of layers, and write to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import numpy as np
import pandas as pd
from napari.layers import Labels, Layer

from napari_cuda.feature_table import with_columns
from napari_cuda.layer_state import check_drawable, kind_of, layer_spec
from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.layer_data import LayerData
from napari_cuda.protocol.region import from_text
from napari_cuda.server.data.regions import (
    GRIDDED,
    Pixels,
    arrays_of,
    check_size,
    from_arrays,
    info_of,
    is_at_hand,
    put,
    take,
)
from napari_cuda.server.render.layer_commands import check_data


class Scene(Protocol):
    """The scene that is shown. Owner: render thread."""

    def layer(self, layer_id: str) -> Layer:
        """Return the layer of an id; PropertyError if there is none (any more)."""

    def note_edit(self, layer: Layer) -> None:
        """Count a revision: the layer's data was changed."""

    def revision_now(self) -> int:
        """Tell what changed, and return the revision that it has."""


class LayerDataAccess:
    """Owner: render thread. What would take long there is returned as a call, to be made on another thread.

    What is wrong with a region is an IndexError, as in NumPy.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def describe(self, layer_id: str) -> LayerData:
        """Return which arrays a layer's data is."""
        layer = self._scene.layer(layer_id)
        kind = kind_of(layer)
        return LayerData(kind, self._scene.revision_now(), [info_of(array, kind) for array in arrays_of(layer)])

    def read(self, layer_id: str, number: int, region_text: str) -> tuple[int, Callable[[], Pixels]]:
        """Return the revision, and what gives the region: of what is in memory as it is now."""
        array = _one_of(arrays_of(self._scene.layer(layer_id)), number)
        region = from_text(region_text, array.shape)
        check_size(array, region)
        revision = self._scene.revision_now()
        if is_at_hand(array):
            pixels = take(array, region)
            return revision, lambda: pixels
        return revision, lambda: take(array, region)

    def write(self, layer_id: str, number: int, region_text: str, values: Pixels) -> Callable[[], None]:
        """Write values (of the region's shape, or one for all of it) to a region; return what is left to be done.

        Of pixels nothing is seen before the layer is refreshed, as in napari.
        """
        layer = self._scene.layer(layer_id)
        arrays = arrays_of(layer)
        array = _one_of(arrays, number)
        region = from_text(region_text, array.shape)
        if kind_of(layer) not in GRIDDED:
            changed = [np.array(one) if index == number else one for index, one in enumerate(arrays)]
            put(changed[number], region, values)
            self._give(layer, changed)
            return lambda: None
        if is_at_hand(array):
            put(array, region, values)
            return lambda: None
        return lambda: put(array, region, values)

    def replace(self, layer_id: str, arrays: list[Pixels]) -> None:
        """Set the data of a layer anew: there may be more elements, or fewer, pixels of another shape or dtype."""
        layer = self._scene.layer(layer_id)
        kind = kind_of(layer)
        if kind in GRIDDED:
            self._give_pixels(layer, arrays)
            return
        expected = len(arrays_of(layer))
        if len(arrays) != expected:
            raise DataError(f"the data of {kind} is {expected} array(s), not {len(arrays)}")
        self._give(layer, arrays)

    def features(self, layer_id: str) -> tuple[int, pd.DataFrame]:
        """Return the revision, and a copy of a layer's table of features."""
        table: pd.DataFrame = self._with_features(layer_id).features
        return self._scene.revision_now(), table.copy()

    def set_features(self, layer_id: str, given: pd.DataFrame, *, in_place: bool) -> None:
        """Set a layer's table of features, or as `layer.features[name] = …` does some of its columns.

        ValueError if there is not one row for each element: napari would fill up the table.
        """
        layer = self._with_features(layer_id)
        table: pd.DataFrame = layer.features
        if in_place:
            changed = with_columns(table, given)
            for name in given.columns:
                table[name] = changed[name]
            # napari tells nobody.
            (layer.events.features if "features" in layer.events.emitters else layer.events.properties)()
        elif not isinstance(layer, Labels) and len(given) != len(table):
            raise ValueError(f"a feature has one value for each element: {len(given)} for {len(table)}")
        else:
            layer.features = given
        self._scene.note_edit(layer)

    def _with_features(self, layer_id: str) -> Any:
        layer = self._scene.layer(layer_id)
        if not hasattr(layer, "features"):
            raise DataError(f"a layer of kind {kind_of(layer)} has no features")
        return layer

    def _give_pixels(self, layer: Any, arrays: list[Pixels]) -> None:
        """Set pixels, or the levels of a pyramid. ValueError, TypeError for what napari cannot show."""
        shapes = [list(array.shape) for array in arrays] if layer.multiscale else []
        check_data(msgspec.structs.replace(layer_spec(layer, ""), level_shapes=shapes), arrays)
        if getattr(layer, "rgb", False) and (arrays[0].ndim < 3 or arrays[0].shape[-1] not in (3, 4)):
            raise ValueError(f"an RGB image has 3 or 4 channels in its last axis, not the shape {arrays[0].shape}")
        if arrays[0].ndim - bool(getattr(layer, "rgb", False)) < 2:
            raise ValueError(f"pixels have two dimensions at least, not the shape {arrays[0].shape}")
        before = layer.data
        try:
            layer.data = arrays if layer.multiscale else arrays[0]
            check_drawable(layer)
        except BaseException:  # an interrupt too: nothing is drawn in between
            layer.data = list(before) if layer.multiscale else before
            raise
        self._scene.note_edit(layer)

    def _give(self, layer: Layer, arrays: list[Pixels]) -> None:
        """Set a layer's data, checked: napari takes what it cannot draw, and the driver reads where faces point to."""
        kind = kind_of(layer)
        data = from_arrays(kind, arrays)
        check_data(layer_spec(layer, ""), list(data) if kind in ("shapes", "surface") else [data])
        before = layer.data
        try:
            layer.data = data
            check_drawable(layer)
        except BaseException:  # an interrupt too: nothing is drawn in between
            layer.data = before
            raise
        self._scene.note_edit(layer)


def _one_of(arrays: list[Pixels], number: int) -> Pixels:
    if not 0 <= number < len(arrays):
        raise DataError(f"the layer's data has no array {number}: it is {len(arrays)} array(s)")
    return arrays[number]
