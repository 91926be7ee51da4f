"""ControlStateContext: what the server says, what the user set, and what is still in between.

The user's controls are optimistic: a set value shows at once and travels as an absolute,
idempotent intent. Until its ack, what the server says about the same property is remembered
but not shown, so that a slider never jumps back under the hand. A refusal brings the
server's value back and says why.

Intents and commands are numbered in the order of the user's doing and kept until their ack.
After a lost connection the server says up to which number it took them: what comes after is
sent again, in the same order, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.property import Scope
from napari_cuda.protocol.wire_types import Wire

LAYER_PREFIX = "layer:"

MOST_UNACKED = 64
"""Intents on their way; values set meanwhile wait and merge. A second's worth at 60 inputs/s."""


def layer_object(layer: str) -> str:
    """Return the name under which a layer's properties are kept."""
    return LAYER_PREFIX + layer


@dataclass(slots=True)
class _Pending:
    value: Wire
    intent: int | None = None
    """None until it is sent."""


@dataclass(frozen=True, slots=True)
class Restore:
    """Properties of an object that must show the server's values again, and why, if refused."""

    target: str
    values: m.Values
    reasons: tuple[str, ...] = ()


class ControlStateContext:
    """Owner: GUI thread. Pure.

    `target` is `dims`, `camera`, `view`, `scene` or `layer:<id>`.
    """

    def __init__(self) -> None:
        self.ready = False
        """False until the first snapshot, and while there is no connection: intents are gated."""
        self.revision = 0
        """Newest revision the server told."""
        self._mirror: dict[str, m.Values] = {}
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._unacked: dict[int, m.Intent] = {}
        """Numbered, oldest first. Bound: MOST_UNACKED, and what was commanded and drawn while there is no answer."""
        self._numbers = 0
        self._sent = 0
        """Newest number given to the present connection."""
        self._acked = 0
        self._acked_revision = 0
        self._foreign = False
        """The layers shown are those of another session."""
        self._scene_due = True
        """Nothing may be sent before a snapshot, however often the connection is lost until it comes."""

    # --- outwards -----------------------------------------------------------------------

    def set_local(self, target: str, name: str, value: Wire) -> bool:
        """Note that the user set a property; False if it has that value already."""
        key = (target, name)
        pending = self._pending.get(key)
        known = pending.value if pending is not None else self._mirror.get(target, {}).get(name)
        if known == value and (pending is not None or name in self._mirror.get(target, {})):
            return False
        self._pending[key] = _Pending(value)
        return True

    def command(self, name: str, args: dict[str, Wire]) -> int:
        """Note a command, after all that was set before it; return its number."""
        self._number_pending()
        number = self._next_number()
        self._unacked[number] = m.Command(number, name, args)
        return number

    def point(self, event: m.Input) -> None:
        """Note what the pointer or a key did, after all that was set before it; nothing while there is no connection.

        A move without buttons takes the place of one that was not sent yet; a drag on the canvas is sent whole.
        """
        if not self.ready:
            return  # input is never late
        self._number_pending()
        newest = self._unacked.get(self._numbers)
        merges = self._numbers > self._sent and newest is not None and _stands_for(event, newest)
        number = self._numbers if merges else self._next_number()
        self._unacked[number] = msgspec.structs.replace(event, intent=number)

    def take_intents(self) -> list[m.Intent]:
        """Return what is to be sent now, in order: one intent per object for all that was set, and the commands."""
        if not self.ready:
            return []
        if len(self._unacked) < MOST_UNACKED:
            self._number_pending()
        due = [intent for number, intent in self._unacked.items() if number > self._sent]
        self._sent = self._numbers
        return due

    def _number_pending(self) -> None:
        by_target: dict[str, m.Values] = {}
        for (target, name), pending in self._pending.items():
            if pending.intent is None:
                by_target.setdefault(target, {})[name] = pending.value
        for target, values in by_target.items():
            number = self._next_number()
            for name in values:
                self._pending[target, name].intent = number
            self._unacked[number] = _intent(number, target, values)

    # --- connections --------------------------------------------------------------------

    def disconnected(self) -> None:
        """The connection is lost: what is set from now on waits."""
        self.ready = False

    def resume(self, taken: int) -> None:
        """The server knows this viewer and took its intents up to `taken`: the others are sent again.

        If its snapshot never arrived, they wait for that. What the pointer did is not: input is never late.
        """
        self._sent = taken
        self._unacked = {
            number: intent
            for number, intent in self._unacked.items()
            if number <= taken or not isinstance(intent, m.Input)
        }
        self.ready = not self._scene_due

    def rejoin(self) -> int:
        """The server forgot this viewer, and what of its intents it took.

        Values are set again after the snapshot, which does no harm twice. Commands are dropped; returns how many.
        """
        self._scene_due = True
        for pending in self._pending.values():
            pending.intent = None
        return self._drop_unacked()

    def begin_anew(self) -> int:
        """The server is in another session: nothing that was set here concerns it. Returns how much that was."""
        self._foreign = self._scene_due = True
        self.revision = 0
        lost = len(self._pending)
        self._pending.clear()
        return lost + self._drop_unacked()

    def _drop_unacked(self) -> int:
        commands = sum(isinstance(intent, m.Command) for intent in self._unacked.values())
        self._unacked.clear()
        self._acked = self._sent = self._numbers
        return commands

    # --- inwards ------------------------------------------------------------------------

    def begin(self, snapshot: m.SceneSnapshot) -> None:
        """Take over a snapshot: the mirror starts anew, intents may flow.

        What is on its way stays so; what concerned layers that are gone is dropped.
        """
        if self._foreign:  # what was set since was set on the old session's layers
            self.begin_anew()
            self._foreign = False
        self._mirror = {
            Scope.SCENE: dict(snapshot.scene),
            Scope.DIMS: dict(snapshot.dims),
            Scope.CAMERA: dict(snapshot.camera),
            Scope.VIEW: dict(snapshot.view),
        } | {layer_object(state.spec.layer): dict(state.values) for state in snapshot.layers}
        self._pending = {key: pending for key, pending in self._pending.items() if key[0] in self._mirror}
        self.revision = self._acked_revision = snapshot.revision
        self._scene_due = False
        self.ready = True

    def mirror(self, target: str, values: m.Values, revision: int) -> m.Values:
        """Remember what the server says; return what of it to show now."""
        self.revision = max(self.revision, revision)
        self._mirror.setdefault(target, {}).update(values)
        return {name: value for name, value in values.items() if (target, name) not in self._pending}

    def forget(self, target: str) -> None:
        """Drop an object that is gone."""
        self._mirror.pop(target, None)
        self._pending = {key: pending for key, pending in self._pending.items() if key[0] != target}

    def known(self, target: str) -> m.Values:
        """Return what to show of an object: the server's values, but for what is pending."""
        values = dict(self._mirror.get(target, {}))
        for (pending_target, name), pending in self._pending.items():
            if pending_target == target:
                values[name] = pending.value
        return values

    def acked(self, ack: m.Ack) -> list[Restore]:
        """Settle the intents up to `ack.intent`; return what must show other values.

        An ack that was heard before, on a connection that is lost, changes nothing.
        """
        if ack.intent <= self._acked:
            return []
        self._acked = ack.intent
        self._unacked = {number: intent for number, intent in self._unacked.items() if number > ack.intent}
        self._acked_revision = max(self._acked_revision, ack.revision)
        reasons = {(refusal.target, refusal.name): refusal.reason for refusal in ack.refused}
        restored: dict[str, m.Values] = {}
        why: dict[str, list[str]] = {}
        for (target, name), pending in list(self._pending.items()):
            if pending.intent is None or pending.intent > ack.intent:
                continue
            del self._pending[target, name]
            reason = reasons.pop((target, name), None)
            if reason is not None:
                why.setdefault(target, []).append(reason)
            known = self._mirror.get(target, {})
            # The server may not have told of an object that was made here.
            if name in known and (reason is not None or known[name] != pending.value):
                restored.setdefault(target, {})[name] = known[name]
        restores = [Restore(target, restored.get(target, {}), tuple(why.get(target, ()))) for target in restored | why]
        # What is left are commands, and properties that were set anew meanwhile.
        return restores + [Restore("", {}, (reason,)) for (target, _), reason in reasons.items() if not target]

    def unanswered(self, intents: Iterable[int], reason: str) -> list[Restore]:
        """Give up on intents that nobody acknowledges."""
        late = set(intents)
        commanded = any(isinstance(self._unacked.get(number), m.Command) for number in late)
        self._unacked = {number: intent for number, intent in self._unacked.items() if number not in late}
        restored: dict[str, m.Values] = {}
        for (target, name), pending in list(self._pending.items()):
            if pending.intent in late:
                del self._pending[target, name]
                known = self._mirror.get(target, {})
                restored.setdefault(target, {}).update({name: known[name]} if name in known else {})
        restores = [Restore(target, values, (reason,)) for target, values in restored.items()]
        return restores or ([Restore("", {}, (reason,))] if commanded else [])

    def is_pending(self, target: str) -> bool:
        """Return whether something was set on an object and not confirmed yet."""
        return any(pending_target == target for pending_target, _ in self._pending)

    # --- synchronisation ----------------------------------------------------------------

    @property
    def begun(self) -> bool:
        """True once there was a snapshot."""
        return bool(self._mirror)

    @property
    def unacknowledged(self) -> int:
        """How many properties were set and not confirmed yet."""
        return len(self._pending)

    @property
    def newest_intent(self) -> int:
        """Number of the newest intent or command sent."""
        return self._numbers

    @property
    def awaited_intent(self) -> int:
        """Number of the newest intent that was sent and not acknowledged yet; 0 if there is none. From any thread."""
        return max((number for number in tuple(self._unacked) if number <= self._sent), default=0)

    @property
    def settled_revision(self) -> int | None:
        """Revision that includes everything set so far, or None while acks are missing."""
        if self._pending or self._unacked:
            return None
        return self._acked_revision

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers


def _stands_for(newer: m.Input, older: m.Intent) -> bool:
    """Return whether the newer of two events says all that is worth knowing."""
    if isinstance(newer, s.SurfaceIntent):
        return isinstance(older, s.SurfaceIntent) and s.merged(older, newer) is not None
    return _hovers(older) and _hovers(newer)


def _hovers(intent: m.Intent) -> bool:
    return isinstance(intent, m.InputPointer) and intent.action == "move" and not intent.buttons


def _intent(number: int, target: str, values: m.Values) -> m.PropertyIntent:
    if target.startswith(LAYER_PREFIX):
        return m.LayerIntent(number, target.removeprefix(LAYER_PREFIX), values)
    kinds: dict[str, type[m.DimsIntent | m.CameraIntent | m.ViewIntent | m.SceneIntent]] = {
        Scope.DIMS: m.DimsIntent,
        Scope.CAMERA: m.CameraIntent,
        Scope.VIEW: m.ViewIntent,
        Scope.SCENE: m.SceneIntent,
    }
    return kinds[target](number, values)
