"""ControlStateContext, case by case; every order of events is in test_control_state_model.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_cuda.client.control.control_state import MOST_UNACKED, ControlStateContext, Restore, layer_object
from napari_cuda.protocol import messages as m
from replica import layer

SNAPSHOT = m.SceneSnapshot(
    5, [layer("L1", opacity=1, gamma=1)], {"active": None}, {"point": [0]}, {"zoom": 1}, {"ndisplay": 2}
)


def synced() -> ControlStateContext:
    control = ControlStateContext()
    control.begin(SNAPSHOT)
    return control


def test_intents_are_gated_until_the_first_snapshot_and_then_sent() -> None:
    control = ControlStateContext()
    assert control.set_local("camera", "zoom", 3)
    assert control.take_intents() == []
    control.begin(SNAPSHOT)
    assert control.known("camera") == {"zoom": 3}
    assert control.take_intents() == [m.CameraIntent(1, {"zoom": 3})]


def test_what_is_set_shows_at_once_and_travels_once() -> None:
    control = synced()
    assert control.set_local("camera", "zoom", 2)
    assert control.known("camera") == {"zoom": 2}
    assert control.take_intents() == [m.CameraIntent(1, {"zoom": 2})]
    assert control.take_intents() == []
    assert not control.set_local("camera", "zoom", 2)
    assert control.take_intents() == []


@pytest.mark.parametrize(
    ("target", "name", "intent"),
    [
        ("layer:L1", "opacity", m.LayerIntent(1, "L1", {"opacity": 9})),
        ("dims", "point", m.DimsIntent(1, {"point": 9})),
        ("camera", "zoom", m.CameraIntent(1, {"zoom": 9})),
        ("view", "ndisplay", m.ViewIntent(1, {"ndisplay": 9})),
        ("scene", "active", m.SceneIntent(1, {"active": 9})),
    ],
)
def test_each_object_has_its_intent(target: str, name: str, intent: m.PropertyIntent) -> None:
    control = synced()
    control.set_local(target, name, 9)
    assert control.take_intents() == [intent]
    assert m.target_of(intent) == target


def test_the_value_that_is_there_already_is_no_change() -> None:
    control = synced()
    assert not control.set_local("camera", "zoom", 1)
    assert not control.set_local("scene", "active", None)
    assert control.set_local("camera", "perspective", None)  # unknown so far, even if None
    assert control.take_intents() == [m.CameraIntent(1, {"perspective": None})]


def test_many_sets_of_one_object_are_one_intent_with_the_newest_values() -> None:
    control = synced()
    for zoom in range(2, 50):
        control.set_local("camera", "zoom", zoom)
        control.set_local("camera", "center", [zoom])
    control.set_local(layer_object("L1"), "opacity", 0.5)
    assert control.take_intents() == [
        m.CameraIntent(1, {"zoom": 49, "center": [49]}),
        m.LayerIntent(2, "L1", {"opacity": 0.5}),
    ]


def test_back_to_the_server_s_value_while_pending_is_an_intent_too() -> None:
    control = synced()
    control.set_local("camera", "zoom", 2)
    control.take_intents()
    assert control.set_local("camera", "zoom", 1)
    assert control.take_intents() == [m.CameraIntent(2, {"zoom": 1})]


def test_the_server_s_value_waits_behind_a_pending_one() -> None:
    control = synced()
    control.set_local("camera", "zoom", 2)
    control.take_intents()
    assert control.mirror("camera", {"zoom": 7, "center": [1]}, 6) == {"center": [1]}
    assert control.known("camera") == {"zoom": 2, "center": [1]}
    assert control.acked(m.Ack(1, 8)) == [Restore("camera", {"zoom": 7})]
    assert control.known("camera")["zoom"] == 7


def test_an_ack_of_what_the_server_took_restores_nothing() -> None:
    control = synced()
    control.set_local("camera", "zoom", 2)
    control.take_intents()
    control.mirror("camera", {"zoom": 2}, 6)
    assert control.acked(m.Ack(1, 6)) == []
    assert control.settled_revision == 6


def test_a_refusal_brings_the_old_value_back_and_says_why() -> None:
    control = synced()
    control.set_local("layer:L1", "opacity", 7)
    control.set_local("layer:L1", "gamma", 2)
    control.take_intents()
    control.mirror("layer:L1", {"gamma": 2}, 6)
    restores = control.acked(m.Ack(1, 6, [m.Refusal("layer:L1", "opacity", "too much")]))
    assert restores == [Restore("layer:L1", {"opacity": 1}, ("too much",))]
    assert control.known("layer:L1") == {"opacity": 1, "gamma": 2}


def test_the_ack_of_an_older_intent_leaves_the_newer_value_alone() -> None:
    control = synced()
    control.set_local("camera", "zoom", 2)
    control.take_intents()
    control.set_local("camera", "zoom", 3)
    assert control.acked(m.Ack(1, 6, [m.Refusal("camera", "zoom", "no")])) == []
    assert control.known("camera") == {"zoom": 3}
    assert control.take_intents() == [m.CameraIntent(2, {"zoom": 3})]


def test_a_refusal_of_merged_intents_reaches_the_older_one() -> None:
    control = synced()
    control.set_local("layer:L1", "opacity", 7)
    control.take_intents()
    control.set_local("layer:L1", "gamma", 2)
    control.take_intents()
    control.mirror("layer:L1", {"gamma": 2}, 6)
    restores = control.acked(m.Ack(2, 6, [m.Refusal("layer:L1", "opacity", "too much")]))
    assert restores == [Restore("layer:L1", {"opacity": 1}, ("too much",))]


def test_commands_have_numbers_of_their_own_and_their_refusals_are_told() -> None:
    control = synced()
    control.command("layer.remove", {"layer": "L9"})
    assert control.take_intents() == [m.Command(1, "layer.remove", {"layer": "L9"})]
    assert control.newest_intent == 1
    assert control.settled_revision is None
    assert control.acked(m.Ack(1, 6, [m.Refusal("", "layer.remove", "no such layer")])) == [
        Restore("", {}, ("no such layer",))
    ]
    assert control.settled_revision == 6


def test_intents_that_nobody_acks_are_given_up() -> None:
    control = synced()
    control.set_local("camera", "zoom", 2)
    control.take_intents()
    control.set_local("dims", "point", [4])
    assert control.unanswered([1, 99], "why") == [Restore("camera", {"zoom": 1}, ("why",))]
    assert control.known("camera") == {"zoom": 1}
    assert control.known("dims") == {"point": [4]}


def test_a_command_that_nobody_acks_is_told_of() -> None:
    control = synced()
    control.command("layer.remove", {"layer": "L1"})
    assert control.unanswered([1], "why") == [Restore("", {}, ("why",))]
    assert control.unanswered([1], "why") == []


def test_what_was_set_on_a_layer_that_is_gone_is_dropped() -> None:
    control = synced()
    control.set_local("layer:L1", "opacity", 0)
    control.forget("layer:L1")
    assert control.known("layer:L1") == {}
    assert control.take_intents() == []


def test_a_new_snapshot_leaves_what_is_on_its_way_alone() -> None:
    control = synced()
    control.set_local("camera", "zoom", 2)
    control.set_local("layer:L1", "opacity", 0)
    control.take_intents()
    control.begin(m.SceneSnapshot(9, [], {}, {}, {"zoom": 8}, {}))
    assert control.known("camera") == {"zoom": 2}
    assert control.take_intents() == []
    assert control.known("layer:L1") == {}
    assert control.revision == 9
    assert control.settled_revision is None
    assert control.acked(m.Ack(2, 10)) == [Restore("camera", {"zoom": 8})]
    assert control.settled_revision == 10


def test_a_command_comes_after_what_was_set_before_it() -> None:
    control = synced()
    control.disconnected()
    control.set_local("layer:L1", "gamma", 2)
    control.command("layer.reset_contrast_limits", {"layer": "L1"})
    control.set_local("layer:L1", "gamma", 3)
    assert control.take_intents() == []
    control.resume(taken=0)
    assert control.take_intents() == [
        m.LayerIntent(1, "L1", {"gamma": 2}),
        m.Command(2, "layer.reset_contrast_limits", {"layer": "L1"}),
        m.LayerIntent(3, "L1", {"gamma": 3}),
    ]


def test_too_many_on_their_way_wait_and_merge() -> None:
    control = synced()
    for number in range(MOST_UNACKED):
        control.set_local("camera", "zoom", 2 + number)
        assert len(control.take_intents()) == 1
    for zoom in (500, 600, 700):
        control.set_local("camera", "zoom", zoom)
        assert control.take_intents() == []
    control.acked(m.Ack(1, 6))
    assert control.take_intents() == [m.CameraIntent(MOST_UNACKED + 1, {"zoom": 700})]


def lost_with_four_on_their_way() -> ControlStateContext:
    """Intents 1 to 4 were sent, 5 was set offline; the connection is lost, 1 was acknowledged."""
    control = synced()
    control.set_local("camera", "zoom", 2)
    control.take_intents()
    control.set_local("dims", "point", [2])
    control.take_intents()
    control.command("layer.remove", {"layer": "L9"})
    control.set_local("camera", "zoom", 3)
    assert [intent.intent for intent in control.take_intents()] == [3, 4]
    control.acked(m.Ack(1, 6))
    control.disconnected()
    control.set_local("layer:L1", "gamma", 7)
    control.set_local("layer:L1", "gamma", 8)
    assert control.take_intents() == []
    return control


@pytest.mark.parametrize("taken", [1, 2, 3, 4])
def test_what_the_server_did_not_take_is_sent_again_once_and_in_order(taken: int) -> None:
    control = lost_with_four_on_their_way()
    control.resume(taken)
    sent = control.take_intents()
    assert [intent.intent for intent in sent] == list(range(taken + 1, 6))
    assert sent[-1] == m.LayerIntent(5, "L1", {"gamma": 8}), "the last value that was set"
    assert control.take_intents() == []
    assert control.known("camera")["zoom"] == 3
    assert control.settled_revision is None
    control.acked(m.Ack(5, 9))
    assert control.settled_revision == 9


def test_an_ack_that_was_heard_before_changes_nothing() -> None:
    control = lost_with_four_on_their_way()
    control.resume(4)
    assert control.acked(m.Ack(1, 6, [m.Refusal("", "layer.remove", "told twice")])) == []
    assert [r.reasons for r in control.acked(m.Ack(3, 6, [m.Refusal("", "layer.remove", "no")])) if r.reasons] == [
        ("no",)
    ]


def test_a_server_that_forgot_the_viewer_gets_values_again_and_no_commands() -> None:
    control = lost_with_four_on_their_way()
    assert control.rejoin() == 1
    assert control.take_intents() == []
    control.begin(m.SceneSnapshot(20, [layer("L1", gamma=1)], {}, {"point": [0]}, {"zoom": 1}, {}))
    again = {m.target_of(intent): intent.values for intent in control.take_intents()}
    assert again == {"camera": {"zoom": 3}, "dims": {"point": [2]}, "layer:L1": {"gamma": 8}}
    assert control.settled_revision is None
    control.acked(m.Ack(control.newest_intent, 21))
    assert control.settled_revision == 21


def test_another_session_gets_nothing_of_what_was_set() -> None:
    control = lost_with_four_on_their_way()
    assert control.begin_anew() == 4
    # Until its snapshot is there, the layers shown are the old session's.
    control.set_local("layer:L1", "gamma", 9)
    control.command("layer.remove", {"layer": "L1"})
    assert control.settled_revision is None
    control.begin(SNAPSHOT)
    assert control.take_intents() == []
    assert control.known("layer:L1") == {"opacity": 1, "gamma": 1}
    assert control.settled_revision == 5
    control.set_local("camera", "zoom", 4)
    [intent] = control.take_intents()
    assert intent.intent > 5, "numbers go on: they only have to rise"


@pytest.mark.parametrize("begins", [ControlStateContext.begin_anew, ControlStateContext.rejoin])
def test_a_session_that_was_lost_before_its_snapshot_gets_nothing_until_that(
    begins: Callable[[ControlStateContext], int],
) -> None:
    control = lost_with_four_on_their_way()
    begins(control)
    control.set_local("layer:L1", "gamma", 9)
    control.disconnected()
    control.resume(0)
    assert not control.ready
    assert control.take_intents() == []
    control.begin(SNAPSHOT)
    assert control.ready


def test_the_first_connection_lost_before_its_snapshot_opens_no_gate() -> None:
    control = ControlStateContext()
    control.set_local("camera", "zoom", 3)
    control.resume(0)
    assert control.take_intents() == []
    control.begin(SNAPSHOT)
    assert control.take_intents() == [m.CameraIntent(1, {"zoom": 3})]


def test_what_was_given_up_is_not_sent_again() -> None:
    control = synced()
    control.set_local("camera", "zoom", 2)
    control.take_intents()
    control.unanswered([1], "why")
    control.disconnected()
    control.resume(0)
    assert control.take_intents() == []


def test_known_is_a_copy() -> None:
    control = synced()
    control.known("camera")["zoom"] = 99
    assert control.known("camera") == {"zoom": 1}


def pointer(x: int, *buttons: int) -> m.InputPointer:
    return m.InputPointer(0, "move", [x, 0], [9, 9], 0, list(buttons))


def test_the_pointer_keeps_its_place_among_what_is_set_and_only_hovering_merges() -> None:
    control = synced()
    for x in (1, 2):
        control.point(pointer(x))
    control.set_local("camera", "zoom", 2)
    for x in (3, 4):
        control.point(pointer(x))
    for x in (5, 6):
        control.point(pointer(x, 1))
    control.set_local("camera", "zoom", 3)
    sent = control.take_intents()
    assert [intent.intent for intent in sent] == [1, 2, 3, 4, 5, 6]
    told = [intent.position[0] if isinstance(intent, m.InputPointer) else intent.values["zoom"] for intent in sent]
    assert told == [2, 2, 4, 5, 6, 3]
    control.point(pointer(7))
    assert [intent.intent for intent in control.take_intents()] == [7], "what was sent is not changed any more"


def test_the_pointer_is_never_late() -> None:
    control = synced()
    control.point(pointer(1, 1))
    assert len(control.take_intents()) == 1
    control.disconnected()
    control.point(pointer(2, 1))
    control.resume(0)
    assert control.take_intents() == []
    assert control.settled_revision == 5, "what is given up is not waited for"


def test_what_is_asked_waits_for_the_newest_intent_sent_and_not_acknowledged() -> None:
    control = ControlStateContext()
    control.begin(m.SceneSnapshot(1, [], {}, {}, {}, {}))
    assert control.awaited_intent == 0
    control.set_local("camera", "zoom", 2.0)
    assert control.awaited_intent == 0, "not sent yet"
    control.take_intents()
    assert control.awaited_intent == 1
    control.rejoin()
    assert control.awaited_intent == 0, "another viewer's numbers: the server would wait for ever"
