"""What is sent is made while the one before is on its way, no more of it than that; what is given up is so at once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator
from contextlib import closing

import numpy as np
import pytest

from napari_cuda.client.net.http_line import PACK_BELOW_BYTES_PER_S, Pace
from napari_cuda.client.net.sending import DIGEST_BYTES, MADE_AHEAD, Ahead, chunks
from napari_cuda.client.net.transfer import Transfer, TransferCancelled
from napari_cuda.protocol.packing import unpack

AT_WORK = MADE_AHEAD + 2
"""One is used, some wait, one is ready and has no place yet."""


def test_the_next_is_made_while_one_is_used_and_never_many() -> None:
    made: list[int] = []
    enough = threading.Event()

    def numbers() -> Generator[int]:
        for number in range(50):
            made.append(number)
            if len(made) == AT_WORK:
                enough.set()
            yield number

    with closing(Ahead(numbers())) as ahead:
        for used, number in enumerate(ahead):
            assert number == used
            if used == 0:
                assert enough.wait(10), "nothing is made while the first is used"
            assert len(made) <= used + AT_WORK
    assert made == list(range(50))


def test_what_making_raises_is_raised_where_it_is_used() -> None:
    def broken() -> Generator[int]:
        yield 1
        raise ArithmeticError("no such block")

    with closing(Ahead(broken())) as ahead:
        used = iter(ahead)
        assert next(used) == 1
        with pytest.raises(ArithmeticError, match="no such block"):
            next(used)


def test_who_leaves_early_has_no_more_made() -> None:
    made: list[int] = []
    ended = threading.Event()

    def numbers() -> Generator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            ended.set()

    with closing(Ahead(numbers())) as ahead:
        next(iter(ahead))
    del ahead
    assert ended.wait(10)
    assert len(made) <= AT_WORK + 1


@pytest.mark.parametrize("packs", [True, False])
def test_a_chunk_tells_the_digest_of_all_before_it(packs: bool) -> None:
    pace = Pace()
    pace.learn(1 << 20, (1 << 20) / (PACK_BELOW_BYTES_PER_S * (0.5 if packs else 2)))
    pieces = [np.full(50_000, value, np.uint16).tobytes() for value in (1, 2, 3)]
    made = list(chunks(pieces, 2, pace))
    bodies = [unpack(chunk.body, 2, 1 << 20) if chunk.headers else chunk.body for chunk in made]
    assert bodies == pieces
    assert [bool(chunk.headers) for chunk in made] == [packs] * 3
    assert [chunk.size_bytes for chunk in made] == [100_000] * 3
    assert made[-1].digest == hashlib.blake2b(b"".join(pieces), digest_size=DIGEST_BYTES).hexdigest()


def test_what_has_arrived_cannot_be_given_up_and_what_was_given_up_never_arrives() -> None:
    one, other = Transfer(lambda _bytes: None), Transfer(lambda _bytes: None)
    one.arrive()
    assert not one.cancel()
    assert other.cancel()
    with pytest.raises(TransferCancelled):
        other.arrive()
    with pytest.raises(TransferCancelled):
        other.done(1)
