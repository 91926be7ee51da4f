"""ControlStateContext against a model: user, server and wire in any order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from napari_cuda.client.control.control_state import ControlStateContext, layer_object
from napari_cuda.protocol import messages as m
from replica import layer

FIXED = ("camera", "dims", "view", "scene")
LAYERS = ("layer:L1", "layer:L2")
NAMES = ("a", "b")
REFUSED, CLAMPED_TO = 9, 6  # the server refuses 9 and turns 7 and 8 into 6


@dataclass
class Server:
    """A reference server: applies intents, tells deltas, then acks; the wire keeps the order."""

    state: dict[str, m.Values] = field(default_factory=dict)
    revision: int = 1
    to_client: deque[m.ServerMessage] = field(default_factory=deque)
    from_client: deque[m.Intent] = field(default_factory=deque)
    taken: int = 0
    acks: list[m.Ack] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    """Commands carried out, by their name."""
    pointed: list[m.InputPointer] = field(default_factory=list)

    def put(self, target: str, values: m.Values) -> None:
        changed = {name: value for name, value in values.items() if self.state[target].get(name) != value}
        if not changed:
            return
        self.revision += 1
        self.state[target] = self.state[target] | changed
        if target.startswith("layer:"):
            self.to_client.append(m.LayerUpdate(self.revision, target[6:], changed))
        elif target == "scene":
            self.to_client.append(m.SceneUpdate(self.revision, values=changed))
        else:
            update = {"camera": m.CameraUpdate, "dims": m.DimsUpdate, "view": m.ViewUpdate}[target]
            self.to_client.append(update(self.revision, changed))

    def apply(self, count: int) -> None:
        refused, number = [], 0
        for _ in range(min(count, len(self.from_client))):
            intent = self.from_client.popleft()
            target, number = m.target_of(intent), intent.intent
            assert number > self.taken, "taken twice"
            self.taken = number
            if isinstance(intent, m.Command):
                self.done.append(intent.name)
                continue
            if isinstance(intent, m.InputPointer):
                self.pointed.append(intent)
                continue
            if target not in self.state:
                refused.append(m.Refusal(target, "layer", "it is gone"))
                continue
            good = {name: min(v, CLAMPED_TO) for name, v in intent.values.items() if v != REFUSED}
            refused += [m.Refusal(target, name, f"no {name}") for name in intent.values if name not in good]
            self.put(target, good)
        if number:
            self.acks.append(m.Ack(number, self.revision, refused))
            self.to_client.append(self.acks[-1])

    def snapshot(self) -> m.SceneSnapshot:
        layers = [layer(target[6:], **values) for target, values in self.state.items() if target.startswith("layer:")]
        scopes = [dict(self.state[scope]) for scope in ("scene", "dims", "camera", "view")]
        return m.SceneSnapshot(self.revision, layers, *scopes)


@dataclass
class Set:
    """One set by the user that is not settled."""

    value: int
    intent: int | None = None


class Interleavings(RuleBasedStateMachine):
    """User, server and wire in any order, against what the client must know and show."""

    def __init__(self) -> None:
        super().__init__()
        self.control = ControlStateContext()
        self.server = Server()
        self.told: dict[str, m.Values] = {}  # what the server's messages said so far
        self.sets: dict[tuple[str, str], Set] = {}
        self.shown: dict[str, m.Values] = {}  # as a mirror shows it
        self.numbers: list[int] = []
        self.commands: list[str] = []
        self.places = 0
        self.drawn: list[int] = []
        """Places of a drag that the server saw or must see."""
        self.online = True

    @initialize(values=st.lists(st.integers(0, 5), min_size=12, max_size=12))
    def connect(self, values: list[int]) -> None:
        numbers = iter(values)
        self.server.state = {target: {name: next(numbers) for name in NAMES} for target in (*FIXED, *LAYERS)}
        self.take_in(self.server.snapshot())

    @rule(of=st.sampled_from((*FIXED, *LAYERS)), name=st.sampled_from(NAMES), value=st.integers(0, REFUSED))
    def user_sets(self, of: str, name: str, value: int) -> None:
        if of not in self.told:
            return
        before = self.control.known(of)[name]
        changed = self.control.set_local(of, name, value)
        assert changed == (before != value)
        if changed:
            self.sets[of, name] = Set(value)
            self.shown[of][name] = value

    @rule()
    def client_sends(self) -> None:
        sent = self.control.take_intents()
        assert self.online or not sent
        for intent in sent:
            assert intent.intent > max(self.numbers, default=0)
            self.numbers.append(intent.intent)
            if isinstance(intent, (m.Command, m.InputPointer)):
                continue
            for name, value in intent.values.items():
                entry = self.sets.get((m.target_of(intent), name))
                if entry is not None and entry.value == value:
                    entry.intent = intent.intent
        if self.online:
            assert all(entry.intent is not None for entry in self.sets.values())
        self.server.from_client.extend(sent)

    @rule()
    def user_gives_a_command(self) -> None:
        self.commands.append(f"command {len(self.commands)}")
        self.control.command(self.commands[-1], {})

    @rule(drags=st.booleans())
    def user_moves_the_pointer(self, drags: bool) -> None:
        self.places += 1
        if drags and self.control.ready:
            self.drawn.append(self.places)
        self.control.point(m.InputPointer(0, "move", [self.places, 0], [9, 9], 0, [1] if drags else []))

    @rule(of=st.sampled_from((*FIXED, *LAYERS)), name=st.sampled_from(NAMES), value=st.integers(0, 5))
    def script_sets_on_the_server(self, of: str, name: str, value: int) -> None:
        if of in self.server.state:
            self.server.put(of, {name: value})

    @rule(of=st.sampled_from(LAYERS))
    def script_removes_or_adds_a_layer(self, of: str) -> None:
        self.server.revision += 1
        name = of[6:]
        if of in self.server.state:
            del self.server.state[of]
            self.server.to_client.append(m.SceneUpdate(self.server.revision, removed=[name]))
        else:
            self.server.state[of] = {"a": 0, "b": 0}
            self.server.to_client.append(m.SceneUpdate(self.server.revision, added=[layer(name, a=0, b=0)]))

    @rule(count=st.integers(1, 4))
    def server_works(self, count: int) -> None:
        self.server.apply(count)

    @precondition(lambda self: self.online and self.server.to_client)
    @rule(count=st.integers(1, 4))
    def client_reads(self, count: int) -> None:
        for _ in range(min(count, len(self.server.to_client))):
            self.take_in(self.server.to_client.popleft())

    @rule()
    def backlog_becomes_a_snapshot(self) -> None:
        waiting = [message for message in self.server.to_client if isinstance(message, m.Ack)]
        self.server.to_client = deque([*waiting, self.server.snapshot()])

    @rule(arrived=st.integers(0, 4))
    def connection_breaks(self, arrived: int) -> None:
        """What was on the way to the client is lost, and of what went to the server all but the first."""
        self.server.apply(arrived)
        self.server.to_client.clear()
        self.server.from_client.clear()
        self.control.disconnected()
        self.online = False
        self.drawn = self.server_saw_drawn()

    @precondition(lambda self: not self.online)
    @rule()
    def connection_comes_back(self) -> None:
        self.online = True
        self.server.to_client.clear()
        self.control.resume(self.server.taken)
        self.numbers = [number for number in self.numbers if number <= self.server.taken]
        for entry in self.sets.values():
            if entry.intent is not None and entry.intent > self.server.taken:
                entry.intent = None
        # It is sent again before the scene is there.
        self.client_sends()
        self.take_in(self.server.snapshot())
        for ack in self.server.acks:
            self.take_in(ack)

    @rule()
    def everything_settles(self) -> None:
        if not self.online:
            self.connection_comes_back()
        self.client_sends()
        self.server.apply(len(self.server.from_client))
        while self.server.to_client:
            self.take_in(self.server.to_client.popleft())
        assert not self.sets
        assert self.server.done == self.commands, "each once, in order"
        assert self.server_saw_drawn() == self.drawn, "a drag arrives whole"
        places = [event.position[0] for event in self.server.pointed]
        assert places == sorted(set(places)), "in order, nothing twice"
        assert {target: self.control.known(target) for target in self.told} == self.server.state
        assert self.shown == self.server.state
        assert self.control.take_intents() == []
        assert self.control.revision == self.server.revision
        settled = self.control.settled_revision
        assert settled is None or settled <= self.server.revision

    def server_saw_drawn(self) -> list[int]:
        return [event.position[0] for event in self.server.pointed if event.buttons]

    # --- what the client is told ------------------------------------------------------------

    def take_in(self, message: m.ServerMessage) -> None:
        match message:
            case m.SceneSnapshot():
                self.begin(message)
            case m.Ack():
                self.settle(message)
            case m.SceneUpdate(revision, added, removed, values):
                for name in removed:
                    self.control.forget(layer_object(name))
                    self.told.pop(layer_object(name), None)
                    self.shown.pop(layer_object(name), None)
                    self.sets = {key: entry for key, entry in self.sets.items() if key[0] != layer_object(name)}
                for state in added:
                    self.tell(layer_object(state.spec.layer), state.values, revision)
                self.tell("scene", values, revision)
            case m.LayerUpdate(revision, name, values):
                self.tell(layer_object(name), values, revision)
            case m.DimsUpdate(revision, values):
                self.tell("dims", values, revision)
            case m.CameraUpdate(revision, values):
                self.tell("camera", values, revision)
            case m.ViewUpdate(revision, values):
                self.tell("view", values, revision)

    def tell(self, target: str, values: m.Values, revision: int) -> None:
        self.told.setdefault(target, {}).update(values)
        show = self.control.mirror(target, values, revision)
        assert show == {name: value for name, value in values.items() if (target, name) not in self.sets}
        self.shown.setdefault(target, {}).update(show)

    def begin(self, snapshot: m.SceneSnapshot) -> None:
        self.control.begin(snapshot)
        scopes = {"scene": snapshot.scene, "dims": snapshot.dims, "camera": snapshot.camera, "view": snapshot.view}
        layers = {layer_object(state.spec.layer): state.values for state in snapshot.layers}
        self.told = {target: dict(values) for target, values in (scopes | layers).items()}
        self.sets = {key: entry for key, entry in self.sets.items() if key[0] in self.told}
        self.shown = {target: self.control.known(target) for target in self.told}

    def settle(self, ack: m.Ack) -> None:
        done = {k: e for k, e in self.sets.items() if e.intent is not None and e.intent <= ack.intent}
        self.sets = {key: entry for key, entry in self.sets.items() if key not in done}
        reasons: list[str] = []
        for restore in self.control.acked(ack):
            assert restore.values or restore.reasons
            for name, value in restore.values.items():
                assert (restore.target, name) in done
                assert value == self.told[restore.target][name]
                self.shown[restore.target][name] = value
            reasons += restore.reasons
        last_word = {(r.target, r.name): r.reason for r in ack.refused if (r.target, r.name) in done}
        assert sorted(reasons) == sorted(last_word.values())

    # --- always -----------------------------------------------------------------------------

    @invariant()
    def knows_what_was_told_but_for_what_the_user_set(self) -> None:
        for target, values in self.told.items():
            pending = {name: entry.value for (of, name), entry in self.sets.items() if of == target}
            assert self.control.known(target) == values | pending

    @invariant()
    def shows_what_it_knows(self) -> None:
        assert self.shown == {target: self.control.known(target) for target in self.told}

    @invariant()
    def is_not_settled_while_something_is_pending(self) -> None:
        if self.sets:
            assert self.control.settled_revision is None

    def teardown(self) -> None:
        if self.told:
            self.everything_settles()


TestInterleavings: Any = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=150, stateful_step_count=50)
