"""The session, sans I/O: text in, events and text out; no socket, no clock, no thread.

Both sides drive it the same way: `receive_data(text, now_s)` with what arrived, `tick(now_s)`
when time passed, then `events_received()` and `data_to_send()`. `closed` tells when the
socket must go. `now_s` is any monotonic clock.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import ProtocolError

PING_INTERVAL_S = 2.0
SERVER_SILENCE_S = 8.0
"""Four pings without an answer: the client opens another connection, which costs it little."""
CLIENT_SILENCE_S = 30.0
"""The server can wait: a client that comes back takes the place of its old connection anyway."""
HELLO_TIMEOUT_S = 10.0
ACK_TIMEOUT_S = 15.0
"""Longer than SERVER_SILENCE_S: what is lost with a dead link is sent again and not given up."""
LATE_S = 1.0
"""A tick that comes so late shows that it is we who did not run."""
MAX_PROTOCOL_ERRORS = 16
"""A peer that keeps sending nonsense after the handshake is sent away."""


class SessionState(enum.Enum):
    """Where a session stands."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSED = "closed"


TRANSITIONS: dict[tuple[SessionState, str], SessionState] = {
    (SessionState.HANDSHAKE, "accepted"): SessionState.OPEN,
    (SessionState.HANDSHAKE, "refused"): SessionState.CLOSED,
    (SessionState.HANDSHAKE, "peer lost"): SessionState.CLOSED,
    (SessionState.HANDSHAKE, "goodbye"): SessionState.CLOSED,
    (SessionState.OPEN, "goodbye"): SessionState.CLOSED,
    (SessionState.OPEN, "refused"): SessionState.CLOSED,
    (SessionState.OPEN, "peer lost"): SessionState.CLOSED,
}
"""(state, what happened) → next state; anything else is an error in our own code."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No ack comes for these intents; the peer still answers pings."""

    intents: tuple[int, ...]
    reason: str = "the server did not answer in time"


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A ping came back after `rtt_s` seconds."""

    rtt_s: float


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The session is over. `code` names why, `message` is one line for the user."""

    code: str
    message: str


SessionEvent = m.ServerMessage | m.ClientMessage | Unanswered | RoundTrip | SessionClosed


class _Session:
    """What client and server have in common: pings, liveness, state, queues."""

    def __init__(self, now_s: float, longest_silence_s: float) -> None:
        self.state = SessionState.HANDSHAKE
        self._longest_silence_s = longest_silence_s
        self._events: list[SessionEvent] = []
        self._outgoing: list[str] = []
        self._heard_s = now_s
        self._next_ping_s = now_s + PING_INTERVAL_S
        self._pings: dict[int, float] = {}
        self._ping_token = 0
        self._tick_due_s = self.next_tick_s()

    @property
    def closed(self) -> bool:
        """True once the socket must be closed."""
        return self.state is SessionState.CLOSED

    def events_received(self) -> list[SessionEvent]:
        """Return and forget what happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> list[str]:
        """Return and forget the texts to send, oldest first."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def say_goodbye(self, reason: str) -> None:
        """End the session on purpose."""
        if not self.closed:
            self._send(m.Goodbye(reason))
            self._move("goodbye")

    def next_tick_s(self) -> float:
        """When `tick` must be called at the latest."""
        return min(self._next_ping_s, self._heard_s + self._longest_silence_s)

    def tick(self, now_s: float) -> None:
        """Send a ping when one is due; close the session if the peer fell silent."""
        if self.closed:
            return
        late_s = now_s - self._tick_due_s
        if late_s > LATE_S:
            self._forgive(late_s, now_s)
        self._ping_or_close(now_s)
        self._tick_due_s = self.next_tick_s()

    def _forgive(self, late_s: float, now_s: float) -> None:
        """A busy interpreter, a stopped process: what the peer said meanwhile was not read yet."""
        self._heard_s = min(now_s, self._heard_s + late_s)

    def _ping_or_close(self, now_s: float) -> None:
        if now_s - self._heard_s >= self._longest_silence_s:
            silence_s = self._longest_silence_s
            self._close("peer lost", "session.silent", f"nothing heard from the peer for {silence_s:.0f} s")
            return
        if now_s >= self._next_ping_s:
            self._next_ping_s = now_s + PING_INTERVAL_S
            self._ping_token += 1
            self._pings = {self._ping_token: now_s}
            self._send(m.Ping(self._ping_token))

    def heard(self, now_s: float) -> None:
        """The peer is there: something came, or the host itself does not read at the moment."""
        self._heard_s = now_s

    def _common(self, message: object, now_s: float) -> bool:
        """Handle what both sides handle alike; True if it was such a message."""
        match message:
            case m.Ping(token):
                self._send(m.Pong(token))
            case m.Pong(token):
                sent_s = self._pings.pop(token, None)
                if sent_s is not None:
                    self._events.append(RoundTrip(now_s - sent_s))
            case m.Goodbye(reason):
                self._close("goodbye", "session.goodbye", reason)
            case _:
                return False
        return True

    def _send(self, message: m.AnyMessage) -> None:
        self._outgoing.append(m.encode(message))

    def _move(self, event: str) -> None:
        self.state = TRANSITIONS[self.state, event]

    def _close(self, event: str, code: str, message: str) -> None:
        self._move(event)
        self._events.append(SessionClosed(code, message))


class ClientSession(_Session):
    """The client's end. Sends hello at once; intents after welcome."""

    def __init__(self, hello: m.Hello, now_s: float) -> None:
        super().__init__(now_s, SERVER_SILENCE_S)
        self._unacked: dict[int, float] = {}
        self._send(hello)

    def send(self, message: m.Intent, now_s: float) -> None:
        """Queue an intent, command or input event and wait for its ack."""
        if self.state is not SessionState.OPEN:
            raise ProtocolError("intents can be sent only in an open session", code="session.not_open")
        text = m.encode(message)
        if len(text.encode()) > m.MAX_MESSAGE_BYTES:
            # The server would close the connection, and after the next one be sent the same again.
            self._events.append(
                Unanswered((message.intent,), f"more than {m.MAX_MESSAGE_BYTES >> 20} MiB in one message")
            )
            return
        self._unacked[message.intent] = now_s
        self._outgoing.append(text)

    def receive_data(self, text: str | bytes, now_s: float) -> None:
        """Take in one message of the server."""
        if self.closed:
            return
        self.heard(now_s)
        try:
            message = m.decode_server(text)
        except ProtocolError as error:
            # A newer server may send what we do not know: say so and go on.
            self._events.append(m.Error(error.code, str(error)))
            return
        if self._common(message, now_s):
            return
        if self.state is SessionState.HANDSHAKE:
            self._handshake(message)
            return
        if isinstance(message, m.Ack):
            self._unacked = {intent: sent for intent, sent in self._unacked.items() if intent > message.intent}
        elif isinstance(message, m.Busy):
            self._unacked = dict.fromkeys(self._unacked, now_s)  # it says itself why no ack comes
        self._events.append(message)

    def tick(self, now_s: float) -> None:
        """As for both sides; also report intents that were never acknowledged."""
        super().tick(now_s)
        late = tuple(intent for intent, sent_s in self._unacked.items() if now_s - sent_s >= ACK_TIMEOUT_S)
        if late and not self.closed:
            for intent in late:
                del self._unacked[intent]
            self._events.append(Unanswered(late))

    def _forgive(self, late_s: float, now_s: float) -> None:
        super()._forgive(late_s, now_s)
        self._unacked = {intent: min(now_s, sent_s + late_s) for intent, sent_s in self._unacked.items()}

    def _handshake(self, message: m.ServerMessage) -> None:
        match message:
            case m.Welcome():
                self._move("accepted")
                self._events.append(message)
            case m.Reject(code, text):
                self._close("refused", code, text)
            case _:
                self._close("refused", "protocol.order", f"server sent {type(message).__name__} before its welcome")


class ServerSession(_Session):
    """The server's end. After `m.Hello` arrives the host calls `accept` or `reject`."""

    def __init__(self, now_s: float) -> None:
        self._hello_due_s = now_s + HELLO_TIMEOUT_S
        self._errors = 0
        super().__init__(now_s, CLIENT_SILENCE_S)

    def next_tick_s(self) -> float:
        """As for both sides; also when the hello is overdue."""
        due_s = super().next_tick_s()
        return min(due_s, self._hello_due_s) if self.state is SessionState.HANDSHAKE else due_s

    def tick(self, now_s: float) -> None:
        """As for both sides; also send away who does not say hello."""
        if self.state is SessionState.HANDSHAKE and now_s >= self._hello_due_s:
            self.reject("protocol.slow", f"no session.hello within {HELLO_TIMEOUT_S:.0f} s")
        super().tick(now_s)

    def accept(self, welcome: m.Welcome) -> None:
        """Answer the hello: the session is open."""
        self._move("accepted")
        self._send(welcome)

    def reject(self, code: str, text: str) -> None:
        """Refuse the client with one line that says what was wrong."""
        self._send(m.Reject(code, text))
        self._close("refused", code, text)

    def send(self, message: m.ServerMessage) -> None:
        """Queue a message for the client; dropped before the welcome and after the end."""
        if self.state is SessionState.OPEN:
            self._send(message)

    def receive_data(self, text: str | bytes, now_s: float) -> None:
        """Take in one message of the client; malformed ones are answered, not fatal."""
        if self.closed:
            return
        self.heard(now_s)
        try:
            message = m.decode_client(text)
        except ProtocolError as error:
            self._refuse_message(error)
            return
        if self._common(message, now_s):
            return
        if isinstance(message, m.Hello):
            self._hello(message)
        elif self.state is SessionState.HANDSHAKE:
            self.reject("protocol.order", f"expected session.hello first, got {type(message).__name__}")
        else:
            self._events.append(message)

    def _hello(self, hello: m.Hello) -> None:
        if self.state is SessionState.OPEN:
            self._refuse_message(ProtocolError("session.hello was sent twice", code="protocol.order"))
        elif m.PROTOCOL_VERSION not in hello.versions:
            self.reject(
                "protocol.version",
                f"client speaks protocol versions {hello.versions}, this server {m.PROTOCOL_VERSION}: "
                "install the same napari-cuda on both sides",
            )
        else:
            self._events.append(hello)

    def _refuse_message(self, error: ProtocolError) -> None:
        self._errors += 1
        if self.state is SessionState.HANDSHAKE:
            self.reject(error.code, str(error))
        elif self._errors > MAX_PROTOCOL_ERRORS:
            self._send(m.Goodbye("too many malformed messages"))
            self._close("refused", "protocol.flood", "too many malformed messages")
        else:
            self._send(m.Error(error.code, str(error)))
