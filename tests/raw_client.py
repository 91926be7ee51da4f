"""A client that speaks the protocol by hand: it can say what ours never would."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TypeVar

from websockets.sync.client import connect

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.server_process import ServerProcess

Message = TypeVar("Message", bound=m.AnyMessage)

ANSWER_WITHIN_S = 30.0


class RawClient:
    """One state socket, its hello said. Messages that nobody asked for are skipped."""

    def __init__(self, server: ServerProcess, *, hello: bool = True, headers: Mapping[str, str] | None = None) -> None:
        self._open = ExitStack()
        self.socket = self._open.enter_context(
            connect(
                f"ws://127.0.0.1:{server.port}/ws/state",
                additional_headers={"Authorization": f"Bearer {server.token}"} | dict(headers or {}),
                compression=None,
                max_size=None,
                proxy=None,
            )
        )
        self._intents = 0
        self.viewer = ""
        if hello:
            self.send(m.Hello([m.PROTOCOL_VERSION], "a test"))
            self.viewer = self.wait_for(m.Welcome).viewer
            self.snapshot = self.wait_for(m.SceneSnapshot)

    def send(self, message: m.AnyMessage) -> None:
        """Send a well-formed message."""
        self.socket.send(m.encode(message))

    def wait_for(self, kind: type[Message]) -> Message:
        """Return the next message of a type; TimeoutError if none comes, ConnectionClosed after the end."""
        while True:
            message = m.decode_server(self.socket.recv(timeout=ANSWER_WITHIN_S))
            if isinstance(message, m.Ping):
                self.send(m.Pong(message.token))
            if isinstance(message, kind):
                return message
            assert not isinstance(message, m.Error), message.message

    def updates_before(self, kind: type[m.AnyMessage], surface: str) -> list[s.SurfaceUpdate]:
        """Return the updates of a surface that come before the next message of a type."""
        found = []
        while not isinstance(message := self.wait_for(m.AnyMessage), kind):  # type: ignore[type-var]
            if isinstance(message, s.SurfaceUpdate) and message.surface == surface:
                found.append(message)
        return found

    def next_intent(self) -> int:
        """Return the number of the next intent."""
        self._intents += 1
        return self._intents

    def refusals(self, intent: m.Intent) -> dict[str, str]:
        """Send an intent and return why what of it was refused, by name."""
        self.send(intent)
        while (ack := self.wait_for(m.Ack)).intent < intent.intent:
            pass
        return {refusal.name: refusal.reason for refusal in ack.refused}

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
