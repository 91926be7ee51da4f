from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.property import Scope
from napari_cuda.server.scene.authority import MOST_REMOVED, Observation, SceneAuthority
from replica import SCOPES, Replica, layer, scene


def test_begins_empty() -> None:
    authority = SceneAuthority()
    assert authority.snapshot() == m.SceneSnapshot(0, [], {}, {}, {}, {})
    assert authority.commit(Observation()) == []
    assert authority.revision == 0


def test_what_did_not_change_is_no_revision() -> None:
    authority = SceneAuthority()
    seen = Observation({"L1": layer("L1", opacity=1)}, frozenset({"L1"}), scene("L1") | {Scope.DIMS: {"ndim": 2}})
    assert len(authority.commit(seen)) == 2
    assert authority.revision == 1
    assert authority.commit(seen) == []
    assert authority.revision == 1


def test_one_look_is_one_revision_layers_first() -> None:
    authority = SceneAuthority()
    first = Observation({"L1": layer("L1", opacity=1.0)}, frozenset({"L1"}), scene("L1"))
    authority.commit(first)
    seen = Observation(
        {"L2": layer("L2"), "L1": layer("L1", opacity=0.5)},
        frozenset({"L1", "L2"}),
        scene("L1", "L2") | {Scope.VIEW: {"ndisplay": 3}, Scope.CAMERA: {"zoom": 2.0}, Scope.DIMS: {"ndim": 3}},
    )
    assert authority.commit(seen) == [
        m.SceneUpdate(2, [layer("L2")], [], {"order": ["L1", "L2"]}),
        m.LayerUpdate(2, "L1", {"opacity": 0.5}),
        m.DimsUpdate(2, {"ndim": 3}),
        m.CameraUpdate(2, {"zoom": 2.0}),
        m.ViewUpdate(2, {"ndisplay": 3}),
    ]


def test_only_what_changed_travels() -> None:
    authority = SceneAuthority()
    authority.commit(Observation(scopes={Scope.CAMERA: {"zoom": 1.0, "center": [0, 0, 0]}}))
    assert authority.commit(Observation(scopes={Scope.CAMERA: {"zoom": 1.0, "center": [0, 1, 0]}})) == [
        m.CameraUpdate(2, {"center": [0, 1, 0]})
    ]


def test_a_change_of_geometry_travels_with_its_spec() -> None:
    authority = SceneAuthority()
    authority.commit(Observation({"L1": layer("L1", gamma=1.0)}, frozenset({"L1"}), scene("L1")))
    grown = layer("L1", shape=(4, 9), gamma=1.0)
    assert authority.commit(Observation({"L1": grown})) == [m.LayerUpdate(2, "L1", {}, grown.spec)]


def test_a_removed_layer_is_announced_once_and_may_come_back() -> None:
    authority = SceneAuthority()
    authority.commit(Observation({"L1": layer("L1")}, frozenset({"L1"}), scene("L1")))
    gone = Observation(present=frozenset(), scopes=scene())
    assert authority.commit(gone) == [m.SceneUpdate(2, [], ["L1"], {"order": []})]
    assert authority.commit(gone) == []
    again = Observation({"L1": layer("L1")}, frozenset({"L1"}), scene("L1"))
    assert authority.commit(again) == [m.SceneUpdate(3, [layer("L1")], [], {"order": ["L1"]})]


def test_a_snapshot_lists_layers_in_the_scene_s_order() -> None:
    authority = SceneAuthority()
    states = {name: layer(name) for name in ("L1", "L2", "L3")}
    authority.commit(Observation(states, frozenset(states), scene("L3", "L1", "L2")))
    assert [state.spec.layer for state in authority.snapshot().layers] == ["L3", "L1", "L2"]


def test_a_snapshot_is_not_changed_by_what_follows() -> None:
    authority = SceneAuthority()
    authority.commit(Observation({"L1": layer("L1", opacity=1)}, frozenset({"L1"}), scene("L1")))
    snapshot = authority.snapshot()
    before = m.encode(snapshot)
    authority.commit(Observation({"L1": layer("L1", opacity=0)}, None, {Scope.SCENE: {"active": "L1"}}))
    assert m.encode(snapshot) == before


small = st.integers(0, 3)
layer_states = st.builds(
    lambda width, opacity, gamma: {"shape": (2, width + 1), "opacity": opacity, "gamma": gamma}, small, small, small
)
# A model state: layers in order, and the values of each scope.
worlds = st.tuples(
    st.dictionaries(st.sampled_from(["L1", "L2", "L3", "L4"]), layer_states, max_size=4),
    st.fixed_dictionaries({scope: st.fixed_dictionaries({"a": small, "b": small}) for scope in SCOPES[1:]}),
)


@given(st.lists(worlds, min_size=1, max_size=12), st.integers(0, 11), st.randoms(use_true_random=False))
def test_deltas_replayed_from_any_snapshot_give_every_later_snapshot(
    states: list[Any], join_at: int, random: Any
) -> None:
    authority = SceneAuthority()
    clients: list[Replica] = [Replica(authority.snapshot())]
    known: dict[str, Any] = {}
    for index, (layers, scopes) in enumerate(states):
        # The host names what may have changed: all that did, and sometimes more.
        may = {name for name in layers if layers[name] != known.get(name) or random.random() < 0.5}
        present = frozenset(layers) if set(layers) != set(known) or random.random() < 0.5 else None
        seen = Observation({name: layer(name, **layers[name]) for name in may}, present, scene(*layers) | scopes)
        before = authority.revision
        deltas = authority.commit(seen)
        assert authority.revision == before + bool(deltas)
        assert {delta.revision for delta in deltas} <= {authority.revision}
        for client in clients:
            for delta in deltas:
                client.apply(m.decode_server(m.encode(delta)))  # type: ignore[arg-type]
            client.check_equals(authority.snapshot())
            assert client.revision == authority.revision
        if index == join_at:
            clients.append(Replica(authority.snapshot()))
        known = layers
    final = authority.snapshot()
    assert {state.spec.layer: state for state in final.layers} == {name: layer(name, **v) for name, v in known.items()}


@given(st.lists(worlds, min_size=1, max_size=12), st.integers(1, 12), st.integers(0, 2))
def test_a_viewer_that_comes_back_hears_what_it_missed(states: list[Any], left_at: int, heard: int) -> None:
    """It left in a revision of which it may have heard a part or all, and comes back at every later one."""
    authority = SceneAuthority()
    gone: list[Replica] = []
    for layers, scopes in states:
        seen = Observation(
            {name: layer(name, **layers[name]) for name in layers}, frozenset(layers), scene(*layers) | scopes
        )
        before = authority.snapshot()
        deltas = authority.commit(seen)
        if deltas and authority.revision == left_at:
            for part in {min(heard, len(deltas)), len(deltas)}:
                replica = Replica(before)
                for delta in deltas[:part]:
                    replica.apply(delta)
                gone.append(replica)
        for replica in gone:
            back = replica.copy()
            # Whoever left in the middle of a revision knows the one before.
            resumed = authority.since(left_at - 1)
            if left_at == 1:
                assert resumed is None, "nothing is known: a snapshot"
                continue
            assert resumed is not None
            assert len({(type(update), getattr(update, "layer", "")) for update in resumed.updates}) == len(
                resumed.updates
            ), "each thing once"
            for update in m.decode_server(m.encode(resumed)).updates:  # type: ignore[union-attr]
                back.apply_again(update)
            back.check_equals(authority.snapshot())


def test_nothing_is_told_of_revisions_that_were_not_or_are_forgotten() -> None:
    authority = SceneAuthority()
    assert authority.since(0) is None
    for number in range(MOST_REMOVED + 1):
        name = f"L{number}"
        authority.commit(Observation({name: layer(name)}, frozenset({name}), scene(name)))
    assert authority.since(authority.revision + 1) is None
    assert authority.since(0) is None
    assert authority.since(1) is not None
    authority.commit(Observation(present=frozenset(), scopes=scene()))
    assert authority.since(1) is None, "the removal in revision 2 is forgotten"
    assert authority.since(2) is not None


def test_a_viewer_that_missed_nothing_hears_nothing() -> None:
    authority = SceneAuthority()
    authority.commit(Observation(scopes={Scope.CAMERA: {"zoom": 1.0}}))
    authority.commit(Observation(scopes={Scope.DIMS: {"ndim": 3}}))
    assert authority.since(2) == m.SceneResumed(2, [])
    assert authority.since(1) == m.SceneResumed(2, [m.DimsUpdate(2, {"ndim": 3})])


@pytest.mark.parametrize("scope", SCOPES[1:])
def test_each_scope_has_its_own_delta(scope: Scope) -> None:
    authority = SceneAuthority()
    [delta] = authority.commit(Observation(scopes={scope: {"a": 1}}))
    assert type(delta).__struct_config__.tag == f"{scope}.update"


def test_edited_data_counts_a_revision_though_no_property_changed() -> None:
    authority = SceneAuthority()
    known = layer("L1", opacity=1)
    authority.commit(Observation({"L1": known}, frozenset({"L1"})))
    before = authority.revision
    deltas = authority.commit(Observation({"L1": known}, edited=frozenset({"L1"})))
    assert deltas == [m.LayerUpdate(before + 1, "L1", edited=True)]
    assert authority.commit(Observation({"L1": known})) == []
