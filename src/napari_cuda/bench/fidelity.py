"""How near a decoded picture is to the exact one: PSNR and SSIM. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cuda.client.playout.picture import YuvPicture

BT709_WEIGHTS = (0.2126, 0.0722)
"""Kr and Kb of ITU-T H.273, by which Y, U and V are made from R, G and B."""
_WEIGHTS = {"bt709": BT709_WEIGHTS, "bt601": (0.299, 0.114)}
_WINDOW_PX = 7
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Plane = npt.NDArray[np.float64]


def rgb_of(picture: YuvPicture, size: tuple[int, int]) -> Plane:
    """Return the top left `size` (width, height) as (h, w, 3), by the formulas of ITU-T H.273."""
    width, height = size
    shift_x, shift_y = picture.chroma_shift

    def chroma(plane: npt.NDArray[np.uint8]) -> Plane:
        full = plane.repeat(1 << shift_y, axis=0).repeat(1 << shift_x, axis=1)[:height, :width]
        return (full.astype(np.float64) - 128) / (255 if picture.color.full_range else 224)

    luma = picture.y[:height, :width].astype(np.float64)
    y = luma / 255 if picture.color.full_range else (luma - 16) / 219
    u, v = chroma(picture.u), chroma(picture.v)
    red, blue = _WEIGHTS[picture.color.matrix]
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return 255 * np.stack([r, g, b], axis=-1)


def luma_of(rgb: npt.NDArray[Any]) -> Plane:
    """Return the BT.709 full range luma of an (h, w, 3 or 4) picture, (h, w)."""
    red, blue = BT709_WEIGHTS
    luma: Plane = rgb[..., :3].astype(np.float64) @ np.array((red, 1 - red - blue, blue))
    return luma


def psnr_db(found: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """Return the peak signal to noise ratio of two 8 bit pictures in decibels."""
    error = np.mean((np.asarray(found, np.float64) - np.asarray(expected, np.float64)) ** 2)
    return float(10 * np.log10(255**2 / max(float(error), 1e-9)))


def ssim(found: Plane, expected: Plane) -> float:
    """Return the structural similarity of two (h, w) pictures of 0 … 255 over windows of 7 x 7 (Wang et al., 2004)."""
    mean_f, mean_e = _mean(found), _mean(expected)
    # Of a sample, not of the population: by n / (n - 1).
    scale = _WINDOW_PX**2 / (_WINDOW_PX**2 - 1)
    var_f = scale * (_mean(found * found) - mean_f**2)
    var_e = scale * (_mean(expected * expected) - mean_e**2)
    covariance = scale * (_mean(found * expected) - mean_f * mean_e)
    similar = (2 * mean_f * mean_e + _C1) * (2 * covariance + _C2)
    return float(np.mean(similar / ((mean_f**2 + mean_e**2 + _C1) * (var_f + var_e + _C2))))


def _mean(plane: Plane) -> Plane:
    """Return the mean of every whole window of a plane."""
    for axis in (0, 1):
        sums = np.insert(np.cumsum(plane, axis), 0, 0.0, axis)
        count = plane.shape[axis] - _WINDOW_PX + 1
        ends = np.take(sums, range(_WINDOW_PX, _WINDOW_PX + count), axis)
        plane = (ends - np.take(sums, range(count), axis)) / _WINDOW_PX
    return plane
