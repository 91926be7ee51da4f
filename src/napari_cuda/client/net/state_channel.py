"""StateChannel: the session of this client on the state socket; StateController: its life."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.control.backoff import Backoff
from napari_cuda.client.control.cadence import TURN_S
from napari_cuda.client.net.transport import ConnectionLost, Ending, Post, SocketThread
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.backlog import MessageBacklog
from napari_cuda.protocol.errors import ProtocolError
from napari_cuda.protocol.session import ClientSession, RoundTrip, SessionClosed, SessionEvent


@dataclass(frozen=True, slots=True)
class StateEvents:
    """Where the channel's events go; called on the GUI thread, in the order in which things happened."""

    happened: Callable[[SessionEvent | ConnectionLost], None]
    overflowed: Callable[[], None]
    """State was dropped because nobody took it: ask for a snapshot."""
    busy: Callable[[], bool] = lambda: False
    """True while what happened next must wait; `StateChannel.go_on` ends that."""


class StateChannel:
    """Drives the sans-I/O session of each connection. Owner: the "state-channel" thread; `post_intents` from the GUI's.

    It keeps what a server needs to know a viewer that comes back: its token, and the revision
    up to which everything was handed on. What the GUI thread has not taken yet it will take, in order.
    """

    def __init__(self, client: str, events: StateEvents, post: Post, metrics: ClientMetrics) -> None:
        self._metrics = metrics
        self._client = client
        self._events = events
        self._post = post
        self._backoff = Backoff(random.Random().random)
        self._session: ClientSession | None = None
        self._socket: SocketThread | None = None
        self.opened_s = 0.0
        """When the newest connection was opened, on the client's clock."""
        self._known: m.Welcome | None = None
        """What the server said last of who we are."""
        self._open: m.Welcome | None = None
        """The same while that connection is open."""
        self._revision = 0
        self._over: SessionClosed | None = None
        """How the session of the present connection ended, if it did before the socket."""
        self._lock = threading.Lock()
        self._waiting: list[m.Intent] = []
        metrics.watch("intents_unsent", lambda: len(self._waiting))
        self._backlog: MessageBacklog[SessionEvent | ConnectionLost] = MessageBacklog()
        self._handing_over = False
        self._told_overflow = False

    def attach(self, socket: SocketThread) -> None:
        """Give the channel the socket it speaks through."""
        self._socket = socket

    def post_intents(self, intents: Sequence[m.Intent], welcome: m.Welcome) -> None:
        """Send intents, in order, on the connection that began with `welcome`; nothing happens if it is over."""
        with self._lock:
            if welcome is not self._open:
                return  # whoever hears of the next welcome sends again what the server did not take
            self._waiting.extend(intents)
        if self._socket is not None:
            self._socket.wake()

    def ask(self, query: m.Query) -> None:
        """Send a question on the present connection; with none, or if it breaks, there is no answer."""
        with self._lock:
            # A connection that closes takes this lock before the next one opens, which drops what was not sent.
            if self._open is not None and self._socket is not None:
                self._socket.send(m.encode(query))

    def say_goodbye(self) -> None:
        """Tell the server that this client leaves on purpose."""
        if self._socket is not None:
            self._socket.send(m.encode(m.Goodbye("closed by the user")))

    # --- state channel thread -----------------------------------------------------------

    def opened(self) -> None:
        """The socket is open: begin the session, or take up that of before."""
        with self._lock:
            known = self._known
            # What the backlog had to drop is missing, however new the rest is.
            revision = 0 if self._backlog.overflowed else self._revision
        hello = m.Hello([m.PROTOCOL_VERSION], self._client, known.resume_token if known else "", revision)
        self.opened_s = time.perf_counter()
        self._session = ClientSession(hello, time.monotonic())

    def received(self, data: str | bytes) -> None:
        """Take in a message."""
        if self._session is not None:
            self._session.receive_data(data, time.monotonic())

    def ticked(self) -> float:
        """Let the session do what is due; queue its texts; return the seconds to the next call."""
        if self._session is None or self._socket is None:
            return 1.0
        now_s = time.monotonic()
        self._session.tick(now_s)
        for event in self._session.events_received():
            self._on_event(event)
        self._send_waiting(self._session, now_s)
        for text in self._session.data_to_send():
            self._socket.send(text)
        if self._session.closed:
            self._socket.reopen()
        return max(0.0, self._session.next_tick_s() - now_s)

    def closed(self, ending: Ending) -> float | None:
        """The socket is gone; a session that the server refused, or that never began, is over."""
        session, self._session = self._session, None
        if session is not None:
            for event in session.events_received():
                self._on_event(event)
        with self._lock:
            self._open = None
            self._waiting.clear()
        over, self._over = self._over, None
        refused = ending.final or (over is not None and over.code != "session.silent")
        final = refused or self._known is None
        now_s = time.perf_counter()
        self._queue(ConnectionLost(over.message if over else ending.reason, now_s, final))
        lasted_s = 0.0 if session is None else now_s - self.opened_s
        return None if final else self._backoff.pause_s(lasted_s)

    def _send_waiting(self, session: ClientSession, now_s: float) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for intent in waiting:
            try:
                session.send(intent, now_s)
            except ProtocolError:
                return  # the session has just ended: the next connection hears of them

    def _on_event(self, event: SessionEvent) -> None:
        match event:
            case RoundTrip(rtt_s):
                self._metrics.observe("round_trip", rtt_s)
            case SessionClosed():
                self._over = event
            case _:
                if isinstance(event, m.Welcome):
                    self._welcomed(event)
                self._revision = max(self._revision, _known_after(event))
                self._queue(event)

    def _welcomed(self, welcome: m.Welcome) -> None:
        with self._lock:
            if self._known is None or self._known.viewer != welcome.viewer:
                self._revision = 0  # a snapshot comes, of another session perhaps
            self._known = self._open = welcome

    def _queue(self, event: SessionEvent | ConnectionLost) -> None:
        with self._lock:
            if isinstance(event, ConnectionLost):
                self._backlog.renew(event)  # attempts that fail while nobody listens are one loss
            else:
                self._backlog.put(event)
            if isinstance(event, m.SceneSnapshot):
                self._told_overflow = False
            if self._handing_over:
                return
            self._handing_over = True
        self._ask_for_turn()

    def _ask_for_turn(self) -> None:
        if self._post(self._hand_over) is False:
            with self._lock:
                self._handing_over = False

    # --- GUI thread ---------------------------------------------------------------------

    def _hand_over(self) -> None:
        """Give the GUI thread what waits for it; after a while the rest waits for another turn."""
        with self._lock:
            self._handing_over = False
            waiting = len(self._backlog)
        until_s = time.perf_counter() + TURN_S
        for number in range(waiting):
            if self._events.busy():
                return
            if number and time.perf_counter() >= until_s:
                self.go_on()
                return
            with self._lock:
                event = self._backlog.take()
            if event is not None:
                self._events.happened(event)
        with self._lock:
            newly_lost = self._backlog.overflowed and not self._told_overflow
            self._told_overflow = self._backlog.overflowed
        if newly_lost:
            self._events.overflowed()

    def go_on(self) -> None:
        """Give the GUI thread what waits: it is not busy any more."""
        with self._lock:
            if self._handing_over:
                return
            self._handing_over = True
        self._ask_for_turn()


def _known_after(event: SessionEvent) -> int:
    """Return the revision up to which everything is known, after a message of the scene."""
    if isinstance(event, (m.SceneSnapshot, m.SceneResumed)):
        return event.revision
    # Of its own revision more may follow. An ack proves nothing: it outlives deltas that a backlog had to drop.
    return event.revision - 1 if isinstance(event, m.Delta) else 0


class StateController:
    """Starts and ends the state channel's thread. Owner: GUI thread."""

    def __init__(self, config: ClientConfig, channel: StateChannel) -> None:
        self.channel = channel
        self._socket = SocketThread("state-channel", config.state_url, config, channel)
        channel.attach(self._socket)

    def start(self) -> None:
        """Connect in the background."""
        self._socket.start()

    def reopen(self) -> None:
        """Drop the connection and open another."""
        self._socket.reopen()

    def request_close(self) -> None:
        """Close the socket without waiting."""
        self._socket.request_close()

    def leave(self) -> None:
        """Say goodbye and close the socket, without waiting."""
        self.channel.say_goodbye()
        self.request_close()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Close the socket and end the thread."""
        return self._socket.stop(deadline_s)
