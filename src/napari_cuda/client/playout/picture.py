"""Pictures in memory: decoded planes, and the exact one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ColorSpec:
    """What the bitstream says about its samples. `matrix` is 'bt709' or 'bt601'."""

    matrix: str = "bt709"
    full_range: bool = True


@dataclass(frozen=True, slots=True)
class YuvPicture:
    """Decoded planes, uint8: `y` (coded_h, stride_y), `u`, `v` (chroma_h, stride_c).

    Rows may be padded: only the first `coded_size[0]` samples of a luma row are picture.
    `chroma_shift` is (horizontal, vertical): (1, 1) for 4:2:0, (0, 0) for 4:4:4.
    """

    y: Plane
    u: Plane
    v: Plane
    color: ColorSpec
    chroma_shift: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class ExactPicture:
    """The exact picture: (H, W, 4) uint8 RGBA, contiguous."""

    rgba: Plane
