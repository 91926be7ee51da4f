"""Pictures for tests of the codec, and the arithmetic to compare what comes back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cuda.bench.fidelity import luma_of, psnr_db, rgb_of

Rgba = npt.NDArray[np.uint8]

__all__ = ["Rgba", "luma_of", "noisy_pan", "opaque", "patches", "psnr_db", "rgb_of"]


def opaque(rgb: npt.ArrayLike, size: tuple[int, int]) -> Rgba:
    """Return an opaque picture of `size` (width, height) from a colour or an (h, w, 3) array."""
    width, height = size
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., :3] = rgb
    return rgba


def patches(size: tuple[int, int], patch: int = 32) -> Rgba:
    """Return flat patches of 16 colours, among them all corners of the RGB cube."""
    corners = [(r, g, b) for r in (0, 255) for g in (0, 255) for b in (0, 255)]
    colors = np.array([*corners, (128, 128, 128), (64, 64, 64), (200, 30, 90), (30, 200, 90), (90, 30, 200),
                       (250, 200, 40), (10, 60, 120), (160, 160, 20)], np.uint8)  # fmt: skip
    width, height = size
    rows, columns = np.mgrid[:height, :width] // patch
    return opaque(colors[(rows * 7 + columns) % len(colors)], size)


def noisy_pan(count: int, size: tuple[int, int], step: tuple[int, int] = (3, 2)) -> list[Rgba]:
    """Return `count` pictures of grey blobs under photon noise, moved by `step` (x, y) pixels each.

    What napari shows while a noisy image is panned: the noise belongs to the data and moves along.
    """
    rng = np.random.default_rng(1)
    width, height = size[0] + step[0] * count, size[1] + step[1] * count
    y, x = np.mgrid[:height, :width].astype(np.float32)
    signal = np.zeros((height, width), np.float32)
    for _ in range(40):
        at_y, at_x, radius, peak = rng.uniform((0, 0, 8, 40), (height, width, 40, 160))
        signal += peak * np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / (2 * radius**2))
    noisy = 1.6 * rng.poisson(0.5 * np.minimum(signal, 200) + 12)
    scene = opaque(np.clip(noisy, 0, 255)[..., None], (width, height))
    corners = [(step[0] * index, step[1] * index) for index in range(count)]
    return [np.ascontiguousarray(scene[top : top + size[1], left : left + size[0]]) for left, top in corners]
