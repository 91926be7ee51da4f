"""The one client module that overrides private names of napari's *model* classes.

`PRIVATE_NAMES` is checked by `tests/contract/test_client_model_names.py`, so that a napari
release that renames one fails with a readable message.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Layer, Points, Shapes, Surface, Tracks, Vectors

PRIVATE_NAMES: tuple[tuple[type[Layer], str], ...] = (
    *((cls, "_get_layer_slicing_state") for cls in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)),
    *((cls, "_extent_data") for cls in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)),
    *((cls, "_update_thumbnail") for cls in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors)),
    (Layer, "_type_string"),
    (Layer, "_reset_editable"),
    (Layer, "_clear_extent"),
    (Layer, "_get_value"),
    (Image, "_calc_data_range"),
)


class NoLocalData:
    """Mixin: a layer whose data is elsewhere never reads, slices or measures it here.

    Set `remote_extent` ([[min …], [max …]] in data coordinates, or None for the stub's own)
    and `remote_kind` before the layer's own `__init__` runs.
    """

    remote_extent: npt.NDArray[np.float64] | None
    remote_kind: str

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
    def _type_string(self) -> str:
        return self.remote_kind

    def _update_thumbnail(self) -> None:
        """Thumbnails come from the server."""

    def _reset_editable(self) -> None:
        """Editing tools act on data, which is not here."""

    def _get_value(self, *args: Any, **kwargs: Any) -> None:
        """Values come from the server."""

    def _calc_data_range(self, mode: str = "data") -> tuple[float, float]:
        low, high = self.contrast_limits_range  # type: ignore[attr-defined]
        return float(low), float(high)


def extent_changed(layer: Layer) -> None:
    """Make a layer forget the extent it computed."""
    layer._clear_extent()


def _nothing() -> None:
    return None
