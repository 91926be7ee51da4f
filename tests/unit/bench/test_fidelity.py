"""PSNR and SSIM of pictures whose likeness is known."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from napari_cuda.bench import fidelity
from napari_cuda.client.playout.picture import ColorSpec, YuvPicture


def test_psnr_of_an_error_of_one_level_everywhere() -> None:
    picture = np.full((8, 8, 3), 100, np.uint8)
    assert fidelity.psnr_db(picture + 1, picture) == pytest.approx(48.13, abs=0.01)


def test_ssim_is_that_of_the_paper(rng: np.random.Generator) -> None:
    exact = rng.uniform(0, 255, (40, 60))
    found = np.clip(exact + rng.normal(0, 20, exact.shape), 0, 255)
    # scikit-image crops half a window at each side: the same windows.
    assert fidelity.ssim(found, exact) == pytest.approx(structural_similarity(found, exact, data_range=255), abs=1e-6)
    assert fidelity.ssim(exact, exact) == pytest.approx(1.0)


def test_grey_planes_become_grey_pixels() -> None:
    luma = np.arange(64, dtype=np.uint8).reshape(8, 8)
    chroma = np.full((4, 4), 128, np.uint8)
    rgb = fidelity.rgb_of(YuvPicture(luma, chroma, chroma, ColorSpec()), (7, 5))
    assert rgb.shape == (5, 7, 3)
    assert np.allclose(rgb, luma[:5, :7, None])
    assert np.allclose(fidelity.luma_of(rgb), luma[:5, :7])
