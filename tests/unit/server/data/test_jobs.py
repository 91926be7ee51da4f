"""Jobs: work on a thread, its end on the render thread, and what the client is told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.messages import JobUpdate
from napari_cuda.server.data.jobs import MOST_ABANDONED, MOST_ENDED, MOST_JOBS, Finish, Job, Jobs, Steps


class Server:
    """Stands for the render thread: runs what was posted when asked to."""

    def __init__(self) -> None:
        self.posted: queue.Queue[Callable[[], None]] = queue.Queue()
        self.told: list[tuple[str, JobUpdate]] = []
        self.jobs = Jobs(self.posted.put, lambda viewer, update: self.told.append((viewer, update)))

    def run_one(self) -> None:
        self.posted.get(timeout=10)()

    @property
    def states(self) -> list[str]:
        return [update.state for _, update in self.told]

    @property
    def newest(self) -> JobUpdate:
        return self.told[-1][1]


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.jobs.close()


def ending(result: dict[str, Any]) -> Callable[[Job], Finish]:
    return lambda job: lambda: result


def fail(error: Exception) -> Callable[[Job], Finish]:
    def work(_job: Job) -> Finish:
        raise error

    return work


def test_a_job_ends_where_the_scene_is(server: Server) -> None:
    threads: list[threading.Thread] = []

    def work(_job: Job) -> Finish:
        threads.append(threading.current_thread())
        return lambda: threads.append(threading.current_thread()) or {"layers": ["L1"]}

    server.jobs.start("V1", 7, "Opening x", work)
    server.run_one()
    assert threads[0] is not threads[1] is threading.current_thread()
    assert server.states == ["running", "done"]
    assert {viewer for viewer, _ in server.told} == {"V1"}
    assert (server.newest.intent, server.newest.result) == (7, {"layers": ["L1"]})


def test_why_a_job_failed_is_told(server: Server) -> None:
    server.jobs.start("V1", 1, "x", fail(DataError("cannot open x: reader: no")))
    server.run_one()
    assert (server.newest.state, server.newest.error) == ("failed", "cannot open x: reader: no")
    server.jobs.start("V1", 2, "x", fail(RuntimeError("boom\nmore")))
    server.run_one()
    assert server.newest.error == "the server failed: RuntimeError: boom"

    def refuse() -> dict[str, Any]:
        raise ValueError("bad layer")

    server.jobs.start("V1", 3, "x", lambda job: refuse)
    server.run_one()
    assert server.newest.error == "napari refuses it: ValueError: bad layer"


def test_progress_is_told_and_cancel_ends_it(server: Server) -> None:
    go_on = threading.Event()
    ended: list[str] = []

    def work(job: Job) -> Finish:
        job.progress(0.25)
        go_on.wait(10)
        job.progress(0.5)
        return lambda: ended.append("finished") or {}

    server.jobs.start("V1", 1, "x", work)
    server.run_one()
    assert server.newest.fraction == 0.25
    server.jobs.cancel("V2", server.newest.job)
    assert server.newest.state == "running", "another viewer's"
    server.jobs.cancel("V1", server.newest.job)
    assert server.newest.state == "cancelled"
    go_on.set()
    server.run_one()
    assert ended == []
    assert server.states == ["running", "running", "cancelled"]


def test_what_a_cancelled_plugin_returns_is_dropped(server: Server) -> None:
    go_on = threading.Event()
    added: list[str] = []

    def work(_job: Job) -> Finish:
        go_on.wait(10)  # a plugin, which knows nothing of cancelling
        return lambda: added.append("layer") or {}

    server.jobs.start("V1", 1, "x", work)
    server.jobs.cancel("V1", server.newest.job)
    go_on.set()
    server.run_one()
    assert added == []


def test_too_many_are_refused_until_one_ends(server: Server) -> None:
    go_on = threading.Event()

    def wait(_job: Job) -> Finish:
        go_on.wait(10)
        return dict

    for number in range(MOST_JOBS):
        server.jobs.start("V1", number, "x", wait)
    server.jobs.start("V1", 9, "Opening y", ending({}))
    assert server.newest.error.startswith(f"Opening y: {MOST_JOBS} jobs are running already")
    go_on.set()
    for _ in range(MOST_JOBS):
        server.run_one()
    server.jobs.start("V1", 10, "y", ending({}))
    server.run_one()
    assert server.newest.state == "done"


def test_hanging_jobs_that_were_cancelled_keep_nobody_from_working(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    let_go = threading.Event()

    def hang(_job: Job) -> Finish:
        let_go.wait(30)  # a plugin that never returns
        return dict

    for number in range(MOST_ABANDONED):
        assert server.jobs.start("V1", number, f"Opening {number}", hang)
        server.jobs.cancel("V1", server.newest.job)
        if number == MOST_JOBS:
            assert server.jobs.start("V1", 100, "y", ending({}))
            server.run_one()
            assert server.newest.state == "done"
    assert "cancelled and still at work: Opening 0; Opening 1" in caplog.text
    assert not server.jobs.start("V1", 101, "Opening y", ending({}))
    assert server.newest.error.startswith(f"Opening y: {MOST_ABANDONED} cancelled jobs hang in their plugins")
    let_go.set()
    for _ in range(MOST_ABANDONED):
        server.run_one()
    assert server.jobs.start("V1", 102, "y", ending({}))
    server.run_one()
    assert server.newest.state == "done"


def test_the_end_of_a_job_gives_others_their_turn_and_tells_how_far_it_is(server: Server) -> None:
    happened: list[str] = []

    def end() -> Steps:
        for index in range(3):
            happened.append(f"layer {index}")
            yield index / 3
        return {"layers": ["L1"]}

    server.jobs.start("V1", 1, "x", lambda job: end)
    server.posted.put(lambda: happened.append("somebody else"))
    while server.newest.state == "running":
        server.run_one()
    assert sorted(happened) == ["layer 0", "layer 1", "layer 2", "somebody else"]
    assert happened[-1] == "layer 2"
    assert [update.fraction for _, update in server.told[1:-1]] == [0, 1 / 3, 2 / 3]
    assert server.newest.result == {"layers": ["L1"]}


def test_a_job_that_is_cancelled_at_its_end_takes_no_further_step(server: Server) -> None:
    happened: list[str] = []

    def end() -> Steps:
        happened.append("one")
        yield 0.5
        happened.append("two")
        return {}

    server.jobs.start("V1", 1, "x", lambda job: end)
    server.run_one()
    server.jobs.cancel("V1", server.newest.job)
    server.run_one()
    assert happened == ["one"]
    assert server.newest.state == "cancelled"
    assert server.posted.empty()


def test_a_step_that_fails_is_told(server: Server) -> None:
    def end() -> Steps:
        yield 0.5
        raise ValueError("bad layer")

    server.jobs.start("V1", 1, "x", lambda job: end)
    server.run_one()
    server.run_one()
    assert (server.newest.state, server.newest.error) == ("failed", "napari refuses it: ValueError: bad layer")


def test_who_comes_back_hears_of_its_own_jobs(server: Server) -> None:
    for number in range(MOST_ENDED + 5):
        server.jobs.start("V1" if number % 2 else "V2", number, "x", ending({}))
        server.run_one()
    mine, others = server.jobs.known_to("V1"), server.jobs.known_to("V2")
    assert len(mine) + len(others) == MOST_ENDED
    assert mine[-1].intent == MOST_ENDED + 3
    assert all(update.state == "done" for update in mine)
    assert server.jobs.known_to("V3") == []
