"""The browser page: its files, its door, and what it is told of properties. Owner: network thread."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from napari_cuda import web
from napari_cuda.protocol.commands import COMMANDS
from napari_cuda.protocol.layer_actions import LAYER_ACTIONS
from napari_cuda.protocol.properties import TABLE
from napari_cuda.protocol.wire_schema import schema_of
from napari_cuda.server import auth

PAGE_PATH = "/"
ASSETS = {"/viewer.js": "text/javascript", "/page.js": "text/javascript", "/viewer.css": "text/css"}
"""Open to all: they are the same for everybody, and whoever has no token gets a line in the page's own looks."""

SWATCH_COLORS = 12
"""Of each colormap, for its picture in a list."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_ENTER = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=./">'
    '<link rel="icon" href="data:,"><title>napari-cuda</title></head><body><a href="./">Continue</a></body></html>'
)


def page_routes() -> list[Route]:
    """Return the routes; the gate before them asks for the token."""
    facts = page_facts()

    async def page(request: Request) -> Response:
        token = request.query_params.get("token", "")
        return enter(request, token) if token else HTMLResponse(web.asset("index.html"), headers=_HEADERS)

    async def page_json(request: Request) -> Response:
        # Where the server listens itself, whatever stands before it: for the tunnel that the page proposes.
        return JSONResponse(facts | {"port": (request.scope.get("server") or ("", 0))[1]})

    def sending(path: str) -> Callable[[Request], Response]:
        def send(_request: Request) -> Response:
            text = web.viewer_module() if path == "/viewer.js" else web.asset(path[1:])
            return Response(text, media_type=ASSETS[path], headers=_HEADERS | {"Cache-Control": "no-cache"})

        return send

    assets = [Route(path, sending(path)) for path in ASSETS]
    return [Route(PAGE_PATH, page), Route("/page.json", page_json), *assets]


def enter(connection: HTTPConnection, token: str) -> Response:
    """Keep the token in a cookie that no script reads, and have the browser go on without it in the address.

    Not by a status 303: after a link from another site a browser would not show the new, strict cookie on that way.
    A page that refreshes itself is ours, and what it goes to takes its place in the history.
    """
    response = HTMLResponse(_ENTER, headers=_HEADERS)
    response.set_cookie(
        auth.cookie_name(connection.headers),
        auth.cookie_value(token),
        httponly=True,
        samesite="strict",
        secure=connection.url.scheme in ("https", "wss"),
        # The folder of this address, behind a proxy's prefix too.
        path=None,
    )
    return response


def refused_page(refused: auth.Refused) -> Response:
    """Return the page for who may not in: one line."""
    text = web.asset("refused.html").replace("{message}", html.escape(refused.message))
    return HTMLResponse(text, status_code=refused.status, headers=_HEADERS)


def page_facts() -> dict[str, Any]:
    """Return what the page makes its controls from: the property table, the commands and the colormaps."""
    rows = [
        {"scope": str(row.scope), "name": row.name, "type": schema_of(row.wire), "writable": row.writable}
        for row in TABLE
    ]
    places = np.linspace(0, 1, SWATCH_COLORS)
    colormaps = {
        name: [[round(255 * float(part)) for part in color[:3]] for color in colormap.map(places)]
        for name, colormap in AVAILABLE_COLORMAPS.items()
    }
    looks = sorted(name for name, kind in COMMANDS.items() if kind.only_looks)
    return {
        "properties": rows,
        "colormaps": colormaps,
        "commands": sorted(COMMANDS),
        "looks": looks,
        "actions": LAYER_ACTIONS,
    }
