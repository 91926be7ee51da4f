"""What a script without a window shows on its terminal."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from napari_cuda.client.headless import TerminalProgress
from napari_cuda.protocol.messages import JobUpdate


class Bar:
    made: ClassVar[list[Bar]] = []

    def __init__(self, total: int, desc: str) -> None:
        self.total, self.desc, self.n, self.closed = total, desc, 0, False
        Bar.made.append(self)

    def update(self, more: int) -> None:
        self.n += more

    def close(self) -> None:
        self.closed = True


def test_one_bar_at_a_time_follows_a_job_to_its_end() -> None:
    Bar.made.clear()
    shown = TerminalProgress(Bar)
    job, other = JobUpdate("J1", 1, "Sending a"), JobUpdate("J2", 2, "Opening b", fraction=0.5)
    shown.show(job)
    assert Bar.made == []  # nobody knows how far it is
    for fraction in (0.25, 0.2, 0.75):
        shown.show(replace(job, fraction=fraction))
        shown.show(other)
    (bar,) = Bar.made
    assert (bar.desc, bar.n, bar.total, bar.closed) == ("Sending a", 75, 100, False)
    shown.show(replace(job, fraction=1.0, state="done"))
    assert (bar.n, bar.closed) == (100, True)
    shown.show(other)
    assert [bar.desc for bar in Bar.made] == ["Sending a", "Opening b"]
