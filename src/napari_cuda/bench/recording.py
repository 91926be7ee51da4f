"""What a client saw: inputs, pictures, and the figures that come of both. Pure; times are of one clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np


@dataclass(frozen=True, slots=True)
class Percentiles:
    """In milliseconds."""

    p50: float
    p95: float


class Observation(msgspec.Struct, frozen=True):
    """What one client saw. `cpu` in cores while driving; `stages` in seconds for one frame, means.

    `answered` counts the frames that answered another input than the one before.
    """

    seconds: float
    frames: int
    answered: int
    bytes_received: int
    latency_ms: Percentiles | None
    age_ms: Percentiles | None
    moving_psnr_db: float | None
    moving_ssim: float | None
    exact_ms: float
    cpu: float
    stages: dict[str, float]


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture: when it was shown, and the newest input that it answers."""

    at_s: float
    input_id: int


class InputLog:
    """When each input was made, by the number that pictures name. Owner: the driving thread."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._times_s: list[float] = []

    def note(self, input_id: int, at_s: float) -> None:
        """The change numbered `input_id` was made; numbers never go down."""
        self._ids.append(input_id)
        self._times_s.append(at_s)

    @property
    def newest_s(self) -> float:
        """When the newest input was made."""
        return self._times_s[-1]

    def index(self, input_id: int) -> int | None:
        """Return which input a picture that names `input_id` answers, counted from 0; None if none of ours."""
        found = bisect_right(self._ids, input_id) - 1
        return found if found >= 0 else None

    def time_s(self, input_id: int) -> float | None:
        """Return when the newest input was made that a picture naming `input_id` answers; None if none of ours."""
        found = self.index(input_id)
        return None if found is None else self._times_s[found]


def latencies_s(inputs: InputLog, pictures: Sequence[Shown]) -> list[float]:
    """Return, for each picture that answers an input for the first time, how long after that input it was shown."""
    found, newest = [], 0
    for shown in pictures:
        made_s = inputs.time_s(shown.input_id)
        if made_s is not None and shown.input_id > newest:
            newest = shown.input_id
            found.append(shown.at_s - made_s)
    return found


def shown_ages_s(inputs: InputLog, pictures: Sequence[Shown], until_s: float) -> list[float]:
    """Return the age of what is on screen at every millisecond: how long ago the input was that it answers."""
    ages: list[float] = []
    answering = [(shown.at_s, made_s) for shown in pictures if (made_s := inputs.time_s(shown.input_id)) is not None]
    for (at_s, made_s), (end_s, _) in pairwise([*answering, (until_s, until_s)]):
        ages += [at_s - made_s + late_ms / 1e3 for late_ms in range(int(1e3 * max(0.0, min(end_s, until_s) - at_s)))]
    return ages


def percentiles_ms(durations_s: Sequence[float]) -> Percentiles | None:
    """Return the median and the 95th percentile of durations; None of nothing."""
    if not durations_s:
        return None
    p50, p95 = np.percentile(durations_s, (50, 95))
    return Percentiles(1e3 * float(p50), 1e3 * float(p95))
