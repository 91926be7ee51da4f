"""What is read next, how many at a time, and what is kept."""

from __future__ import annotations

from itertools import takewhile

from napari_cuda.server.data.chunk_queue import ByteLru, ChunkQueue, ReadLimit

ANY = 100


def taken(queue: ChunkQueue[str], limit: int = ANY) -> list[str]:
    """Return all that would be read now, without reading it."""
    return list(takewhile(bool, iter(lambda: queue.next(limit) or "", None)))


def test_the_newest_stay_within_the_budget() -> None:
    kept: ByteLru[str, str] = ByteLru(10)
    for key in "abc":
        kept.put(key, key.upper(), 3)
    assert kept.get("a") == "A"
    kept.put("d", "D", 3)
    assert kept.get("b") is None, "the one that was not used for longest"
    assert [key for key in "abcd" if key in kept] == ["a", "c", "d"]
    assert kept.bytes == 9
    kept.put("d", "D", 4)
    assert (kept.bytes, len(kept)) == (10, 3)


def test_what_is_larger_than_all_is_not_kept_and_drives_nobody_out() -> None:
    kept: ByteLru[str, str] = ByteLru(10)
    kept.put("a", "A", 10)
    kept.put("b", "B", 11)
    assert "a" in kept
    assert "b" not in kept
    kept.put("a", "A", 11)
    assert (len(kept), kept.bytes) == (0, 0)


def test_a_chunk_is_read_once_whoever_wants_it() -> None:
    queue: ChunkQueue[str] = ChunkQueue()
    queue.show("one", "abc")
    queue.show("two", "abc")
    assert taken(queue) == ["a", "b", "c"]
    queue.show("one", "abd")
    assert taken(queue) == ["d"]
    for key in "abcd":
        queue.done(key)
    queue.show("one", "a")
    assert taken(queue) == ["a"], "it was read; if it is wanted again, it is gone"


def test_layers_take_turns() -> None:
    queue: ChunkQueue[str] = ChunkQueue()
    queue.show("one", "abc")
    queue.show("two", "xyz")
    assert taken(queue) == ["a", "x", "b", "y", "c", "z"]


def test_what_nobody_waits_for_any_more_is_not_read() -> None:
    queue: ChunkQueue[str] = ChunkQueue()
    queue.show("one", "abcdef")
    assert taken(queue, limit=2) == ["a", "b"]
    queue.show("one", "uv")
    queue.done("a")
    queue.done("b")
    assert taken(queue) == ["u", "v"]
    queue.show("two", "xy")
    queue.forget("two")
    assert taken(queue) == []


def test_what_lies_ahead_waits_for_all_that_is_seen() -> None:
    queue: ChunkQueue[str] = ChunkQueue()
    queue.show("one", "a")
    queue.ahead("one", "mnop")
    queue.ahead("two", "x")
    assert taken(queue, limit=4) == ["a"]
    queue.done("a")
    assert taken(queue, limit=4) == ["x", "m"], "half of the readers stay free for what is asked for meanwhile"
    queue.show("two", "b")
    assert taken(queue, limit=4) == ["b"]
    queue.done("x")
    queue.done("m")
    assert taken(queue, limit=4) == [], "b is still seen to be missing"


def test_turning_round_replaces_what_lies_ahead() -> None:
    queue: ChunkQueue[str] = ChunkQueue()
    queue.ahead("one", "mnop")
    queue.ahead("one", "xy")
    assert taken(queue) == ["x", "y"]


def test_what_is_on_its_way_and_comes_into_view_counts_as_seen() -> None:
    queue: ChunkQueue[str] = ChunkQueue()
    queue.ahead("one", "mno")
    assert taken(queue, limit=2) == ["m"]
    queue.show("one", "m")
    assert taken(queue, limit=4) == [], "it is read already, and nothing comes before it"
    queue.done("m")
    assert taken(queue, limit=4) == ["n", "o"]


def test_a_far_store_is_asked_for_many_at_a_time() -> None:
    limit = ReadLimit(4, 16)
    for _ in range(40):
        limit.took(0.1)
    assert limit.limit == 16
    assert limit.expected_s(17) > 0.15


def test_a_near_store_is_asked_for_few_at_a_time() -> None:
    limit = ReadLimit(4, 16)
    limit.took(0.002)
    for _ in range(40):
        # Each of those that are read together waits for all others.
        limit.took(0.002 * limit.limit)
    assert limit.limit == 4


def test_nothing_is_expected_of_a_store_that_nobody_knows() -> None:
    assert ReadLimit(4, 16).expected_s(100) == 0


def test_a_store_that_became_slower_is_believed_in_time() -> None:
    limit = ReadLimit(4, 16)
    limit.took(0.01)
    for _ in range(400):
        limit.took(0.1)
    assert limit.limit == 16


def test_what_is_pending_is_wanted_or_being_read() -> None:
    queue: ChunkQueue[str] = ChunkQueue()
    queue.show("one", "abc")
    queue.ahead("one", "x")
    assert taken(queue, limit=1) == ["a"]
    assert queue.pending("abcx") == 3
    queue.done("a")
    assert queue.pending("abcx") == 2
