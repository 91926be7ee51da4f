"""The HTTP application: routes, and the one refusal path before any of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from napari_cuda.protocol.messages import Role
from napari_cuda.protocol.packet import Coding
from napari_cuda.server import auth
from napari_cuda.server.config import ServerConfig
from napari_cuda.server.net.data import DataHost, data_routes
from napari_cuda.server.net.files import FileHost, file_routes
from napari_cuda.server.net.page import ASSETS, PAGE_PATH, page_routes, refused_page
from napari_cuda.server.net.pixel_socket import PixelSocket, StreamDoor
from napari_cuda.server.net.state_socket import SessionHost, StateSocket

CODINGS: Mapping[str, Coding] = MappingProxyType({"h264": "h264", "h264-limited": "h264-limited", "jpeg": "jpeg"})
"""What a viewer may ask for."""

OPEN_PATHS = frozenset({"/healthz", *ASSETS})
"""Everything else needs the token."""


class Metrics(Protocol):
    """The server's counters."""

    def watch(self, queue: str, length: Callable[[], float]) -> None:
        """Report the length of a queue."""

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""


@dataclass(frozen=True, slots=True)
class HttpHost:
    """What the routes need of the server around them."""

    config: ServerConfig
    session: SessionHost
    door: StreamDoor
    show: Callable[[], None]
    metrics: Metrics
    files: FileHost
    interrupt: Callable[[], str]
    """Interrupts what keeps the render thread; returns why that cannot be."""
    data: DataHost


def build(host: HttpHost) -> ASGIApp:
    """Return the ASGI application of a server."""
    pixel_sockets: set[PixelSocket] = set()
    viewers = host.session.viewers
    host.metrics.watch("pixel_packets", lambda: sum(socket.waiting for socket in pixel_sockets))
    host.metrics.watch("state_messages", lambda: viewers.messages_waiting)
    host.metrics.watch("unacked_intents", lambda: viewers.intents_unacked)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok", "session": host.session.session, "viewers": len(viewers)})

    async def metrics(_request: Request) -> Response:
        return Response(host.metrics.exposition(), media_type="text/plain; version=0.0.4")

    async def interrupt(_request: Request) -> Response:
        # A route of its own: a state socket may not be read while the render thread is busy.
        if refused := host.interrupt():
            return _refusal(auth.Refused(409, "interrupt.refused", refused))
        return JSONResponse({})

    async def state(socket: WebSocket) -> None:
        await socket.accept()
        await StateSocket(socket, host.session, socket.state.role).run()

    async def pixel_socket(socket: WebSocket) -> None:
        viewer = viewers.get(socket.query_params.get("viewer", ""))
        if viewer is None:
            refused = auth.Refused(404, "pixels.no_viewer", "no such viewer: open /ws/state first and pass its viewer")
            await socket.send_denial_response(_refusal(refused))
            return
        asked = socket.query_params
        if (coding := CODINGS.get(asked.get("coding", "h264"))) is None:
            refused = auth.Refused(400, "pixels.coding", f"pictures are coded as one of: {', '.join(CODINGS)}")
            await socket.send_denial_response(_refusal(refused))
            return
        await socket.accept()
        overlays, full_color = asked.get("overlays") == "1", asked.get("color") == "full"
        pixels = PixelSocket(socket, viewer.name, host.door, overlays=overlays, full_color=full_color, coding=coding)
        pixel_sockets.add(pixels)
        try:
            await pixels.run(host.show, viewer)
        finally:
            pixel_sockets.discard(pixels)

    routes = [
        Route("/healthz", healthz),
        Route("/metrics", metrics),
        Route("/interrupt", interrupt, methods=["POST"]),
        WebSocketRoute("/ws/state", state),
        WebSocketRoute("/ws/pixels", pixel_socket),
        *file_routes(host.files),
        *data_routes(host.data),
        *page_routes(),
    ]
    return _Gate(Starlette(routes=routes), host.config)


class _Gate:
    """Origin, token and what its role may ask for, checked before anything else sees the request."""

    def __init__(self, app: ASGIApp, config: ServerConfig) -> None:
        self._app = app
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"] not in OPEN_PATHS:
            connection = HTTPConnection(scope)
            admitted = self._admit(connection, scope["path"])
            if isinstance(admitted, auth.Refused):
                await _refuse(admitted, scope, receive, send)
                return
            connection.state.role = admitted
        await self._app(scope, receive, send)

    def _admit(self, connection: HTTPConnection, path: str) -> Role | auth.Refused:
        tokens: dict[Role, str] = {"control": self._config.token, "view": self._config.view_token}
        foreign = auth.check_origin(connection.headers, self._config.allowed_origins)
        role = foreign or auth.role_of(tokens, connection.headers, connection.query_params)
        return role if isinstance(role, auth.Refused) else auth.check_path(role, path) or role


async def _refuse(refused: auth.Refused, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(_refusal(refused))
        return
    answer = refused_page(refused) if scope["path"] == PAGE_PATH else _refusal(refused)
    respond: Callable[[Scope, Receive, Send], Awaitable[None]] = answer
    await respond(scope, receive, send)


def _refusal(refused: auth.Refused) -> Response:
    return JSONResponse({"code": refused.code, "message": refused.message}, status_code=refused.status)
