"""The numbers the video shaders are fed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cuda.client.playout.picture import ColorSpec
from napari_cuda.client.qt import yuv_shader
from napari_cuda.protocol.errors import StreamError


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
@pytest.mark.parametrize(("full_range", "black", "white"), [(True, 0, 255), (False, 16, 235)])
def test_grey_stays_grey_and_spans_the_range(matrix: str, full_range: bool, black: int, white: int) -> None:
    rows, zero = yuv_shader.yuv_to_rgb(ColorSpec(matrix, full_range))
    rgb_from_yuv = np.reshape(rows, (3, 3))
    for luma, expected in ((black, 0.0), (white, 1.0), ((black + white) / 2, 0.5)):
        rgb = rgb_from_yuv @ (np.array([luma, 128, 128]) / 255 - zero)
        assert rgb == pytest.approx([expected] * 3, abs=1e-6)


def test_an_unknown_matrix_is_refused() -> None:
    with pytest.raises(StreamError, match="'bt2020'; this client knows bt709, bt601"):
        yuv_shader.yuv_to_rgb(ColorSpec("bt2020"))


@pytest.mark.parametrize(
    ("size", "shift", "expected"), [((5, 7), (1, 1), (3, 4)), ((6, 8), (1, 1), (3, 4)), ((5, 7), (0, 0), (5, 7))]
)
def test_chroma_planes_round_up(size: tuple[int, int], shift: tuple[int, int], expected: tuple[int, int]) -> None:
    assert yuv_shader.chroma_size(size, shift) == expected


def test_chroma_is_level_with_even_columns_and_between_rows() -> None:
    scale_x, scale_y, offset_x, offset_y = yuv_shader.chroma_map((10, 6), (1, 1))
    # In texels, centres at one half: luma (4, 2.5 rows) is chroma (2, 1).
    assert (4.5 / 10 * scale_x + offset_x) * 5 == pytest.approx(2.5)
    assert (3.0 / 6 * scale_y + offset_y) * 3 == pytest.approx(1.5)
    assert yuv_shader.chroma_map((10, 6), (0, 0)) == (1.0, 1.0, 0.0, 0.0)


def test_only_unscaled_pictures_on_whole_pixels_are_sharp() -> None:
    assert yuv_shader.is_sharp((3, -4, 20, 10), (20, 10))
    assert not yuv_shader.is_sharp((3.5, 0, 20, 10), (20, 10))
    assert not yuv_shader.is_sharp((0, 0, 21, 10), (20, 10))


def test_window_pixels_count_from_the_bottom_and_pictures_from_the_top() -> None:
    scale_x, scale_y, offset_x, offset_y = yuv_shader.picture_map((10, 20, 40, 30), (5, 7, 100, 90))
    # The picture's top left pixel: 10 right and 20 down from the top left of the viewport.
    assert (15.5 * scale_x + offset_x) * 40 == pytest.approx(0.5)
    assert ((7 + 90 - 20 - 0.5) * scale_y + offset_y) * 30 == pytest.approx(0.5)
