"""What a client knows of the jobs it waits for."""

from __future__ import annotations

from msgspec.structs import replace

from napari_cuda.client.control.job_board import MOST_ENDED, JobBoard
from napari_cuda.protocol.messages import JobUpdate


def test_watchers_see_every_change_once() -> None:
    board, seen = JobBoard(), list[JobUpdate]()
    board.watch(seen.append)
    job = JobUpdate("J1", 3, "Opening x")
    steps = [job, replace(job, fraction=0.5), replace(job, state="done", result={"layers": []})]
    for step in (steps[0], *steps):
        board.take(step)
    assert seen == steps
    assert board.of_intent(3) == board.get("J1") == steps[-1]
    assert board.of_intent(4) is None


def test_what_has_ended_stays_so() -> None:
    board = JobBoard()
    job = JobUpdate("J1", 3, "x")
    board.take(replace(job, state="cancelled"))
    board.take(job)
    board.take(replace(job, state="done"))
    assert not board.is_running("J1")
    assert board.get("J1") == replace(job, state="cancelled")


def test_a_lost_server_fails_its_jobs_but_not_ours() -> None:
    board = JobBoard()
    for name, intent in (("J1", 3), ("loading-1", 0), ("local-1", 0), ("local-2", -3)):
        board.take(JobUpdate(name, intent, name))
    board.lose("the server was started anew")
    assert [job.job for job in board.running] == ["local-1", "local-2"]
    told_to_all, lost = board.get("loading-1"), board.get("J1")
    assert told_to_all is not None and told_to_all.state == "cancelled"
    assert lost is not None
    assert (lost.state, lost.error) == ("failed", "J1: the server was started anew")


def test_old_ones_are_forgotten_running_ones_never() -> None:
    board = JobBoard()
    board.take(JobUpdate("running", 1, "x"))
    for number in range(MOST_ENDED + 3):
        board.take(JobUpdate(f"J{number}", number, "x", "done"))
    assert board.get("J2") is None
    assert board.get("J3") is not None
    assert board.is_running("running")
