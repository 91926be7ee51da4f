"""Scenes whose data is read and written from afar, and what it is: both sides make the same arrays."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pandas as pd
import zarr
from zarr.storage import MemoryStore

LAZY_PLANES = 5000
BROKEN_PLANE = 7
"""Of the lazy array: computing it raises."""


def volume() -> npt.NDArray[np.uint16]:
    return np.arange(6 * 40 * 50, dtype=np.uint16).reshape(6, 40, 50)


def cells() -> npt.NDArray[np.int32]:
    return (volume() // 700).astype(np.int32)


def colors() -> npt.NDArray[np.uint8]:
    return (volume()[0, ..., None] % [200, 150, 100]).astype(np.uint8)


def levels() -> list[npt.NDArray[np.float32]]:
    fine = volume()[0].astype(np.float32)
    return [fine, fine[::2, ::2]]


def lazy_plane(number: int) -> npt.NDArray[np.uint16]:
    if number == BROKEN_PLANE:
        raise ArithmeticError("this plane cannot be computed")
    return np.full((1, 64, 64), number, np.uint16)


def elements() -> dict[str, Any]:
    rng = np.random.default_rng(5)
    places = rng.uniform(0, 40, (30, 3))
    return {
        "points": places,
        "vectors": np.stack([places, np.ones_like(places)], axis=1),
        "tracks": np.column_stack([np.repeat(np.arange(6), 5), np.tile(np.arange(5), 6), places[:, :2]]),
        "surface": (places, rng.integers(0, 30, (12, 3)), np.linspace(0, 1, 30)),
        "shapes": [rng.uniform(0, 40, (number, 3)).round(2) * [0, 1, 1] for number in (4, 5, 7)],
    }


def add_data_of_each_kind(viewer: Any) -> None:
    viewer.add_image(volume(), name="memory")
    lazy = da.map_blocks(
        lambda block_info: lazy_plane(block_info[None]["chunk-location"][0]),
        chunks=((1,) * LAZY_PLANES, 64, 64),
        dtype=np.uint16,
        meta=np.empty((0, 0, 0), np.uint16),
    )
    viewer.add_image(lazy, name="lazy", contrast_limits=(0, LAZY_PLANES), visible=False)
    stored = zarr.create_array(MemoryStore(), shape=(6, 40, 50), chunks=(1, 16, 16), dtype="uint16")
    stored[:] = volume()
    viewer.add_image(stored, name="stored", contrast_limits=(0, 9000), visible=False)
    viewer.add_image(levels(), multiscale=True, name="levels", visible=False)
    viewer.add_image(colors(), rgb=True, name="colors", visible=False)
    frozen = volume()
    frozen.flags.writeable = False
    viewer.add_image(frozen, name="frozen", visible=False)
    viewer.add_labels(cells(), name="cells")
    for kind, data in elements().items():
        options = {"shape_type": "polygon"} if kind == "shapes" else {}
        getattr(viewer, f"add_{kind}")(data, name=kind, **options)


def features(count: int) -> pd.DataFrame:
    rng = np.random.default_rng(9)
    return pd.DataFrame(
        {
            "weight": rng.random(count),
            "number": np.arange(count),
            "good": np.arange(count) % 2 == 0,
            "kind": pd.Categorical(np.array(["a", "b", "c"])[np.arange(count) % 3]),
            "text": [f"cell {number}" for number in range(count)],
        }
    )


def add_features_of_each_kind(viewer: Any) -> None:
    """Layers whose elements have features, of each kind that may have them."""
    viewer.add_labels(cells(), name="cells", features=features(int(cells().max()) + 1))
    for kind, data in elements().items():
        count = {"shapes": 3}.get(kind, 30)
        options: dict[str, Any] = {"shape_type": "polygon"} if kind == "shapes" else {}
        getattr(viewer, f"add_{kind}")(data, name=kind, features=features(count), **options)
    viewer.add_points(np.zeros((3, 3)), name="none")
    viewer.add_image(volume(), name="memory", visible=False)
    viewer.add_points(np.zeros((MANY, 3)), name="many", visible=False, features={"number": np.arange(MANY)})


MANY = 1_000_000

SCENES = {"data_of_each_kind": add_data_of_each_kind, "features_of_each_kind": add_features_of_each_kind}
