"""StateChannel: the session of this client on the state socket; StateController: its life."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.net.transport import Post, SocketThread
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.backlog import MessageBacklog
from napari_cuda.protocol.errors import ProtocolError
from napari_cuda.protocol.session import AckTimedOut, ClientSession, RoundTrip, SessionClosed, SessionEvent


@dataclass(frozen=True, slots=True)
class StateEvents:
    """Where the channel's events go; all called on the GUI thread."""

    welcomed: Callable[[m.Welcome], None]
    message: Callable[[m.ServerMessage | AckTimedOut], None]
    overflowed: Callable[[], None]
    """State was dropped because nobody took it: ask for a snapshot."""
    closed: Callable[[str], None]


class StateChannel:
    """Drives the sans-I/O session. Owner: the "state-channel" thread; `post_intents` from the GUI's."""

    def __init__(self, client: str, events: StateEvents, post: Post, metrics: ClientMetrics) -> None:
        self._metrics = metrics
        self._client = client
        self._events = events
        self._post = post
        self._session: ClientSession | None = None
        self._socket: SocketThread | None = None
        self._lock = threading.Lock()
        self._waiting: list[m.Intent] = []
        self._backlog = MessageBacklog()
        self._handing_over = False
        self._told_overflow = False

    def attach(self, socket: SocketThread) -> None:
        """Give the channel the socket it speaks through."""
        self._socket = socket

    def post_intents(self, intents: Sequence[m.Intent]) -> None:
        """Send intents, in order, as soon as the session is open."""
        with self._lock:
            self._waiting.extend(intents)
        if self._socket is not None:
            self._socket.wake()

    def say_goodbye(self) -> None:
        """Tell the server that this client leaves on purpose."""
        if self._socket is not None:
            self._socket.send(m.encode(m.Goodbye("closed by the user")))

    # --- state channel thread -----------------------------------------------------------

    def opened(self) -> None:
        """The socket is open: begin the session."""
        self._session = ClientSession(m.Hello([m.PROTOCOL_VERSION], self._client), time.monotonic())

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
            self._socket.request_close()
        return max(0.0, self._session.next_tick_s() - now_s)

    def closed(self, reason: str) -> None:
        """The socket is gone."""
        self._post(lambda: self._events.closed(reason))

    def _send_waiting(self, session: ClientSession, now_s: float) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        try:
            for intent in waiting:
                session.send(intent, now_s)
        except ProtocolError:
            with self._lock:
                self._waiting = waiting + self._waiting

    def _on_event(self, event: SessionEvent) -> None:
        match event:
            case RoundTrip(rtt_s):
                self._metrics.observe("round_trip", rtt_s)
            case SessionClosed(_, message):
                reason = message
                self._post(lambda: self._events.closed(reason))
            case m.Welcome():
                welcome = event
                self._post(lambda: self._events.welcomed(welcome))
            case AckTimedOut():
                late = event
                self._post(lambda: self._events.message(late))
            case _:
                self._queue(cast("m.ServerMessage", event))

    def _queue(self, message: m.ServerMessage) -> None:
        with self._lock:
            self._backlog.put(message)
            if self._handing_over:
                return
            self._handing_over = True
        self._post(self._hand_over)

    # --- GUI thread ---------------------------------------------------------------------

    def _hand_over(self) -> None:
        """Give the GUI thread everything that waits for it."""
        with self._lock:
            self._handing_over = False
            messages: list[m.ServerMessage] = list(iter(self._backlog.take, None))
            newly_lost = self._backlog.overflowed and not self._told_overflow
            self._told_overflow = self._backlog.overflowed
        for message in messages:
            self._events.message(message)
        if newly_lost:
            self._events.overflowed()


class StateController:
    """Starts and ends the state channel's thread. Owner: GUI thread."""

    def __init__(self, config: ClientConfig, channel: StateChannel) -> None:
        self.channel = channel
        self._socket = SocketThread("state-channel", config.state_url, config, channel)
        channel.attach(self._socket)

    def start(self) -> None:
        """Connect in the background."""
        self._socket.start()

    def request_close(self) -> None:
        """Close the socket without waiting."""
        self._socket.request_close()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Say goodbye, close the socket, end the thread."""
        self.channel.say_goodbye()
        return self._socket.stop(deadline_s)
