"""Roles: what changes something is refused to who may only look, a message type that nobody thought of too."""

from __future__ import annotations

import pytest

from messages_of_each_type import MESSAGES, WITHOUT_EXAMPLE
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.roles import VIEW_ONLY, permits, refusal

ALLOWED = {
    "session.hello",
    "session.ping",
    "session.pong",
    "session.goodbye",
    "cursor.query",
    "surface.watch",  # widgets are part of what is seen
    "surface.ack",
    "command scene.snapshot",
    "command layer.histogram",
}
"""All that looking takes. Whoever makes this longer says why a viewer of somebody's session needs it."""


def name_of(message: m.ClientMessage) -> str:
    tag = str(type(message).__struct_config__.tag)
    return f"{tag} {message.name}" if isinstance(message, m.Command) else tag


def test_every_type_is_tried() -> None:
    assert set() == WITHOUT_EXAMPLE


@pytest.mark.parametrize("message", MESSAGES, ids=name_of)
def test_what_each_role_may_send(message: m.ClientMessage) -> None:
    assert permits("control", message)
    assert permits("view", message) == (name_of(message) in ALLOWED)


@pytest.mark.parametrize("message", [message for message in MESSAGES if isinstance(message, m.Intent)], ids=name_of)
def test_a_refused_intent_is_answered_for_all_that_it_was_to_set(message: m.Intent) -> None:
    ack = refusal(message)
    assert isinstance(ack, m.Ack)
    assert (ack.intent, ack.revision) == (1, 0)
    assert {refused.target for refused in ack.refused} == {m.target_of(message)}
    assert {refused.reason for refused in ack.refused} == {VIEW_ONLY}
    values = getattr(message, "values", None)
    assert values is None or {refused.name for refused in ack.refused} == set(values)


def test_a_refused_question_is_answered_too() -> None:
    assert refusal(m.LogQuery()) == m.Error("auth.view_only", VIEW_ONLY)


def test_a_command_that_nobody_knows_is_refused() -> None:
    assert not permits("view", m.Command(1, "made.up"))


def test_the_words_are_one_line() -> None:
    assert "\n" not in VIEW_ONLY
