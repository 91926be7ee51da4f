"""An index means what it means to NumPy, and its blocks are all of it, once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

from napari_cuda.protocol.region import blocks, counts, from_text, parse_index, to_text, whole

SHAPE = (5, 7, 4)
ARRAY = np.arange(math.prod(SHAPE)).reshape(SHAPE)


def taken(key: Any) -> Any:
    """Return what an index selects, in the steps in which it is read."""
    indexed = parse_index(key, SHAPE)
    out = np.empty(counts(indexed.region), ARRAY.dtype)
    out[...] = ARRAY[tuple(axis.slice() for axis in from_text(to_text(indexed.region), SHAPE))]
    selected = out[indexed.turned].reshape(indexed.shape)
    return selected[()] if indexed.scalar else selected


@given(key=basic_indices(SHAPE, allow_newaxis=True, allow_ellipsis=True))
def test_an_index_means_what_it_means_to_numpy(key: Any) -> None:
    there, here = ARRAY[key], taken(key)
    assert type(here) is type(there)
    assert np.array_equal(here, there) and np.shape(here) == np.shape(there)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (5, "index 5 is out of bounds for axis 0 with size 5"),
        ((0, 0, -5), "index -5 is out of bounds for axis 2 with size 4"),
        ((0, 0, 0, 0), "too many indices for array: array is 3-dimensional, but 4 were indexed"),
        ((..., 0, ...), "an index can only have a single ellipsis"),
    ],
)
def test_what_is_refused_is_refused_in_numpy_s_words(key: Any, words: str) -> None:
    for index in (lambda: ARRAY[key], lambda: parse_index(key, SHAPE)):
        with pytest.raises(IndexError) as caught:
            index()
        assert words in str(caught.value)


@pytest.mark.parametrize("key", [[0, 1], np.array([True] * 5), True, 1.5, "x", np.bool_(True)])
def test_other_indices_say_what_to_do(key: Any) -> None:
    with pytest.raises(IndexError, match=r"take a region first"):
        parse_index(key, SHAPE)


@given(
    key=basic_indices(SHAPE, allow_newaxis=False),
    chunks=st.one_of(st.just(()), st.tuples(*(st.integers(1, 6) for _ in SHAPE))),
    most=st.integers(1, 200),
)
def test_blocks_are_all_of_a_region_once_and_no_larger_than_they_may_be(
    key: Any, chunks: tuple[int, ...], most: int
) -> None:
    region = parse_index(key, SHAPE).region
    wanted = ARRAY[tuple(axis.slice() for axis in region)]
    times, out = np.zeros(wanted.shape, int), np.zeros_like(wanted)
    for block, spans in blocks(region, 1, chunks, most):
        place = tuple(slice(*span) for span in spans)
        out[place] = ARRAY[tuple(axis.slice() for axis in block)]
        times[place] += 1
        assert math.prod(counts(block)) <= most
    assert (times == 1).all()
    assert np.array_equal(out, wanted)


def test_blocks_keep_to_the_borders_of_chunks() -> None:
    (region,) = [parse_index((slice(3, 100), slice(None)), (128, 64)).region]
    reads: dict[int, int] = {}
    for block, _ in blocks(region, 1, (10, 64), 25 * 64):
        for chunk in range(block[0].start // 10, block[0].last // 10 + 1):
            reads[chunk] = reads.get(chunk, 0) + 1
    assert set(reads.values()) == {1}


@pytest.mark.parametrize("text", ["", "0:1:1", "0:6:1,0:7:1,0:4:1", "0:1:0,0:1:1,0:1:1", "-1:1:1,0:1:1,0:1:1", "x,y,z"])
def test_what_is_no_region_of_the_array_is_refused(text: str) -> None:
    with pytest.raises(IndexError):
        from_text(text, SHAPE)
    assert from_text(to_text(whole(SHAPE)), SHAPE) == whole(SHAPE)
