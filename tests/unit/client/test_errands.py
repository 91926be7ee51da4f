"""Errands: blocking calls on threads, their results where they were asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from napari_cuda.client.errands import MOST_ERRANDS, Errands
from napari_cuda.client.net.transfer import TransferCancelled
from napari_cuda.protocol.errors import DataError, NapariCudaError

Posted = queue.Queue[Callable[[], None]]


@pytest.fixture
def posted() -> Posted:
    return queue.Queue()


@pytest.fixture
def errands(posted: Posted) -> Iterator[Errands]:
    errands = Errands(posted.put)
    yield errands
    errands.close()


def unexpected(outcome: object) -> None:
    pytest.fail(f"unexpected: {outcome!r}")


def test_the_result_comes_to_who_asked(errands: Errands, posted: Posted) -> None:
    threads: list[threading.Thread] = []

    def work() -> int:
        threads.append(threading.current_thread())
        return 42

    results: list[int] = []
    errands.run("sum", work, results.append, unexpected)
    posted.get(timeout=10)()
    assert results == [42]
    assert threads[0].name == "napari-cuda-sum"


@pytest.mark.parametrize("error", [DataError("no"), OSError("disk"), TransferCancelled()])
def test_what_it_raised_too(errands: Errands, posted: Posted, error: Exception) -> None:
    def work() -> None:
        raise error

    failures: list[Exception] = []
    errands.run("sum", work, unexpected, failures.append)
    posted.get(timeout=10)()
    assert failures == [error]


def test_so_many_at_a_time_and_all_end_with_the_session(errands: Errands, posted: Posted) -> None:
    go_on = threading.Event()
    for _ in range(MOST_ERRANDS):
        errands.run("wait", lambda: go_on.wait(10), lambda result: None, unexpected, go_on.set)
    with pytest.raises(NapariCudaError, match="wait for one, or cancel it"):
        errands.run("wait", lambda: None, unexpected, unexpected)
    errands.close()
    assert go_on.is_set()
    assert posted.qsize() == MOST_ERRANDS
