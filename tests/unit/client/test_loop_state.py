from __future__ import annotations

import itertools

import pytest

from napari_cuda.client.loop_state import PHASES, ClientLoopState, LoopPhase, Shown

EVENTS = ("welcome", "scene", "lost", "closed", "connect")


@pytest.mark.parametrize(("phase", "event"), list(PHASES))
def test_each_row_is_taken(phase: LoopPhase, event: str) -> None:
    state = ClientLoopState(phase=phase)
    state.advance(event)
    assert state.phase is PHASES[phase, event]


def test_who_listens_hears_of_another_phase_only() -> None:
    state = ClientLoopState()
    heard: list[LoopPhase] = []
    state.on_phase = lambda: heard.append(state.phase)
    for event in ("lost", "welcome", "scene", "scene", "closed", "closed"):
        state.advance(event)
    assert heard == [LoopPhase.SYNCING, LoopPhase.STREAMING, LoopPhase.STOPPED]


@pytest.mark.parametrize(("phase", "event"), sorted(set(itertools.product(LoopPhase, EVENTS)) - set(PHASES), key=str))
def test_what_has_no_row_is_ignored(phase: LoopPhase, event: str) -> None:
    state = ClientLoopState(phase=phase)
    state.advance(event)
    assert state.phase is phase


def test_every_phase_is_reached_and_ends_when_the_session_does() -> None:
    state = ClientLoopState()
    seen = [state.phase]
    for event in (
        "welcome",
        "scene",
        "scene",
        "lost",
        "lost",
        "welcome",
        "lost",
        "welcome",
        "scene",
        "closed",
        "connect",
    ):
        state.advance(event)
        seen.append(state.phase)
    assert seen == [
        LoopPhase.CONNECTING, LoopPhase.SYNCING, LoopPhase.STREAMING, LoopPhase.STREAMING, LoopPhase.RECONNECTING,
        LoopPhase.RECONNECTING, LoopPhase.SYNCING, LoopPhase.RECONNECTING, LoopPhase.SYNCING, LoopPhase.STREAMING,
        LoopPhase.STOPPED, LoopPhase.CONNECTING,
    ]  # fmt: skip
    assert all(PHASES[phase, "closed"] is LoopPhase.STOPPED for phase in LoopPhase)
    assert {event for _, event in PHASES} == set(EVENTS)


def test_another_session_counts_from_anew() -> None:
    shown = Shown(revision=7, input_id=3, exact_revision=6, frames=40)
    shown.begin_anew(past_epoch=5)
    assert shown == Shown(frames=40, past_epoch=5)


def test_nothing_is_shown_at_first_and_states_share_nothing() -> None:
    one, other = ClientLoopState(), ClientLoopState()
    assert one.shown == Shown()
    assert one.ended == ""
    one.shown.revision = 5
    one.control.set_local("camera", "zoom", 1)
    assert other.shown.revision == 0
    assert other.control.known("camera") == {}
