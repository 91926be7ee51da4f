from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.playout.presenter import FixedLatencyPresenter, PlayoutMode
from napari_cuda.protocol.packet import PacketHeader, PacketKind

PICTURE = ExactPicture(np.zeros((2, 2, 4), np.uint8))


def frame(seq: int, *, epoch: int = 1, at_s: float = 0.0) -> SubmittedFrame:
    header = PacketHeader(
        kind=PacketKind.STILL,
        seq=seq,
        epoch=epoch,
        revision=0,
        input_id=0,
        capture_time_us=0,
        canvas_size=(2, 2),
        coded_size=(2, 2),
    )
    return SubmittedFrame(header, PICTURE, due_s=at_s, received_s=at_s, decoded_s=at_s)


def test_nothing_submitted_nothing_due() -> None:
    presenter = FixedLatencyPresenter()
    assert presenter.take_due(0.0) is None
    assert presenter.next_due_s() is None


def test_the_newest_is_shown_at_once_and_only_once() -> None:
    presenter = FixedLatencyPresenter()
    for seq in range(100):
        assert presenter.submit(frame(seq, at_s=5.0 + seq))
    assert presenter.next_due_s() == 104.0
    shown = presenter.take_due(0.0)
    assert shown is not None
    assert shown.header.seq == 99
    assert presenter.take_due(1e9) is None
    assert presenter.next_due_s() is None


def test_what_waits_is_bounded() -> None:
    presenter = FixedLatencyPresenter()
    frames = [frame(seq) for seq in range(10)]
    for each in frames:
        presenter.submit(each)
    held = [each for each in frames if any(each is value for value in vars(presenter).values())]
    assert held == frames[-1:]


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "accepted"),
    [
        ((1, 5), (1, 6), True),
        ((1, 5), (1, 5), False),
        ((1, 5), (1, 4), False),
        ((1, 5), (2, 0), True),
        ((2, 5), (1, 6), False),
        ((1, 2**32 - 1), (1, 0), True),
        ((1, 0), (1, 2**32 - 1), False),
    ],
)
def test_time_never_runs_backwards(
    first: tuple[int, int], second: tuple[int, int], accepted: bool, taken: bool
) -> None:
    presenter = FixedLatencyPresenter()
    presenter.submit(frame(first[1], epoch=first[0]))
    if taken:
        presenter.take_due(0.0)
    assert presenter.submit(frame(second[1], epoch=second[0])) is accepted
    due = presenter.take_due(0.0)
    if not accepted and taken:
        assert due is None
    else:
        assert due is not None
        assert (due.header.epoch, due.header.seq) == (second if accepted else first)


def test_a_reconnect_forgets_the_old_numbers() -> None:
    presenter = FixedLatencyPresenter()
    presenter.submit(frame(900, epoch=7))
    presenter.take_due(0.0)
    presenter.submit(frame(901, epoch=7))
    presenter.on_reconnect()
    assert presenter.take_due(0.0) is None
    assert presenter.submit(frame(0, epoch=1))


def test_setting_the_mode_keeps_what_waits() -> None:
    presenter = FixedLatencyPresenter()
    presenter.submit(frame(0))
    presenter.set_mode(PlayoutMode.LATEST)
    assert presenter.mode is PlayoutMode.LATEST
    assert presenter.take_due(0.0) is not None


def test_pictures_taken_while_others_are_submitted_only_go_forward() -> None:
    presenter = FixedLatencyPresenter()
    done = threading.Event()
    seen: list[int] = []

    def take() -> None:
        while not done.is_set():
            shown = presenter.take_due(0.0)
            if shown is not None:
                seen.append(shown.header.seq)

    taker = threading.Thread(target=take)
    taker.start()
    for seq in range(5000):
        presenter.submit(frame(seq))
    done.set()
    taker.join(10)
    last = presenter.take_due(0.0)
    seen += [] if last is None else [last.header.seq]
    assert seen == sorted(set(seen))
    assert seen[-1] == 4999
