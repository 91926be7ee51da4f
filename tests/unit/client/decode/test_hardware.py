"""HardwareDecoder without hardware; tests/contract/test_live_decoders.py has what all decoders share."""

from __future__ import annotations

import platform

import av
import numpy as np
import pytest

from napari_cuda.bitstream.avcc import ParameterSets
from napari_cuda.client.decode.hardware import HardwareDecoder, HardwareSurface
from napari_cuda.client.decode.live import DecoderConfig, DecoderUnavailableError
from napari_cuda.client.decode.surface_pool import SurfacePool
from napari_cuda.client.decode.vt_darwin import open_videotoolbox
from napari_cuda.client.playout.picture import ColorSpec
from napari_cuda.client.playout.surface import SurfaceKind
from napari_cuda.protocol.errors import StreamError
from streams import PacketSource

CONFIG = DecoderConfig.of(ParameterSets().updated_by(PacketSource().access_unit()[1]))


def test_a_device_that_is_not_there_is_one_line() -> None:
    with pytest.raises(DecoderUnavailableError, match="vaapi does not open") as caught:  # in no wheel of PyAV
        HardwareDecoder(CONFIG, "vaapi", SurfaceKind.CUDA, lambda _frame: 0)
    assert "\n" not in str(caught.value)


def test_videotoolbox_is_macos_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    with pytest.raises(DecoderUnavailableError, match="part of macOS"):
        open_videotoolbox(CONFIG)


def test_a_frame_that_is_not_nv12_is_refused() -> None:
    with pytest.raises(StreamError, match="another format than NV12"):
        HardwareSurface(av.VideoFrame(64, 48, "yuv420p"), SurfaceKind.CUDA, 1, SurfacePool())


def test_a_download_only_takes_the_planes_apart() -> None:
    """NV12 in memory stands in for what the device gives back."""
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 256, (72, 64), np.uint8)
    frame = av.VideoFrame.from_ndarray(samples, format="nv12")
    frame.color_range, frame.colorspace = 2, 1
    surface = HardwareSurface(frame, SurfaceKind.CUDA, 1, SurfacePool())
    picture = surface.planes()
    assert picture.color == ColorSpec("bt709", full_range=True)
    assert np.array_equal(picture.y[:48, :64], samples[:48])
    assert np.array_equal(picture.u[:24, :32], samples[48:, 0::2])
    assert np.array_equal(picture.v[:24, :32], samples[48:, 1::2])
