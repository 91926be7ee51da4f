"""ControlStateContext, case by case; every order of events is in test_control_state_model.py."""

from __future__ import annotations

import pytest

from napari_cuda.client.control.control_state import ControlStateContext, Restore, layer_object
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
    assert control.command("layer.remove", {"layer": "L9"}) == m.Command(1, "layer.remove", {"layer": "L9"})
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
    assert control.timed_out([1, 99]) == [Restore("camera", {"zoom": 1}, ("the server did not answer in time",))]
    assert control.known("camera") == {"zoom": 1}
    assert control.known("dims") == {"point": [4]}


def test_what_was_set_on_a_layer_that_is_gone_is_dropped() -> None:
    control = synced()
    control.set_local("layer:L1", "opacity", 0)
    control.forget("layer:L1")
    assert control.known("layer:L1") == {}
    assert control.take_intents() == []


def test_a_new_snapshot_replays_what_was_not_acknowledged() -> None:
    control = synced()
    control.set_local("camera", "zoom", 2)
    control.set_local("layer:L1", "opacity", 0)
    control.take_intents()
    control.begin(m.SceneSnapshot(9, [], {}, {}, {"zoom": 8}, {}))
    assert control.known("camera") == {"zoom": 2}
    assert control.take_intents() == [m.CameraIntent(3, {"zoom": 2})]
    assert control.known("layer:L1") == {}
    assert control.revision == 9


def test_known_is_a_copy() -> None:
    control = synced()
    control.known("camera")["zoom"] = 99
    assert control.known("camera") == {"zoom": 1}
