"""StreamGate: which packets the decoder may see, and when to ask for a keyframe.

Pure: every decision is a row of `TRANSITIONS`, which docs/protocol.md renders.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from napari_cuda.protocol.packet import PacketKind

_SEQ_MODULUS = 1 << 32
_FIRST_RETRY_S = 0.5  # longer than a round trip and an IDR's way on a slow link
_LONGEST_RETRY_S = 8.0


class GateState(enum.Enum):
    """What the client holds of the stream."""

    CLOSED = "closed"
    """Nothing, or a picture older than the newest one sent: only an IDR or a still helps."""
    HOLDING = "holding"
    """The newest picture sent, but not what the next access unit builds on."""
    OPEN = "open"
    """Everything: the next access unit can be decoded."""


class GateEvent(enum.Enum):
    """What happens to a stream; the last four are packets."""

    RECONNECT = "reconnect"
    LOSS = "loss"
    """Packets are missing: a gap in `seq`, a queue that overflowed, an access unit that is damaged."""
    NEW_EPOCH = "new epoch"
    """Another encoder context: the old one's pictures stay true, but nothing builds on them."""
    KEYFRAME = "keyframe"
    DELTA = "delta"
    STILL = "still"
    UNCHANGED = "unchanged"


class Verdict(enum.Enum):
    """What to do with a packet."""

    ADMIT = "admit"
    DROP = "drop"
    DROP_AND_REQUEST_KEYFRAME = "drop and request a keyframe"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: the next state, and the verdict if the event is a packet."""

    state: GateState
    verdict: Verdict | None = None


_ADMIT_OPEN = Transition(GateState.OPEN, Verdict.ADMIT)
_ADMIT_HOLDING = Transition(GateState.HOLDING, Verdict.ADMIT)
_REFUSE = Transition(GateState.CLOSED, Verdict.DROP_AND_REQUEST_KEYFRAME)
_CLOSE = Transition(GateState.CLOSED)
_HOLD = Transition(GateState.HOLDING)

TRANSITIONS: Mapping[tuple[GateState, GateEvent], Transition] = MappingProxyType(
    {
        (GateState.CLOSED, GateEvent.RECONNECT): _CLOSE,
        (GateState.CLOSED, GateEvent.LOSS): _CLOSE,
        (GateState.CLOSED, GateEvent.NEW_EPOCH): _CLOSE,
        (GateState.CLOSED, GateEvent.KEYFRAME): _ADMIT_OPEN,
        (GateState.CLOSED, GateEvent.DELTA): _REFUSE,
        (GateState.CLOSED, GateEvent.STILL): _ADMIT_HOLDING,
        # "What you have is also revision N" would be untrue: the client does not have it.
        (GateState.CLOSED, GateEvent.UNCHANGED): _REFUSE,
        (GateState.HOLDING, GateEvent.RECONNECT): _CLOSE,
        (GateState.HOLDING, GateEvent.LOSS): _CLOSE,
        (GateState.HOLDING, GateEvent.NEW_EPOCH): _HOLD,
        (GateState.HOLDING, GateEvent.KEYFRAME): _ADMIT_OPEN,
        (GateState.HOLDING, GateEvent.DELTA): _REFUSE,
        (GateState.HOLDING, GateEvent.STILL): _ADMIT_HOLDING,
        (GateState.HOLDING, GateEvent.UNCHANGED): _ADMIT_HOLDING,
        (GateState.OPEN, GateEvent.RECONNECT): _CLOSE,
        (GateState.OPEN, GateEvent.LOSS): _CLOSE,
        (GateState.OPEN, GateEvent.NEW_EPOCH): _HOLD,
        (GateState.OPEN, GateEvent.KEYFRAME): _ADMIT_OPEN,
        (GateState.OPEN, GateEvent.DELTA): _ADMIT_OPEN,
        (GateState.OPEN, GateEvent.STILL): _ADMIT_OPEN,
        (GateState.OPEN, GateEvent.UNCHANGED): _ADMIT_OPEN,
    }
)


def packet_event(kind: PacketKind, *, keyframe: bool) -> GateEvent:
    """Return the event that the arrival of such a packet is."""
    if kind is PacketKind.STILL:
        return GateEvent.STILL
    if kind is PacketKind.UNCHANGED:
        return GateEvent.UNCHANGED
    return GateEvent.KEYFRAME if keyframe else GateEvent.DELTA


def seq_distance(seq: int, reference: int) -> int:
    """Return how far `seq` is ahead of `reference` (negative: behind), counting modulo 2^32."""
    half = _SEQ_MODULUS // 2
    return (seq - reference + half) % _SEQ_MODULUS - half


class KeyframeRequests:
    """Lets one request through per incident, and again at growing intervals while it stays unanswered."""

    def __init__(self) -> None:
        self._again_s: float | None = None
        self._retry_s = _FIRST_RETRY_S

    def due(self, now_s: float) -> bool:
        """Return True if a keyframe should be requested now; counts as having been requested."""
        if self._again_s is not None and now_s < self._again_s:
            return False
        self._again_s = now_s + self._retry_s
        self._retry_s = min(2 * self._retry_s, _LONGEST_RETRY_S)
        return True

    def answered(self) -> None:
        """A keyframe arrived: the next incident may ask at once."""
        self._again_s = None
        self._retry_s = _FIRST_RETRY_S


class StreamGate:
    """Guards one connection's stream. Owner: pixel receiver thread.

    Closed until the first keyframe, and again after a gap in `seq`: an access unit whose
    predecessor is missing decodes without an error, into a wrong picture.
    """

    def __init__(self) -> None:
        self._state = GateState.CLOSED
        self._next_seq: int | None = None
        self._epoch: int | None = None
        self._requests = KeyframeRequests()

    @property
    def state(self) -> GateState:
        """What the client holds of the stream."""
        return self._state

    def admit(self, seq: int, *, epoch: int, keyframe: bool, kind: PacketKind, now_s: float) -> Verdict:
        """Return what to do with a packet; to be called once for each, in the order of arrival.

        `now_s` is any clock that only runs forward. A packet of an older epoch, or one that arrives
        twice or late, is dropped and changes nothing else.
        """
        if self._next_seq is not None:
            ahead = seq_distance(seq, self._next_seq)
            if ahead < 0:
                return Verdict.DROP
            if ahead > 0:
                self._step(GateEvent.LOSS)
        self._next_seq = seq + 1
        if self._epoch is None or epoch > self._epoch:
            self._epoch = epoch
            self._step(GateEvent.NEW_EPOCH)
        elif epoch < self._epoch:
            return Verdict.DROP
        event = packet_event(kind, keyframe=keyframe)
        verdict = self._step(event).verdict
        if event is GateEvent.KEYFRAME:
            self._requests.answered()
        if verdict is Verdict.DROP_AND_REQUEST_KEYFRAME and not self._requests.due(now_s):
            return Verdict.DROP
        return verdict or Verdict.DROP

    def on_reconnect(self) -> None:
        """A new connection begins: its packets and epochs count from anew."""
        self._step(GateEvent.RECONNECT)
        self._next_seq = None
        self._epoch = None
        self._requests.answered()

    def _step(self, event: GateEvent) -> Transition:
        transition = TRANSITIONS[self._state, event]
        self._state = transition.state
        return transition
