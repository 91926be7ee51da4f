"""The server's turns in an event loop of somebody else's."""

from __future__ import annotations

import asyncio
import threading

from napari_cuda.notebook.turns import Turns


class Work:
    """Counts its turns; the next is wanted after `pauses`, then in an hour."""

    def __init__(self, *pauses: float) -> None:
        self.turns = 0
        self._pauses = list(pauses)
        self.threads: set[str] = set()

    def turn(self) -> float:
        self.turns += 1
        self.threads.add(threading.current_thread().name)
        return self._pauses.pop(0) if self._pauses else 3600.0


async def until(work: Work, turns: int) -> None:
    for _ in range(2000):
        if work.turns >= turns:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(f"{work.turns} turns and not {turns}")


def test_turns_come_by_themselves_while_there_is_work_and_others_have_theirs() -> None:
    async def run() -> None:
        work = Work(0.0, 0.0, 0.001)
        turns = Turns(asyncio.get_running_loop(), work.turn)
        others = 0
        turns.wake()
        while work.turns < 4:
            others += 1
            await asyncio.sleep(0)
        assert others >= 3, "the loop did nothing else between two turns"
        await asyncio.sleep(0.02)
        assert work.turns == 4, "there was no work"

    asyncio.run(run())


def test_any_thread_wakes_and_many_calls_are_one() -> None:
    async def run() -> None:
        work = Work()
        turns = Turns(asyncio.get_running_loop(), work.turn)
        others = [threading.Thread(target=lambda: [turns.wake() for _ in range(100)]) for _ in range(4)]
        for other in others:
            other.start()
        for other in others:
            other.join()
        await until(work, 1)
        await asyncio.sleep(0.02)
        assert work.turns == 1
        assert work.threads == {threading.current_thread().name}
        turns.wake()
        await until(work, 2)

    asyncio.run(run())


def test_within_a_cell_turns_come_when_asked_for() -> None:
    loop = asyncio.new_event_loop()
    work = Work(0.0, 0.0, 0.0)
    turns = Turns(loop, work.turn)
    turns.wake()
    turns.run_for(0.0)
    assert work.turns == 1
    waker = threading.Timer(0.05, turns.wake)
    waker.start()
    turns.run_for(0.5)  # two at once, and one for who woke it
    assert work.turns >= 4
    loop.close()
    turns.wake()  # the kernel has ended: nothing


def test_after_the_end_there_is_none() -> None:
    async def run() -> None:
        work = Work(0.001, 0.001, 0.001)
        turns = Turns(asyncio.get_running_loop(), work.turn)
        turns.wake()
        await until(work, 1)
        turns.stop()
        done = work.turns
        turns.wake()
        await asyncio.sleep(0.02)
        assert work.turns == done

    asyncio.run(run())
