"""NVDEC through libavcodec: decoded on NVIDIA's hardware, kept in the GPU's memory.

Written without such a GPU at hand: tests/gpu has what must pass on one.
"""

from __future__ import annotations

from napari_cuda.client.decode.hardware import HardwareDecoder
from napari_cuda.client.decode.live import DecoderConfig, LiveDecoder
from napari_cuda.client.playout.surface import SurfaceKind


def open_cuda(config: DecoderConfig) -> LiveDecoder:
    """Return a decoder whose surfaces are NV12; `handle` is the CUdeviceptr of the luma in the primary context.

    Raises DecoderUnavailableError without an NVIDIA GPU or driver.
    """
    return HardwareDecoder(config, "cuda", SurfaceKind.CUDA, lambda frame: frame.planes[0].buffer_ptr)
