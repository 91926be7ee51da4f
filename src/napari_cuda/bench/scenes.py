"""What the workloads show: functions that add layers to any napari viewer model.

The data is the same in every process. Only numpy is imported: stock napari shows these scenes too.
"""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cuda.protocol.errors import DataError


def blobs(shape: tuple[int, ...], *, seed: int, count: int = 60) -> npt.NDArray[np.float32]:
    """Return round blobs of 0 … about 1, of any number of dimensions."""
    rng = np.random.default_rng(seed)
    axes = [np.arange(side, dtype=np.float32) for side in shape]
    field = np.zeros(shape, np.float32)
    for _ in range(count):
        radius = rng.uniform(0.01, 0.06) * max(shape)
        bells = [np.exp(-((axis - rng.uniform(0, len(axis))) ** 2) / (2 * radius**2)) for axis in axes]
        blob = bells[0]
        for bell in bells[1:]:
            blob = blob[..., None] * bell
        field += rng.uniform(0.2, 0.6) * blob
    return np.minimum(field, 1.0)


def noisy(signal: npt.NDArray[np.float32], *, seed: int, photons: float = 100.0) -> npt.NDArray[np.uint16]:
    """Return what a camera makes of it: photon noise, 16 bits, 4095 at most."""
    counts = np.random.default_rng(seed).poisson(photons * (0.12 + signal))
    picture: npt.NDArray[np.uint16] = np.minimum(counts * (4095 / (2 * photons)), 4095).astype(np.uint16)
    return picture


def add_noise(viewer: Any) -> None:
    """Add one noisy uint16 image of 2048 x 2048 pixels."""
    viewer.add_image(noisy(blobs((2048, 2048), seed=1), seed=2), name="cells", contrast_limits=(0, 2600))


def add_planes(viewer: Any) -> None:
    """Add 32 planes of 720 x 1280 pixels, each with noise of its own."""
    signal = blobs((720, 1280), seed=3)
    planes = np.stack([noisy(signal, seed=seed) for seed in range(32)])
    viewer.add_image(planes, name="movie", contrast_limits=(0, 2600))


def add_labels(viewer: Any) -> None:
    """Add an image of 1024 x 1024 pixels with a label for every cell."""
    signal = blobs((1024, 1024), seed=4)
    viewer.add_image(noisy(signal, seed=5), name="cells", contrast_limits=(0, 2600))
    y, x = np.mgrid[:1024, :1024]
    labels = np.where(signal > 0.15, (y // 48) * 22 + x // 48 + 1, 0)
    viewer.add_labels(labels.astype(np.int32), name="labels")


def add_channels(viewer: Any) -> None:
    """Add three noisy channels of 1024 x 1024 pixels, one over the other."""
    for number, colormap in enumerate(("red", "green", "blue")):
        channel = noisy(blobs((1024, 1024), seed=6 + number), seed=9 + number)
        viewer.add_image(channel, name=colormap, colormap=colormap, blending="additive", contrast_limits=(0, 2600))


def add_volume(viewer: Any) -> None:
    """Add a noisy volume of 128 x 128 x 128 voxels as a maximum intensity projection."""
    volume = noisy(blobs((128, 128, 128), seed=12), seed=13)
    viewer.add_image(volume, name="volume", rendering="mip", contrast_limits=(0, 4095))


def mri_volume() -> npt.NDArray[np.uint8]:
    """Return nilearn's bundled MNI152 T1 head, (197, 233, 189) uint8, 1 mm voxels.

    Raises DataError if nilearn is not installed, or ships another one.
    """
    spec = importlib.util.find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise DataError("the MRI volume comes with nilearn: pip install nilearn")
    folder = Path(spec.origin).parent / "datasets" / "data"
    raw = gzip.decompress((folder / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz").read_bytes())
    shape = np.frombuffer(raw, "<i2", 3, offset=42)
    if np.frombuffer(raw, "<i2", 1, offset=70)[0] != 2:
        raise DataError("nilearn's MRI volume is not of unsigned bytes: use nilearn 0.14")
    offset = int(np.frombuffer(raw, "<f4", 1, offset=108)[0])
    voxels = np.frombuffer(raw, np.uint8, int(np.prod(shape, dtype=np.int64)), offset=offset)
    return voxels.reshape(shape, order="F")


def add_mri(viewer: Any) -> None:
    """Add the MRI head as a maximum intensity projection."""
    viewer.add_image(mri_volume(), name="T1", rendering="mip", colormap="gray")


SCENES: Mapping[str, Callable[[Any], None]] = MappingProxyType(
    {
        "noise": add_noise,
        "planes": add_planes,
        "labels": add_labels,
        "channels": add_channels,
        "volume": add_volume,
        "mri": add_mri,
    }
)
"""Every scene by name."""
