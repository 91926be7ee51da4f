from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.backlog import MOST_WAITING, MessageBacklog
from napari_cuda.protocol.property import Scope
from napari_cuda.server.scene.authority import Observation, SceneAuthority
from replica import Replica, layer, scene

SNAPSHOT = m.SceneSnapshot(9, [], {}, {}, {}, {})


def outbox_of(*messages: m.ServerMessage) -> MessageBacklog[m.ServerMessage]:
    outbox: MessageBacklog[m.ServerMessage] = MessageBacklog()
    for message in messages:
        outbox.put(message)
    return outbox


def drain(outbox: MessageBacklog[m.ServerMessage]) -> list[m.ServerMessage]:
    return list(iter(outbox.take, None))


REFUSED = [m.Refusal("camera", "zoom", "too far")]
SPEC = layer("L1").spec
MERGES = [
    (m.CameraUpdate(1, {"zoom": 1, "x": 0}), m.CameraUpdate(2, {"zoom": 2}), m.CameraUpdate(2, {"zoom": 2, "x": 0})),
    (m.DimsUpdate(1, {"a": 1}), m.DimsUpdate(2, {"b": 2}), m.DimsUpdate(2, {"a": 1, "b": 2})),
    (m.ViewUpdate(1, {"a": 1}), m.ViewUpdate(2, {"a": 3}), m.ViewUpdate(2, {"a": 3})),
    (
        m.LayerUpdate(1, "L1", {"a": 1}, SPEC),
        m.LayerUpdate(2, "L1", {"b": 2}),
        m.LayerUpdate(2, "L1", {"a": 1, "b": 2}, SPEC),
    ),
    (m.Ack(1, 1), m.Ack(2, 5), m.Ack(2, 5)),
    (m.Ack(1, 1), m.Ack(2, 5, REFUSED), m.Ack(2, 5, REFUSED)),
]
SEPARATE = [
    (m.LayerUpdate(1, "L1", {"a": 1}), m.LayerUpdate(2, "L2", {"a": 2})),
    (m.CameraUpdate(1, {"a": 1}), m.DimsUpdate(1, {"a": 1})),
    (m.SceneUpdate(1, [], ["L1"]), m.SceneUpdate(2, [], ["L2"])),
    (m.Ack(1, 1, REFUSED), m.Ack(2, 2)),
    (m.Error("a", "b"), m.Error("a", "b")),
]


def test_is_empty_at_first() -> None:
    assert len(MessageBacklog()) == 0
    assert MessageBacklog().take() is None


@pytest.mark.parametrize(("older", "newer", "merged"), MERGES, ids=lambda value: type(value).__name__)
def test_what_updates_the_same_object_merges(older: Any, newer: Any, merged: Any) -> None:
    assert drain(outbox_of(older, newer)) == [merged]


@pytest.mark.parametrize(("older", "newer"), SEPARATE, ids=lambda value: type(value).__name__)
def test_what_does_not_stays_in_order(older: Any, newer: Any) -> None:
    assert drain(outbox_of(older, newer)) == [older, newer]


def test_nothing_overtakes() -> None:
    messages = [m.CameraUpdate(1, {"zoom": 1}), m.Ack(1, 1), m.CameraUpdate(2, {"zoom": 2}), m.Ack(2, 2)]
    assert drain(outbox_of(*messages)) == messages


def test_what_was_taken_is_not_merged_into() -> None:
    outbox = outbox_of(m.CameraUpdate(1, {"zoom": 1}))
    taken = outbox.take()
    outbox.put(m.CameraUpdate(2, {"x": 2}))
    assert taken == m.CameraUpdate(1, {"zoom": 1})
    assert drain(outbox) == [m.CameraUpdate(2, {"x": 2})]


def test_a_snapshot_replaces_waiting_state_and_nothing_else() -> None:
    error, ack = m.Error("a", "b"), m.Ack(3, 3, REFUSED)
    outbox = outbox_of(m.CameraUpdate(1, {}), error, m.LayerThumbnail("L1", 0, 0, b""), ack, SNAPSHOT)
    assert drain(outbox) == [error, ack, SNAPSHOT]


def test_past_the_bound_the_state_is_dropped_until_the_snapshot() -> None:
    outbox: MessageBacklog[m.ServerMessage] = MessageBacklog()
    ack = m.Ack(1, 1, REFUSED)
    outbox.put(ack)
    for index in range(MOST_WAITING):
        assert not outbox.overflowed
        outbox.put(m.LayerUpdate(index, f"L{index}", {"a": 1}))
    assert outbox.overflowed
    assert len(outbox) == 1
    outbox.put(m.CameraUpdate(600, {"zoom": 3}))
    outbox.put(m.Error("a", "b"))
    outbox.put(SNAPSHOT)
    outbox.put(m.CameraUpdate(601, {"zoom": 4}))
    assert not outbox.overflowed
    assert drain(outbox) == [ack, m.Error("a", "b"), SNAPSHOT, m.CameraUpdate(601, {"zoom": 4})]


def test_a_snapshot_is_not_dropped_for_the_thumbnails_of_its_own_layers() -> None:
    names = [f"L{index}" for index in range(2 * MOST_WAITING)]
    snapshot = m.SceneSnapshot(9, [layer(name) for name in names], {}, {}, {}, {})
    thumbnails = [m.LayerThumbnail(name, 0, 0, b"") for name in names]
    outbox = outbox_of(snapshot, *thumbnails)
    assert not outbox.overflowed
    assert drain(outbox) == [snapshot, *thumbnails]
    outbox.put(SNAPSHOT)
    assert outbox.limit == MOST_WAITING


def test_what_is_renewed_waits_once() -> None:
    outbox: MessageBacklog[object] = MessageBacklog()
    for error in (m.Error("a", "1"), m.Error("a", "2")):
        outbox.renew(error)
    outbox.put(m.CameraUpdate(1, {"zoom": 1}))
    outbox.renew(m.Error("a", "3"))
    waiting = list(iter(outbox.take, None))
    assert waiting == [m.Error("a", "2"), m.CameraUpdate(1, {"zoom": 1}), m.Error("a", "3")]


def test_a_viewer_that_sends_and_never_reads_costs_one_ack_and_one_snapshot() -> None:
    outbox, snapshots = MessageBacklog(), 0
    for number in range(1, 20 * MOST_WAITING):
        outbox.put(m.CameraUpdate(number, {"zoom": number}))
        outbox.put(m.Ack(number, number))
        if outbox.overflowed:
            snapshots += 1
            outbox.put(m.SceneSnapshot(number, [], {}, {}, {"zoom": number}, {}))
            assert not outbox.overflowed
    assert len(outbox) <= MOST_WAITING
    assert snapshots <= 2 * 20 * MOST_WAITING / (MOST_WAITING - 4) + 1


steps = st.tuples(
    st.sampled_from(["camera", "dims", "view", "layer", "geometry", "remove", "ack", "thumbnail"]),
    st.sampled_from(["L1", "L2", "L3"]),
    st.integers(0, 5),
    st.integers(0, 3),  # messages the viewer reads after it
)


class SlowViewer:
    """The authority, the outbox of a viewer and what the viewer made of what it read."""

    def __init__(self) -> None:
        self.authority = SceneAuthority()
        self.outbox: MessageBacklog[m.ServerMessage] = MessageBacklog()
        self.replica = Replica(self.authority.snapshot())
        self.layers: dict[str, m.LayerState] = {}
        self.acks = 0
        self.newest_ack = 0

    def happens(self, what: str, name: str, value: int) -> None:
        """Something changes on the server, or an ack or a thumbnail is due."""
        seen = Observation(present=frozenset(self.layers), scopes=scene(*self.layers))
        if what in {"camera", "dims", "view"}:
            seen.scopes[Scope(what)] = {f"p{value % 2}": value}
        elif what == "ack":
            self.acks += 1
            self.outbox.put(m.Ack(self.acks, self.authority.revision))
        elif what == "thumbnail":
            self.outbox.put(m.LayerThumbnail(name, 0, 0, b""))
        else:
            self._layer_happens(what, name, value, seen)
        for delta in self.authority.commit(seen):
            self.outbox.put(delta)

    def _layer_happens(self, what: str, name: str, value: int, seen: Observation) -> None:
        if what == "remove":
            self.layers.pop(name, None)
        else:
            known = self.layers.get(name, layer(name, p0=0, p1=0))
            shape = (2, value + 1) if what == "geometry" else tuple(known.spec.shape)
            values = known.values | {f"p{value % 2}": value}
            self.layers[name] = seen.layers[name] = layer(name, shape=shape, **values)
        seen.present = frozenset(self.layers)
        seen.scopes = scene(*self.layers)

    def reads(self, most: int) -> None:
        for _ in range(most):
            match self.outbox.take():
                case None:
                    return
                case m.LayerThumbnail():
                    pass
                case m.SceneSnapshot() as snapshot:
                    self.replica = Replica(snapshot)
                case m.Ack() as ack:
                    assert ack.intent > self.newest_ack
                    self.newest_ack = ack.intent
                case delta:
                    self.replica.apply(delta)  # type: ignore[arg-type]


@given(st.lists(steps, max_size=120), st.integers(4, 12))
def test_whatever_is_merged_or_dropped_the_viewer_ends_with_the_same_state(
    history: list[tuple[str, str, int, int]], bound: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_cuda.protocol.backlog.MOST_WAITING", bound)
        viewer = SlowViewer()
        for what, name, value, reads in history:
            viewer.happens(what, name, value)
            assert len(viewer.outbox) <= bound + 3, "its layers' thumbnails have room after a snapshot"
            if viewer.outbox.overflowed and value % 2:  # the render thread answers some time later
                viewer.outbox.put(viewer.authority.snapshot())
            viewer.reads(reads)
        if viewer.outbox.overflowed:
            viewer.outbox.put(viewer.authority.snapshot())
        viewer.reads(bound + 4)
        viewer.replica.check_equals(viewer.authority.snapshot())
        assert viewer.newest_ack == viewer.acks


def test_an_edit_is_not_forgotten_when_updates_merge() -> None:
    backlog: MessageBacklog[m.ServerMessage] = MessageBacklog()
    backlog.put(m.LayerUpdate(3, "L1", edited=True))
    backlog.put(m.LayerUpdate(4, "L1", {"opacity": 0.5}))
    assert backlog.take() == m.LayerUpdate(4, "L1", {"opacity": 0.5}, edited=True)
