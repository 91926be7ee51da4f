"""StreamPlan: drop before encode, unchanged for free, exact once at rest, keyframes on request only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server.encode.plan import MOST_REFINING, Job, StreamPlan
from napari_cuda.server.frames import PixelBuffer, RenderedFrame

KEYFRAME, DELTA, STILL, UNCHANGED = Job.KEYFRAME, Job.DELTA, Job.STILL, Job.UNCHANGED
FRAME = RenderedFrame(
    buffer=PixelBuffer(np.zeros((2, 2, 4), np.uint8)),
    canvas_size=(2, 2),
    revision=1,
    camera=CameraPose(),
    capture_time_us=0,
    picture_hash=100,
)
RESTING = replace(FRAME, at_rest=True)


def sent(*jobs: tuple[Job, RenderedFrame]) -> StreamPlan:
    """A plan after these packets left."""
    plan = StreamPlan("V1")
    for job, frame in jobs:
        plan.sent(job, frame)
    return plan


def test_nothing_without_a_frame_or_without_room() -> None:
    plan = StreamPlan("V1")
    assert plan.next(None, room=True, empty=True) is None
    assert plan.next(FRAME, room=False, empty=False) is None
    assert plan.next(FRAME, room=True, empty=True) is KEYFRAME


AFTER_KEYFRAME = [(KEYFRAME, FRAME)]
AFTER_STILL = [(KEYFRAME, FRAME), (STILL, RESTING)]
MOVED = replace(FRAME, picture_hash=101, revision=2)
NEXT: list[tuple[str, list[tuple[Job, RenderedFrame]], RenderedFrame, bool, Job | None]] = [
    ("a viewer without pixels gets a keyframe", [], FRAME, True, KEYFRAME),
    ("… also of a resting picture, so that deltas can follow", [], RESTING, True, KEYFRAME),
    ("the very same frame is not sent twice", AFTER_KEYFRAME, FRAME, True, None),
    ("a changed picture is a delta", AFTER_KEYFRAME, MOVED, True, DELTA),
    ("… while others are on the way too", AFTER_KEYFRAME, MOVED, False, DELTA),
    ("another size is another picture", AFTER_KEYFRAME, replace(FRAME, canvas_size=(4, 4)), True, DELTA),
    ("same picture, newer revision: a header", AFTER_KEYFRAME, replace(FRAME, revision=2), True, UNCHANGED),
    ("same picture, newer input: a header", AFTER_KEYFRAME, replace(FRAME, input_ids={"V1": 3}), True, UNCHANGED),
    ("somebody else's input: nothing", AFTER_KEYFRAME, replace(FRAME, input_ids={"V2": 3}), True, None),
    (
        "same picture, other camera: a header",
        AFTER_KEYFRAME,
        replace(FRAME, camera=CameraPose(zoom=2)),
        True,
        UNCHANGED,
    ),
    ("same picture, later capture: nothing", AFTER_KEYFRAME, replace(FRAME, capture_time_us=9), True, None),
    ("at rest the picture becomes exact", AFTER_KEYFRAME, RESTING, True, STILL),
    ("… when nothing else is on the way", AFTER_KEYFRAME, RESTING, False, None),
    ("… not even a header goes first", AFTER_KEYFRAME, replace(RESTING, revision=2), False, None),
    ("exact once", AFTER_STILL, RESTING, True, None),
    ("… also for a newer revision of it: a header", AFTER_STILL, replace(RESTING, revision=2), True, UNCHANGED),
    ("… and also when it no longer rests", AFTER_STILL, replace(FRAME, revision=2), True, UNCHANGED),
    ("what moves after a still is a delta", AFTER_STILL, MOVED, True, DELTA),
    ("another resting picture becomes exact", AFTER_STILL, replace(RESTING, picture_hash=5), True, STILL),
    ("what was never seen is video first", AFTER_STILL, replace(MOVED, at_rest=True), True, DELTA),
    ("back to the exact picture is a delta", [*AFTER_STILL, (DELTA, MOVED)], FRAME, True, DELTA),
    ("… and is made exact anew", [*AFTER_STILL, (DELTA, MOVED), (DELTA, FRAME)], RESTING, True, STILL),
    ("back to the picture before a still is a delta", [(KEYFRAME, MOVED), (STILL, RESTING)], MOVED, True, DELTA),
]


@pytest.mark.parametrize(("name", "history", "frame", "empty", "job"), NEXT, ids=[row[0] for row in NEXT])
def test_what_comes_next(
    name: str, history: list[tuple[Job, RenderedFrame]], frame: RenderedFrame, empty: bool, job: Job | None
) -> None:
    plan = sent(*history)
    assert plan.next(frame, room=True, empty=empty) is job
    assert plan.next(frame, room=True, empty=empty) is job  # asking changes nothing
    assert plan.next(frame, room=False, empty=False) is None


def test_a_keyframe_comes_on_request_whatever_was_sent_and_then_the_exact_picture_again() -> None:
    plan = sent(*AFTER_STILL)
    plan.request_keyframe()
    assert plan.next(RESTING, room=True, empty=True) is KEYFRAME
    plan.sent(KEYFRAME, RESTING)
    assert plan.next(RESTING, room=True, empty=False) is None
    assert plan.next(RESTING, room=True, empty=True) is STILL


def test_the_parts_of_a_still_follow_each_other_and_another_picture_ends_them() -> None:
    plan = sent(*AFTER_KEYFRAME)
    newer = replace(RESTING, revision=2)
    for frame in (RESTING, newer):
        plan.sent(STILL, frame, more=True)
        assert plan.next(newer, room=False, empty=False) is STILL  # others are on their way: its own parts
        assert plan.next(newer, room=True, empty=False, part_room=False) is None
    assert plan.next(MOVED, room=True, empty=False) is DELTA
    plan.sent(DELTA, MOVED)
    plan.sent(DELTA, RESTING)
    assert plan.next(RESTING, room=True, empty=False) is None  # begins again when nothing is on the way
    assert plan.next(RESTING, room=True, empty=True) is STILL


def test_where_a_still_takes_long_ten_pictures_at_most_go_before_it() -> None:
    plan = sent(*AFTER_KEYFRAME)
    for _ in range(MOST_REFINING):
        assert plan.next(RESTING, room=True, empty=False, refine=True) is DELTA
        assert plan.next(RESTING, room=False, empty=False, refine=True) is None
        plan.sent(DELTA, RESTING)
    assert plan.next(RESTING, room=True, empty=False, refine=True) is None
    assert plan.next(RESTING, room=True, empty=True, refine=True) is STILL
    plan.sent(STILL, RESTING, more=True)
    assert plan.next(RESTING, room=True, empty=False, refine=True) is STILL


def test_a_part_of_a_still_shows_and_tells_nothing() -> None:
    plan = sent(*AFTER_KEYFRAME)
    plan.sent(STILL, RESTING, more=True)
    assert plan.next(replace(FRAME, revision=2), room=True, empty=False) is UNCHANGED
    plan.sent(STILL, RESTING)
    assert plan.next(RESTING, room=True, empty=True) is None


def test_requests_before_the_answer_are_one() -> None:
    plan = sent(*AFTER_KEYFRAME)
    plan.request_keyframe()
    plan.request_keyframe()
    plan.sent(KEYFRAME, MOVED)
    assert plan.next(MOVED, room=True, empty=True) is None


def test_a_request_while_a_delta_is_encoded_is_still_open() -> None:
    plan = sent(*AFTER_KEYFRAME)
    plan.request_keyframe()
    plan.sent(DELTA, MOVED)
    assert plan.next(MOVED, room=True, empty=True) is KEYFRAME


turns = st.tuples(
    st.integers(0, 3),  # picture
    st.integers(0, 1),  # steps of the revision
    st.booleans(),  # at rest
    st.booleans(),  # the window is empty
    st.sampled_from(["", "", "", "", "keyframe please"]),
)


@given(st.lists(turns, max_size=60))
def test_the_viewer_always_holds_what_it_was_promised(history: list[Any]) -> None:
    """Against a model viewer: which picture it shows, whether exactly, and of which revision, final or not."""
    plan, revision = StreamPlan("V1"), 1
    decoder_ready, shown, exact, told = False, None, False, (0, False)
    for picture, steps, at_rest, empty, request in history:
        revision += steps
        if request:
            plan.request_keyframe()
            decoder_ready = False
        frame = replace(FRAME, picture_hash=picture, revision=revision, at_rest=at_rest)
        job = plan.next(frame, room=True, empty=empty)
        if job is KEYFRAME:
            assert not decoder_ready
            decoder_ready, shown, exact, told = True, picture, False, (revision, at_rest)
        elif job is DELTA:
            assert decoder_ready
            assert shown != picture
            shown, exact, told = picture, False, (revision, at_rest)
        elif job is STILL:
            assert at_rest and empty and not (exact and shown == picture)
            shown, exact, told = picture, True, (revision, at_rest)
        elif job is UNCHANGED:
            assert shown == picture and told != (revision, at_rest)
            told = revision, at_rest
        else:
            assert (shown, told) == (picture, (revision, at_rest)) or (at_rest and not empty)
        if job is not None:
            plan.sent(job, frame)
        if at_rest and empty and job is None:
            assert exact


def test_what_rests_without_a_margin_never_takes_the_place_of_video_with_one() -> None:
    wide = replace(MOVED, margin=64)
    plan = sent((KEYFRAME, FRAME), (DELTA, wide))
    resting = replace(MOVED, picture_hash=102, at_rest=True)
    assert plan.next(resting, room=True, empty=True, refine=True) is STILL
    unseen = replace(resting, revision=3)
    assert plan.next(unseen, room=True, empty=False) is None
    assert plan.next(unseen, room=True, empty=True) is STILL
    larger = replace(unseen, canvas_size=(4, 4))
    assert plan.next(larger, room=True, empty=True) is DELTA, "of another canvas"
