"""SurfacePicture: what changed is found, whatever it is, and comes out of its bytes as it was."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.server.render.surface_picture import MOST_RECTANGLES, TILE, SurfacePicture, changed, few

Words = npt.NDArray[np.uint32]


def shown(picture: SurfacePicture, before: Words | None = None) -> Words:
    """Return what a viewer has after the whole picture."""
    width, height = picture.size
    words = np.zeros((height, width), np.uint32)
    for block in picture.update("S1", [picture.whole]).blocks:
        rows = np.frombuffer(zlib.decompress(block.pixels), np.uint32).reshape(block.height, block.width)
        words[block.y : block.y + block.height, block.x : block.x + block.width] = rows
    return words


@given(
    st.tuples(st.integers(1, 200), st.integers(1, 200)),
    st.lists(st.tuples(st.floats(0, 0.99), st.floats(0, 0.99), st.integers(1, 50), st.integers(1, 50)), max_size=20),
)
def test_outside_of_the_rectangles_nothing_changed(
    size: tuple[int, int], edits: list[tuple[float, float, int, int]]
) -> None:
    before = np.zeros(size, np.uint32)
    after = before.copy()
    for down, right, tall, wide in edits:
        y, x = int(down * size[0]), int(right * size[1])
        after[y : y + tall, x : x + wide] += 1
    found = changed(before, after)
    assert len(found) <= MOST_RECTANGLES
    for x, y, width, height in found:
        assert x >= 0 and y >= 0 and x + width <= size[1] and y + height <= size[0]
        before[y : y + height, x : x + width] = after[y : y + height, x : x + width]
    assert (before == after).all()
    assert bool(found) == bool(edits)


def test_a_caret_costs_a_tile_and_two_corners_not_what_is_between() -> None:
    before = np.zeros((300, 400), np.uint32)
    after = before.copy()
    after[40:60, 70] = 1
    assert changed(before, after) == [(64, 32, TILE, TILE)]
    after[299, 399] = 1
    assert sum(width * height for _, _, width, height in changed(before, after)) < 3 * TILE * TILE


def test_few_leaves_out_what_others_cover() -> None:
    assert few([(0, 0, 10, 10), (2, 2, 3, 3), (0, 0, 10, 10), (20, 0, 1, 1)]) == [(0, 0, 10, 10), (20, 0, 1, 1)]
    assert few([(10 * number, number, 5, 5) for number in range(40)]) == [(0, 0, 395, 44)]


def test_a_picture_counts_its_changes_and_keeps_its_pixels() -> None:
    picture = SurfacePicture()
    words = np.random.default_rng(1).integers(0, 1 << 32, (50, 70), np.uint32)
    assert picture.show(words, 1.0) == [(0, 0, 70, 50)]
    assert (shown(picture) == words).all()
    assert picture.show(words.copy(), 1.0) == []
    assert picture.revision == 1
    other = words.copy()
    other[3, 3] ^= 1
    assert picture.show(other, 1.0) == [(0, 0, 32, 32)]
    assert picture.revision == 2
    assert (shown(picture) == other).all()
    assert picture.show(other, 2.0) == [(0, 0, 70, 50)], "as many pixels, of another size on the screen"
