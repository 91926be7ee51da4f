"""A stream played through a presenter on a virtual clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from decoded import Decoder
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import LeaseRole
from napari_cuda.client.playout.presenter import FixedLatencyPresenter

SERVER_CLOCK_S = 5000.0
"""What the server's clock shows when the client's shows 0."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on screen. `latency_s` counts from its capture."""

    seq: int
    at_s: float
    latency_s: float


@dataclass(frozen=True, slots=True)
class Playback:
    """All pictures that were shown of `sent`, in order of showing; `most_waiting` is the deepest queue."""

    shown: list[Shown]
    sent: int
    most_waiting: int

    def after(self, at_s: float) -> Playback:
        """Return the part that was shown from `at_s` on."""
        return Playback([each for each in self.shown if each.at_s >= at_s], self.sent, self.most_waiting)

    @property
    def in_order(self) -> bool:
        """True if no picture was shown twice or after a newer one."""
        return all(later.seq > earlier.seq for earlier, later in pairwise(self.shown))

    @property
    def intervals_s(self) -> list[float]:
        """Times between one picture and the next."""
        return [later.at_s - earlier.at_s for earlier, later in pairwise(self.shown)]

    @property
    def interval_deviation_s(self) -> float:
        """Their standard deviation."""
        return float(np.std(self.intervals_s))


def in_order(arrivals: Iterable[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Delay what overtook: bytes of one connection stay in order."""
    newest_s = 0.0
    for captured_s, received_s in arrivals:
        newest_s = max(newest_s, received_s)
        yield captured_s, newest_s


def stream(seconds: float, frame_rate: float, delay_s: Callable[[float], float]) -> list[tuple[float, float]]:
    """Return (captured, received) of each picture on the client's clock; `delay_s` is asked at the capture."""
    captured = [at / frame_rate for at in range(round(seconds * frame_rate))]
    return list(in_order((at_s, at_s + delay_s(at_s)) for at_s in captured))


def normal_jitter(base_s: float, deviation_s: float, seed: int, *, least_s: float = 0.0) -> Callable[[float], float]:
    """Return normally distributed delays, none below `least_s`."""
    chance = random.Random(seed)
    return lambda _at_s: max(least_s, chance.gauss(base_s, deviation_s))


def play(
    presenter: FixedLatencyPresenter,
    arrivals: list[tuple[float, float]],
    *,
    decoder: Decoder | None = None,
    at: Callable[[float], None] = lambda now_s: None,
    wake_late_s: Callable[[], float] = lambda: 0.0,
) -> Playback:
    """Submit each picture when it arrives and take what is due when it is due; `at` is called at each arrival.

    Takes over the roles as the window does: RENDERER for the picture on screen.
    """
    decoder = decoder or Decoder()
    shown: list[Shown] = []
    on_screen: SubmittedFrame | None = None
    most_waiting = 0

    def take_until(end_s: float, now_s: float) -> None:
        nonlocal on_screen
        while (due_s := presenter.next_due_s()) is not None and max(due_s, now_s) < end_s:
            now_s = max(due_s, now_s) + wake_late_s()
            frame = presenter.take_due(now_s)
            assert frame is not None, "woken for nothing"
            frame.acquire(LeaseRole.RENDERER)
            frame.release(LeaseRole.PRESENTER)
            if on_screen is not None:
                on_screen.release(LeaseRole.RENDERER)
            on_screen = frame
            captured_s = frame.header.capture_time_us * 1e-6 - SERVER_CLOCK_S
            shown.append(Shown(frame.header.seq, now_s, now_s - captured_s))

    ends = [received_s for _captured_s, received_s in arrivals[1:]] + [float("inf")]
    for seq, ((captured_s, received_s), end_s) in enumerate(zip(arrivals, ends, strict=True)):
        at(received_s)
        frame = decoder.frame(seq, captured_s=captured_s + SERVER_CLOCK_S, received_s=received_s)
        presenter.submit(frame, received_s)
        most_waiting = max(most_waiting, presenter.depth)
        take_until(end_s, received_s)
    if on_screen is not None:
        on_screen.release(LeaseRole.RENDERER)
    return Playback(shown, len(arrivals), most_waiting)
