"""HttpLine: requests to the server over one connection that is kept. Any thread, one at a time."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from napari_cuda.client.config import ClientConfig
from napari_cuda.protocol.errors import ConnectError

CONNECT_S = 20.0
"""Also for an answer that the server need not work for."""

ALIVE_EVERY_S = 10
"""The kernel asks a peer that says nothing whether it is there: work on the server may take as long as it takes."""

PACK_BELOW_BYTES_PER_S = 40e6
"""On a way that carries more, packing takes longer than it saves."""


class Pace:
    """What the way to the server carried last, and so whether bytes are worth packing. Any thread."""

    def __init__(self) -> None:
        self._bytes_per_s = 0.0

    @property
    def packs(self) -> bool:
        """Whether packing is worth it, if it makes them smaller; True as long as nothing is known."""
        return self._bytes_per_s < PACK_BELOW_BYTES_PER_S

    def learn(self, size_bytes: int, took_s: float) -> None:
        """So many bytes took so long."""
        if size_bytes > 1 << 16:  # else it is the way's length that is measured
            self._bytes_per_s = size_bytes / max(took_s, 1e-9)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpLine:
    """One connection, opened when it is needed and again when it was closed meanwhile."""

    def __init__(self, config: ClientConfig) -> None:
        parts = urlsplit(config.base)
        self._tls = parts.scheme == "wss"
        self._address = (parts.hostname or "", parts.port)
        self._prefix = parts.path
        self._token = config.token
        self._connection: http.client.HTTPConnection | None = None
        self._ended = False

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | memoryview | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        answer_s: float | None = CONNECT_S,
    ) -> Answer:
        """Return the answer to a request; ConnectError if none comes, within `answer_s` of silence (None: for ever).

        A request may reach the server twice: over a connection that it has just closed, it is sent again.
        """
        used = self._connection is not None
        try:
            return self._ask(method, target, body, headers or {}, answer_s)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not used or self._ended or isinstance(error, TimeoutError):
                raise ConnectError(f"the server does not answer: {error}") from None
        except BaseException:  # an interrupt: half an answer is in the way of the next
            self.close()
            raise
        return self.ask(method, target, body, headers, answer_s=answer_s)

    def end(self) -> None:
        """Close the connection for good, from any thread: what asks, or would, gets a ConnectError at once."""
        self._ended = True
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another. From any thread it also ends the present request."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _ask(
        self, method: str, target: str, body: bytes | memoryview | None, more: Mapping[str, str], answer_s: float | None
    ) -> Answer:
        if self._connection is None:
            self._open()
        connection = self._connection
        if self._ended or connection is None:
            raise ConnectionAbortedError("it was given up")
        headers = {"Authorization": f"Bearer {self._token}", "Accept-Encoding": "identity", **more}
        connection.request(method, self._prefix + target, body, headers)
        connection.sock.settimeout(answer_s)
        response = connection.getresponse()
        answer = Answer(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        )
        if connection.sock is not None:  # None: the server closes after this answer
            connection.sock.settimeout(CONNECT_S)
        if response.will_close:
            self.close()
        return answer

    def _open(self) -> None:
        connection: http.client.HTTPConnection
        if self._tls:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(*self._address, timeout=CONNECT_S, context=context)
        else:
            connection = http.client.HTTPConnection(*self._address, timeout=CONNECT_S)
        connection.connect()
        keep_alive(connection.sock)
        self._connection = connection


def keep_alive(connected: socket.socket) -> None:
    """Have the kernel notice that the peer is gone, though nothing is sent."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL"):  # macOS calls the first by the second name
        option = getattr(socket, name, None)
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, ALIVE_EVERY_S)
