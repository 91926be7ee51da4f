"""StreamGate: which packets the decoder may see, and when to ask for a keyframe.

Pure: every decision is a row of `TRANSITIONS`, which docs/protocol.md renders.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from napari_cuda.client.playout.loop_sync import LoopSyncState
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
    """What happens to a stream; the last five are packets."""

    RECONNECT = "reconnect"
    LOSS = "loss"
    """Packets are missing: a gap in `seq`, a queue that overflowed, an access unit that is damaged."""
    NEW_EPOCH = "new epoch"
    """Another encoder context: the old one's pictures stay true, but nothing builds on them."""
    KEYFRAME = "keyframe"
    DELTA = "delta"
    STILL_PART = "part of a still"
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
_ADMIT_CLOSED = Transition(GateState.CLOSED, Verdict.ADMIT)
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
        # It shows nothing yet; whether all the parts are there the decoder knows.
        (GateState.CLOSED, GateEvent.STILL_PART): _ADMIT_CLOSED,
        (GateState.CLOSED, GateEvent.STILL): _ADMIT_HOLDING,
        # "What you have is also revision N" would be untrue: the client does not have it.
        (GateState.CLOSED, GateEvent.UNCHANGED): _REFUSE,
        (GateState.HOLDING, GateEvent.RECONNECT): _CLOSE,
        (GateState.HOLDING, GateEvent.LOSS): _CLOSE,
        (GateState.HOLDING, GateEvent.NEW_EPOCH): _HOLD,
        (GateState.HOLDING, GateEvent.KEYFRAME): _ADMIT_OPEN,
        (GateState.HOLDING, GateEvent.DELTA): _REFUSE,
        (GateState.HOLDING, GateEvent.STILL_PART): _ADMIT_HOLDING,
        (GateState.HOLDING, GateEvent.STILL): _ADMIT_HOLDING,
        (GateState.HOLDING, GateEvent.UNCHANGED): _ADMIT_HOLDING,
        (GateState.OPEN, GateEvent.RECONNECT): _CLOSE,
        (GateState.OPEN, GateEvent.LOSS): _CLOSE,
        (GateState.OPEN, GateEvent.NEW_EPOCH): _HOLD,
        (GateState.OPEN, GateEvent.KEYFRAME): _ADMIT_OPEN,
        (GateState.OPEN, GateEvent.DELTA): _ADMIT_OPEN,
        (GateState.OPEN, GateEvent.STILL_PART): _ADMIT_OPEN,
        (GateState.OPEN, GateEvent.STILL): _ADMIT_OPEN,
        (GateState.OPEN, GateEvent.UNCHANGED): _ADMIT_OPEN,
    }
)


_OTHER_PACKETS = {
    PacketKind.STILL: GateEvent.STILL,
    PacketKind.STILL_PART: GateEvent.STILL_PART,
    PacketKind.UNCHANGED: GateEvent.UNCHANGED,
}


def packet_event(kind: PacketKind, *, keyframe: bool) -> GateEvent:
    """Return the event that the arrival of such a packet is."""
    if kind is PacketKind.ACCESS_UNIT:
        return GateEvent.KEYFRAME if keyframe else GateEvent.DELTA
    return _OTHER_PACKETS[kind]


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
    """Guards a client's stream, over all its connections. Owner: its lock.

    The receiver thread has every packet admitted; a decode thread reports what it lost. So there is
    one opinion on what can be decoded, and one back-off for requests. Closed until the first
    keyframe, and again after a loss: an access unit whose predecessor is missing decodes without an
    error, into a wrong picture. What was admitted before the loss was reported is the decoder's to
    drop: the rest of that epoch, up to a keyframe in it if there is one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = GateState.CLOSED
        self._next_seq: int | None = None
        self._server_epoch: int | None = None
        self._epoch = self._first_epoch = self._admitted_epoch = 1
        self._keyframe_seq: int | None = None
        self._requests = KeyframeRequests()
        self._sync = LoopSyncState()

    @property
    def state(self) -> GateState:
        """What the client holds of the stream."""
        return self._state

    @property
    def epoch(self) -> int:
        """The epoch of the packet admitted last, as the client counts: on and on over all connections.

        A server counts its encoder contexts, from anew for each connection. Here an epoch also ends
        where a decoder lost the thread. With this number in their headers the order (epoch, seq) is
        that of the server's drawing, and what an epoch says stands without any other. Only `admit`
        changes it: whoever admits reads the number of just that packet.
        """
        return self._admitted_epoch

    def is_current(self, epoch: int) -> bool:
        """True if an epoch (the client's) is one of the present connection: its `seq` means something there."""
        return epoch >= self._first_epoch

    def take_log_line(self) -> str | None:
        """Return what is to be logged now, once; None if there is nothing (nearly always)."""
        with self._lock:
            return self._sync.take_line()

    def admit(self, seq: int, *, epoch: int, keyframe: bool, kind: PacketKind, now_s: float) -> Verdict:
        """Return what to do with a packet; to be called once for each, in the order of arrival.

        `epoch` is the server's, `now_s` any clock that only runs forward. A packet of an older epoch,
        or one that arrives twice or late, is dropped and changes nothing else.
        """
        with self._lock:
            missing = 0 if self._next_seq is None else seq_distance(seq, self._next_seq)
            if missing < 0:
                return Verdict.DROP
            self._next_seq = seq + 1
            if missing > 0:
                self._sync.discontinuity(f"{missing} missing before packet {seq}", now_s)
                self._step(GateEvent.LOSS)
            if self._server_epoch is not None and epoch < self._server_epoch:
                return Verdict.DROP
            if epoch != self._server_epoch:
                if self._server_epoch is not None:
                    self._epoch += 1
                self._server_epoch = epoch
                self._step(GateEvent.NEW_EPOCH)
            self._admitted_epoch = self._epoch
            return self._judge(seq, packet_event(kind, keyframe=keyframe), now_s)

    def lost(self, seq: int, *, epoch: int, now_s: float) -> bool:
        """A decoder could not show packet `seq`; True if a keyframe is to be requested now.

        `epoch` is the client's (see the property). Nothing is asked for if a later keyframe was
        admitted already: the decoder goes on there. Else the gate closes, and asks again while it
        drops (`admit`) as for any other loss. The decoder logs why.
        """
        with self._lock:
            passed = self._keyframe_seq is not None and seq_distance(self._keyframe_seq, seq) > 0
            if epoch != self._epoch or passed:
                return False
            self._epoch += 1
            self._step(GateEvent.LOSS)
            return self._requests.due(now_s)

    def malformed(self, text: str, now_s: float) -> None:
        """What arrived is no packet, as `text` says; the gap that it leaves is then no news."""
        with self._lock:
            self._sync.discontinuity(text, now_s)

    def on_reconnect(self) -> None:
        """A new connection begins: its packets and the server's epochs count from anew."""
        with self._lock:
            self._step(GateEvent.RECONNECT)
            self._next_seq = None
            self._server_epoch = None
            self._epoch += 1
            self._first_epoch = self._epoch
            self._keyframe_seq = None
            self._requests.answered()

    # --- under the lock -----------------------------------------------------------------

    def _judge(self, seq: int, event: GateEvent, now_s: float) -> Verdict:
        verdict = self._step(event).verdict
        if event is GateEvent.KEYFRAME:
            self._keyframe_seq = seq
            self._requests.answered()
        if verdict is Verdict.ADMIT:
            return verdict
        return Verdict.DROP_AND_REQUEST_KEYFRAME if self._requests.due(now_s) else Verdict.DROP

    def _step(self, event: GateEvent) -> Transition:
        transition = TRANSITIONS[self._state, event]
        self._state = transition.state
        return transition
