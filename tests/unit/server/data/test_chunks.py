"""Chunks are read on threads, once each, and what fails is said and tried again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from napari_cuda.server.data.chunks import ChunkKey, Chunks, Pixels

LONG_S = 30.0


class Store:
    """Chunks of a kilobyte; each read waits until `open` is set."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.reads: Counter[tuple[int, ...]] = Counter()
        self.broken: set[tuple[int, ...]] = set()
        self.begun = threading.Semaphore(0)

    def read(self, index: tuple[int, ...]) -> Pixels:
        self.reads[index] += 1
        self.begun.release()
        assert self.open.wait(LONG_S)
        if index in self.broken:
            raise OSError(f"chunk {index} is broken\nand more words")
        return np.full(1024, index[0], np.uint8)

    def keys(self, *numbers: int) -> list[ChunkKey]:
        return [(self, (number,)) for number in numbers]


@pytest.fixture
def chunks() -> Iterator[Chunks]:
    made = Chunks(10 * 1024)
    yield made
    made.close(LONG_S)


def test_what_is_wanted_comes_and_stays(chunks: Chunks) -> None:
    store = Store()
    keys = store.keys(*range(10))
    arrived: list[int] = []
    chunks.on_arrival = lambda: arrived.append(1)
    chunks.show("layer", keys)
    assert chunks.wait(keys, LONG_S)
    chunks.show("layer", keys)
    assert chunks.wait(keys, LONG_S)
    assert [int(pixels[0]) for key in keys if (pixels := chunks.get(key)) is not None] == list(range(10))
    assert set(store.reads.values()) == {1}
    assert chunks.kept_bytes == chunks.budget_bytes == 10 * 1024


def test_the_budget_holds_whatever_is_read(chunks: Chunks) -> None:
    store = Store()
    for first in range(0, 100, 5):
        keys = store.keys(*range(first, first + 5))
        chunks.show("layer", keys)
        assert chunks.wait(keys, LONG_S)
        assert chunks.kept_bytes <= chunks.budget_bytes
    assert chunks.get(store.keys(0)[0]) is None


def test_two_layers_that_want_the_same_read_it_once(chunks: Chunks) -> None:
    store = Store()
    store.open.clear()
    keys = store.keys(*range(9))
    chunks.show("one", keys)
    assert store.begun.acquire(timeout=LONG_S)
    chunks.show("two", keys)
    store.open.set()
    assert chunks.wait(keys, LONG_S)
    chunks.close(LONG_S)
    assert set(store.reads.values()) == {1}


def test_a_broken_chunk_is_said_in_one_line_and_holds_nobody_up(chunks: Chunks) -> None:
    store = Store()
    store.broken = {(2,)}
    said: list[str] = []
    chunks.on_failure = said.append
    keys = store.keys(1, 2, 3)
    chunks.show("layer", keys)
    assert chunks.wait(keys, LONG_S)
    assert chunks.get(keys[1]) is None
    assert chunks.get(keys[2]) is not None
    chunks.close(LONG_S)
    assert said == ["OSError: chunk (2,) is broken"]


def test_what_lies_ahead_is_read_when_nothing_is_wanted(chunks: Chunks) -> None:
    store = Store()
    seen, ahead = store.keys(1), store.keys(5, 6, 7)
    chunks.show("layer", seen)
    chunks.ahead("layer", ahead)
    assert chunks.wait([*seen, *ahead], LONG_S)
    assert chunks.pending(ahead) == 0


def test_nobody_waits_for_what_is_sure_to_take_longer(chunks: Chunks) -> None:
    store = Store()
    chunks.show("layer", store.keys(1))
    assert chunks.wait(store.keys(1), LONG_S)
    store.open.clear()
    chunks.show("layer", store.keys(2))
    assert not chunks.wait(store.keys(2), 0.0)
    store.open.set()
    assert chunks.wait(store.keys(2), LONG_S)


def test_a_cache_that_was_never_used_has_no_threads() -> None:
    before = threading.active_count()
    Chunks(1024).close()
    assert threading.active_count() == before


def test_large_chunks_are_read_fewer_at_a_time() -> None:
    """Nine fit in what is kept; two in what may be read at a time, whatever the store would bear."""
    chunks, store = Chunks(9 * 1024), Store()
    try:
        chunks.show("layer", store.keys(0))
        assert chunks.wait(store.keys(0), LONG_S)
        store.open.clear()
        store.begun = threading.Semaphore(0)
        keys = store.keys(*range(1, 7))
        chunks.show("layer", keys)
        for _ in range(2):
            assert store.begun.acquire(timeout=LONG_S)
        assert not store.begun.acquire(timeout=0.2)
        store.open.set()
        assert chunks.wait(keys, LONG_S)
    finally:
        store.open.set()
        chunks.close(LONG_S)
