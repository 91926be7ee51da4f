"""Channels: connections and requests of pages that come as messages, and not through a port.

A notebook's page talks to its kernel by a comm: messages of JSON with buffers, of all views of the page on one way.
Here they become to the application what a browser's WebSockets and requests are; it sees no difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message, Scope

from napari_cuda.server.net.endings import post

log = logging.getLogger(__name__)

MOST_CHANNELS = 256
"""Open at a time, with the requests that are not answered: as many as connections of a port."""

MOST_UNTAKEN = 64
"""Messages to a page that it has not taken: a comm would hold any number, a socket holds few."""

MOST_UNREAD = 4096
"""Messages of a page that a connection has not read: it stops at some hundred intents, and pages send few more."""

Tell = Callable[[Mapping[str, Any], Sequence[bytes]], None]
"""Sends the pages of a way one message with its buffers."""


class Channel:
    """One connection of a page: a WebSocket to the application. Owner: network thread."""

    def __init__(self, name: str, tell: Tell) -> None:
        self.name = name
        self._tell = tell
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._untaken = 0
        self._room = asyncio.Event()
        self._room.set()
        self._over = False
        self._refusal: tuple[int, bytes] = (403, b"")
        self._events.put_nowait({"type": "websocket.connect"})

    def heard(self, text: str) -> None:
        """The page sent something."""
        if self._events.qsize() >= MOST_UNREAD:
            self._end("the page sends more than is read")
            self.left()
        else:
            self._events.put_nowait({"type": "websocket.receive", "text": text})

    def taken(self, count: int) -> None:
        """The page has read so many messages more."""
        self._untaken = max(0, self._untaken - count)
        if self._untaken < MOST_UNTAKEN:
            self._room.set()

    def left(self) -> None:
        """The page closed it."""
        self._over = True
        self._room.set()
        self._events.put_nowait({"type": "websocket.disconnect", "code": 1005})

    async def receive(self) -> Message:
        """As the application asks for it."""
        return await self._events.get()

    async def send(self, message: Message) -> None:
        """As the application tells it. OSError, as of a socket, once the page has left."""
        kind = message["type"]
        if kind == "websocket.close":
            self._end(message.get("reason") or "", message.get("code", 1000))
        elif kind == "websocket.http.response.start":
            self._refusal = (message["status"], b"")
        elif kind == "websocket.http.response.body":
            self._refusal = (self._refusal[0], self._refusal[1] + message.get("body", b""))
            if not message.get("more_body"):
                self._end(_line_of(self._refusal[1]), 1008, final=400 <= self._refusal[0] < 500)
        elif self._over:
            raise OSError("the page has left")
        elif kind == "websocket.accept":
            self._tell({"is": "opened", "channel": self.name}, ())
        else:
            await self._send_on(message)

    async def _send_on(self, message: Message) -> None:
        await self._room.wait()
        if self._over:
            raise OSError("the page has left")
        self._untaken += 1
        if self._untaken >= MOST_UNTAKEN:
            self._room.clear()
        if (data := message.get("bytes")) is not None:
            self._tell({"is": "bytes", "channel": self.name}, (data,))
        else:
            self._tell({"is": "text", "channel": self.name, "text": message["text"]}, ())

    def _end(self, reason: str, code: int = 1011, *, final: bool = False) -> None:
        if not self._over:
            self._over = True
            self._tell({"is": "closed", "channel": self.name, "reason": reason, "code": code, "final": final}, ())


class Channels:
    """All connections and requests of one way. Owner: network thread; `receive` and `close` from any.

    What comes this way is let in with a token that is added here: who can send messages to a kernel can run anything
    in it.
    """

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop, token: str, tell: Tell) -> None:
        """`tell` is called on the network thread."""
        self._app = app
        self._loop = loop
        self._token = token
        self._tell = tell
        self._open: dict[str, Channel] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def receive(self, message: object) -> None:
        """Take a message of a page; any thread. One that is none is logged, and all goes on."""
        post(self._loop, self._receive, message)

    def close(self) -> None:
        """End all connections; any thread."""
        post(self._loop, self._end_all)

    def _receive(self, message: object) -> None:
        try:
            self._obey(message)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("a page sent what is no message (%s: %s)", type(error).__name__, error)

    def _obey(self, message: Any) -> None:
        do = message["do"]
        if do == "open":
            self._begin(Channel(str(message["channel"]), self._tell), message)
        elif do == "ask":
            self._begin_request(str(message["request"]), message)
        elif (channel := self._open.get(message["channel"])) is None:
            return  # it is closed, or that of another kernel before
        elif do == "send":
            channel.heard(str(message["text"]))
        elif do == "took":
            channel.taken(int(message["count"]))
        elif do == "close":
            channel.left()
        else:
            raise ValueError(f"unknown: {str(do)[:40]}")

    def _begin(self, channel: Channel, message: Any) -> None:
        scope = self._scope("websocket", message) | {"scheme": "ws", "subprotocols": []}
        scope["extensions"] = {"websocket.http.response": {}}
        if self._closed or len(self._tasks) >= MOST_CHANNELS or channel.name in self._open:
            facts = {"is": "closed", "channel": channel.name, "code": 1013, "final": False}
            self._tell(facts | {"reason": "the kernel's session takes no connection"}, ())
            return
        self._open[channel.name] = channel
        self._run(self._serve(channel, scope))

    async def _serve(self, channel: Channel, scope: Scope) -> None:
        try:
            await self._app(scope, channel.receive, channel.send)
        except Exception:  # the root of a connection; the others go on
            log.exception("a connection of a page failed")
        finally:
            del self._open[channel.name]
            with contextlib.suppress(OSError):
                await channel.send({"type": "websocket.close", "code": 1011, "reason": "the connection failed"})

    def _begin_request(self, name: str, message: Any) -> None:
        scope = self._scope("http", message) | {
            "scheme": "http",
            "method": str(message["method"]),
            "http_version": "1.1",
        }
        if self._closed or len(self._tasks) >= MOST_CHANNELS:
            self._tell({"is": "answer", "request": name, "status": 503}, (b"{}",))
        else:
            self._run(self._answer(name, scope))

    async def _answer(self, name: str, scope: Scope) -> None:
        status, body = 500, bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                body.extend(message.get("body", b""))

        try:
            await self._app(scope, receive, send)
        except Exception:  # as above
            log.exception("a request of a page failed")
            status = 500
        self._tell({"is": "answer", "request": name, "status": status}, (bytes(body),))

    def _scope(self, kind: str, message: Any) -> dict[str, Any]:
        path = "/" + str(message["path"]).lstrip("/")
        query = {str(name): str(value) for name, value in message.get("query", {}).items()}
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": urlencode(query).encode(),
            "headers": [(b"host", b"notebook"), (b"authorization", f"Bearer {self._token}".encode())],
            "client": ("kernel", 0),
            "server": ("kernel", 0),
        }

    def _run(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end_all(self) -> None:
        self._closed = True
        for channel in list(self._open.values()):
            channel.left()


def _line_of(body: bytes) -> str:
    """Return the one line of a refusal."""
    with contextlib.suppress(ValueError):
        answer = json.loads(body)
        if isinstance(answer, dict):
            return str(answer.get("message", ""))
    return body.decode(errors="replace")[:200]
