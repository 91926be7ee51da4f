"""Surface: a decoded picture where the hardware decoder left it."""

from __future__ import annotations

import enum
from typing import Protocol

from napari_cuda.client.playout.picture import ColorSpec, YuvPicture


class SurfaceKind(enum.Enum):
    """Where a surface's samples are, and so how the renderer gets at them."""

    CPU_PLANES = "cpu_planes"
    CUDA = "cuda"
    IOSURFACE = "iosurface"


class Surface(Protocol):
    """One surface of a decoder's pool. The decoder cannot reuse it before `close`.

    Owner: the `FrameLease` that wraps it; `planes` may be called by whoever holds a role.
    """

    @property
    def kind(self) -> SurfaceKind:
        """Where the samples are."""

    @property
    def pts(self) -> int:
        """The PTS the access unit was submitted with."""

    @property
    def color(self) -> ColorSpec:
        """What the bitstream says about the samples."""

    @property
    def handle(self) -> int:
        """The native object (CUdeviceptr, IOSurfaceRef) as an integer; 0 for CPU planes."""

    def planes(self) -> YuvPicture:
        """Return the samples in memory: free for CPU planes, a download for all others."""

    def close(self) -> None:
        """Give the surface back to its pool. Called once, by the lease."""


class SurfaceBinder(Protocol):
    """Shows the surfaces of one kind without a download: NV12, luma and interleaved chroma as two textures.

    Owner: GUI thread; the canvas's OpenGL context is current in every call.
    """

    @property
    def rectangle(self) -> bool:
        """True if the textures are GL_TEXTURE_RECTANGLE, as IOSurfaces need; else GL_TEXTURE_2D."""

    def bind(self, surface: Surface, plane: int, texture: int) -> None:
        """Have `texture`, which is bound, show plane 0 (luma, R8) or 1 (chroma, RG8) of `surface`.

        A GL_TEXTURE_2D has storage of the coded size already, a rectangle has none. The surface stays held until
        the GPU has drawn it. Raises StreamError: the renderer then takes `planes()`, from there on.
        """
