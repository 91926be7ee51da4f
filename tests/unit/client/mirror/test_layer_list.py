"""LayerListMirror: layers that come and go on either side, and what the server refuses. No Qt, no server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Points
from napari.layers.utils._link_layers import get_linked_layers

from napari_cuda.client.control.control_state import ControlStateContext
from napari_cuda.client.mirror.layer_list import LayerListMirror
from napari_cuda.client.mirror.layer_steps import LAYERS_AT_ONCE
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.layer_state import layer_spec, layer_values
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.wire_types import Wire


def state(layer_id: str, name: str) -> m.LayerState:
    layer = Image(np.zeros((4, 5), np.uint8), name=name)
    return m.LayerState(layer_spec(layer, layer_id), layer_values(layer))


class Owner:
    """A ViewerMirror without a server. `serve` shows what one says."""

    def __init__(self) -> None:
        self.viewer = ViewerModel()
        self.control = ControlStateContext()
        self.applying = False
        self.posted: list[Callable[[], None]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.said: list[str] = []
        self.list = LayerListMirror(self.viewer, self.control, self)
        states = [state(f"L{n}", name) for n, name in enumerate("abc", 1)]
        snapshot = m.SceneSnapshot(1, states, self.scene("L1", "L2", "L3"), {}, {}, {})
        self.control.begin(snapshot)
        self.serve(lambda: self.list.begin(states))

    @staticmethod
    def scene(*order: str, links: Wire = ()) -> m.Values:
        return {"order": list(order), "selection": [order[-1]], "active": order[-1], "links": list(links)}

    def serve(self, show: Callable[[], None]) -> None:
        self.applying = True
        show()
        self.applying = False

    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]

    def placing(self) -> AbstractContextManager[None]:
        return nullcontext()

    def command(self, name: str, **args: Wire) -> int:
        self.asked.append((name, args))
        return self.control.command(name, args)

    def flush(self) -> None:
        """Nobody to send to."""

    flush_soon = flush

    def notify(self, text: str) -> None:
        self.said.append(text)

    def post(self, call: Callable[[], None]) -> object:
        self.posted.append(call)
        return None


@pytest.fixture
def owner() -> Owner:
    return Owner()


def test_what_the_server_removes_and_adds(owner: Owner) -> None:
    update = m.SceneUpdate(2, [state("L4", "d")], ["L2"], owner.scene("L4", "L1", "L3"))
    owner.serve(lambda: owner.list.update(update))
    assert owner.names() == ["d", "a", "c"]
    assert owner.asked == []
    assert owner.control.take_intents() == []


def test_a_refused_removal_brings_the_layer_back_as_it_is_on_the_server(owner: Owner) -> None:
    layer = owner.viewer.layers["b"]
    owner.viewer.layers.remove("b")
    assert owner.asked == [("layer.remove", {"layer": "L2"})]
    number = owner.control.newest_intent
    owner.serve(lambda: owner.list.update_layer(m.LayerUpdate(2, "L2", {"opacity": 0.5})))
    owner.serve(lambda: owner.list.settled(range(number)))
    assert owner.names() == ["a", "c"]
    owner.serve(lambda: owner.list.settled(range(number + 1)))
    assert owner.names() == ["a", "b", "c"]
    assert owner.viewer.layers[1] is layer
    assert layer.opacity == 0.5
    layer.opacity = 0.75
    assert owner.control.known("layer:L2")["opacity"] == 0.75


def test_a_removal_that_is_carried_out_is_final(owner: Owner) -> None:
    owner.viewer.layers.remove("b")
    number = owner.control.newest_intent
    owner.serve(lambda: owner.list.update(m.SceneUpdate(2, [], ["L2"], owner.scene("L1", "L3"))))
    owner.serve(lambda: owner.list.settled(range(number + 1)))
    assert owner.names() == ["a", "c"]


def test_a_new_layer_becomes_remote_and_stays_when_the_server_has_it(owner: Owner) -> None:
    made = Points(ndim=2, name="spots", opacity=0.5)
    owner.viewer.layers.append(made)
    assert isinstance(made, RemoteLayer)
    assert [name for name, _ in owner.asked] == ["layer.create"]
    args = owner.asked[0][1]
    assert (args["index"], args["state"]["values"]["name"], args["arrays"]) == (3, "spots", [])
    made.opacity = 0.25
    told = m.LayerState(layer_spec(made, made.remote_id), layer_values(made) | {"opacity": 0.5, "blending": "opaque"})
    update = m.SceneUpdate(2, [told], [], owner.scene("L1", "L2", "L3", made.remote_id))
    owner.serve(lambda: owner.list.update(update))
    owner.serve(lambda: owner.list.settled([owner.control.newest_intent]))
    assert owner.viewer.layers[-1] is made
    assert (made.opacity, made.blending) == (0.25, "opaque"), "what was set since is the user's, all else the server's"


def test_of_two_new_layers_only_the_one_that_never_got_there_goes(owner: Owner) -> None:
    numbers = []
    for name in ("small", "too large to send"):
        owner.viewer.layers.append(Points(ndim=2, name=name))
        numbers.append(owner.control.newest_intent)
    owner.serve(lambda: owner.list.settled(numbers[1:]))
    assert owner.names() == ["a", "b", "c", "small"]


def test_a_new_layer_that_the_server_refuses_goes(owner: Owner) -> None:
    owner.viewer.layers.append(Points(ndim=2, name="spots"))
    owner.serve(lambda: owner.list.settled([owner.control.newest_intent]))
    assert owner.names() == ["a", "b", "c"]


class Senders:
    """Keeps what is to be sent."""

    def __init__(self) -> None:
        self.then: list[Callable[[str], object]] = []
        self.failed: list[Callable[[str], object]] = []
        self.arrays: list[Any] = []
        self.given_up: list[tuple[str, int]] = []
        self.known: set[int] = set()
        self.made_badly: Callable[[int, str, str], object] = lambda number, why, trace: None
        self.on_wait: Callable[[], None] = lambda: None

    def send(self, name: str, arrays: Any, then: Callable[[str], object], failed: Callable[[str], object]) -> str:
        self.arrays += arrays
        self.then.append(then)
        self.failed.append(failed)
        return f"local-{len(self.then)}"

    def watch(self, made_badly: Callable[[int, str, str], object]) -> None:
        self.made_badly = made_badly

    def is_known(self, number: int) -> bool:
        return number in self.known

    def give_up(self, job: str, number: int) -> None:
        self.given_up.append((job, number))

    def wait_for(self, done: Callable[[], bool]) -> None:
        self.on_wait()


@pytest.fixture
def senders(owner: Owner) -> Senders:
    senders = Senders()
    owner.list.use(senders)
    return senders


def large() -> Image:
    return Image(np.ones((900, 900)), name="large")


def arrives(owner: Owner, layer: Any) -> None:
    told = m.LayerState(layer_spec(layer, layer.remote_id), layer_values(layer))
    update = m.SceneUpdate(2, [told], [], owner.scene("L1", "L2", "L3", layer.remote_id))
    owner.serve(lambda: owner.list.update(update))


def test_a_layer_that_nothing_can_carry_is_taken_back(owner: Owner) -> None:
    owner.viewer.layers.append(large())
    assert owner.asked == []
    for call in owner.posted:
        call()
    assert owner.names() == ["a", "b", "c"]
    assert owner.said == ["'large' was not added: it is too large, and there is no way to send it"]


def test_a_large_layer_is_remote_at_once_and_made_when_its_data_is_there(owner: Owner, senders: Senders) -> None:
    layer: Any = large()
    pixels = layer.data
    owner.viewer.layers.append(layer)
    assert isinstance(layer, RemoteLayer) and owner.names() == ["a", "b", "c", "large"]
    assert layer.data is pixels, "until it is there, who reads it gets what is here"
    assert (owner.asked, senders.arrays[0] is pixels) == ([], True)
    assert layer.remote_id not in str(owner.control.take_intents()), "the server does not know it"
    layer.opacity = 0.5
    senders.then[0]("/sent/arrays.npy")
    ((name, args),) = owner.asked
    assert (name, args["uploaded"], args["state"]["values"]["opacity"]) == ("layer.create", "/sent/arrays.npy", 0.5)
    senders.known.add(owner.control.newest_intent)
    owner.serve(lambda: owner.list.settled(range(owner.control.newest_intent + 1)))
    layer.gamma = 1.5  # it is being made
    layer.refresh()
    assert "on its way" in owner.said[0] and len(owner.asked) == 1
    arrives(owner, layer)
    assert owner.viewer.layers[-1] is layer and layer.gamma == 1.5
    assert owner.control.known(f"layer:{layer.remote_id}")["gamma"] == 1.5
    assert not np.any(layer.data), "from now on it is the server's, of which there is none here"


@pytest.mark.parametrize("how", ["sending", "making", "refused", "another session"])
def test_a_layer_whose_data_does_not_arrive_goes(owner: Owner, senders: Senders, how: str) -> None:
    owner.viewer.layers.append(large())
    if how == "sending":
        senders.failed[0]("Sending large: the disk is full")
    elif how == "another session":
        owner.serve(lambda: owner.list.begin([state("L1", "a"), state("L2", "b"), state("L3", "c")]))
    else:
        senders.then[0]("/sent")
        number = owner.control.newest_intent
        if how == "making":
            senders.known.add(number)
            senders.made_badly(number, "napari refuses it", "")
        else:
            owner.serve(lambda: owner.list.settled(range(number + 1)))
    assert owner.names() == ["a", "b", "c"]
    assert [name for name, _ in owner.asked if name == "layer.remove"] == []


@pytest.mark.parametrize("making", [False, True])
def test_a_layer_that_is_removed_while_its_data_is_on_its_way_is_given_up(
    owner: Owner, senders: Senders, making: bool
) -> None:
    layer: Any = large()
    owner.viewer.layers.append(layer)
    if making:
        senders.then[0]("/sent")
    number = owner.control.newest_intent if making else 0
    owner.viewer.layers.remove(layer)
    assert senders.given_up == [("local-1", number)]
    assert "layer.remove" not in [name for name, _ in owner.asked]
    senders.failed[0]("")
    if making:  # it was there before
        arrives(owner, layer)
        assert owner.asked[-1] == ("layer.remove", {"layer": layer.remote_id})
    assert owner.names() == ["a", "b", "c"]


def test_a_script_that_waits_hears_why_and_one_that_is_interrupted_leaves_nothing(
    owner: Owner, senders: Senders
) -> None:
    senders.on_wait = lambda: senders.failed[-1]("Sending large: no connection")
    with pytest.raises(DataError, match="no connection"):
        owner.viewer.layers.append(large())

    def interrupt() -> None:
        raise KeyboardInterrupt

    senders.on_wait = interrupt
    with pytest.raises(KeyboardInterrupt):
        owner.viewer.layers.append(large())
    assert senders.given_up == [("local-2", 0)]
    assert owner.names() == ["a", "b", "c"]


def test_the_order_is_told_of_the_layers_that_the_server_will_have_by_then(owner: Owner) -> None:
    layers = owner.viewer.layers
    layers.move(0, 3)
    assert owner.control.known("scene")["order"] == ["L2", "L3", "L1"]
    layers.append(Points(ndim=2))
    assert owner.control.known("scene")["order"] == ["L2", "L3", "L1"], "where it comes is asked with it"
    layers.move(3, 0)
    new: Any = layers[0]
    assert owner.control.known("scene")["order"] == [new.remote_id, "L2", "L3", "L1"]
    layers.remove(layers[1])
    layers.move(0, 2)
    assert owner.control.known("scene")["order"] == ["L3", new.remote_id, "L1"]


def test_links_are_asked_for_and_shown_as_the_server_says(owner: Owner) -> None:
    a, b, c = owner.viewer.layers
    owner.viewer.layers.link_layers(["a", b], ["opacity"])
    assert owner.asked == [("layers.link", {"layers": ["L1", "L2"], "attributes": ["opacity"]})]
    assert not get_linked_layers(a)
    update = m.SceneUpdate(2, [], [], {"links": [["L1", "L2"], ["L2", "L3"]]})
    owner.serve(lambda: owner.list.update(update))
    assert [get_linked_layers(layer) for layer in (a, b, c)] == [{b}, {a, c}, {b}]
    a.opacity = 0.5
    assert b.opacity == 1.0, "the server's napari lets it follow"
    owner.viewer.layers.unlink_layers([a])
    assert owner.asked[1:] == [("layers.unlink", {"layers": ["L1"], "attributes": []})]
    owner.serve(lambda: owner.list.update(m.SceneUpdate(3, [], [], {"links": []})))
    assert not any(get_linked_layers(layer) for layer in (a, b, c))


def batches_of(owner: Owner) -> list[str]:
    batches: list[str] = []
    owner.viewer.layers.events.begin_batch.connect(lambda event: batches.append(event.type))
    owner.viewer.layers.events.end_batch.connect(lambda event: batches.append(event.type))
    return batches


def take_all(owner: Owner) -> list[int]:
    """Take the steps that are left (the last two order them and end the batch); return how many layers there were
    before each, and in the end."""
    lengths = [len(owner.viewer.layers)]
    while owner.list.steps.left:
        owner.serve(owner.list.steps.take)
        lengths.append(len(owner.viewer.layers))
    return lengths


def test_many_layers_of_a_snapshot_come_one_by_one_when_those_of_before_went_so() -> None:
    owner = Owner()
    states = [state(f"L{n}", f"layer {n}") for n in range(LAYERS_AT_ONCE)]
    order = [each.spec.layer for each in states]
    batches = batches_of(owner)
    owner.control.begin(m.SceneSnapshot(2, states, owner.scene(*order[1:], order[0]), {}, {}, {}))
    owner.serve(lambda: owner.list.begin(states))
    assert batches == ["begin_batch"], "napari's canvas looks at all layers once, in the end"
    assert take_all(owner) == [3, 2, 1, 0, *range(1, LAYERS_AT_ONCE + 1), *[LAYERS_AT_ONCE] * 2]
    assert batches == ["begin_batch", "end_batch"]
    assert owner.names() == [f"layer {n}" for n in (*range(1, len(states)), 0)], "the server's order, in the end"
    assert owner.viewer.layers.selection.active.remote_id == order[0]


def test_many_layers_that_another_client_adds_or_removes_come_and_go_one_by_one() -> None:
    owner = Owner()
    added = [state(f"N{n}", f"new {n}") for n in range(LAYERS_AT_ONCE + 1)]
    ids = [each.spec.layer for each in added]
    batches = batches_of(owner)
    owner.serve(lambda: owner.list.update(m.SceneUpdate(2, added, [], owner.scene("L1", *ids, "L2", "L3"))))
    assert take_all(owner) == [*range(3, len(ids) + 4), *[len(ids) + 3] * 2]
    assert owner.names() == ["a", *(f"new {n}" for n in range(len(ids))), "b", "c"]
    assert batches == ["begin_batch", "end_batch"]
    gone = owner.viewer.layers["new 7"]
    owner.serve(lambda: owner.list.update(m.SceneUpdate(3, [], ids, owner.scene("L1", "L3", "L2"))))
    owner.viewer.layers.remove(gone)  # by a user who is faster
    assert take_all(owner)[-1] == 3
    assert owner.names() == ["a", "c", "b"]
    assert batches == ["begin_batch", "end_batch"] * 2


def test_one_layer_dragged_past_all_others_is_moved_once() -> None:
    owner = Owner()
    moved: list[Any] = []
    owner.viewer.layers.events.moved.connect(moved.append)
    owner.serve(lambda: owner.list.update(m.SceneUpdate(2, values=owner.scene("L2", "L3", "L1"))))
    assert owner.names() == ["b", "c", "a"]
    assert len(moved) == 1


def test_a_batch_ends_though_its_last_layer_cannot_be_shown() -> None:
    owner = Owner()
    states = [state(f"L{n}", f"layer {n}") for n in range(LAYERS_AT_ONCE + 1)]
    states[-1] = m.LayerState(states[-1].spec, {})
    batches = batches_of(owner)
    owner.control.begin(m.SceneSnapshot(2, states, owner.scene("L0"), {}, {}, {}))
    owner.serve(lambda: owner.list.begin(states))
    with pytest.raises(KeyError):
        take_all(owner)
    take_all(owner)
    assert batches == ["begin_batch", "end_batch"], "else the canvas would never follow the layers again"
    assert not owner.list.steps.left
