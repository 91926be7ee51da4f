"""Who may connect, and to do what: token and origin. Pure."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from napari_cuda.protocol.messages import Role
from napari_cuda.protocol.roles import VIEW_ONLY

VIEW_PATHS = frozenset({"/", "/page.json", "/ws/state", "/ws/pixels", "/metrics"})
"""What the token for viewing opens. A path that is not here, a new one too, is for those who control."""


WRONG_TOKEN = (
    "wrong token: it changes when the server is started anew. Connect with the address that `napari-cuda serve` "
    "printed last"
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is turned away: an HTTP status and one line for the user."""

    status: int
    code: str
    message: str


def role_of(tokens: Mapping[Role, str], headers: Mapping[str, str], query: Mapping[str, str]) -> Role | Refused:
    """Return whose token the request carries, in `Authorization: Bearer`, `?token=`, or the cookie of our own page."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    given = credentials.strip() if scheme.lower() == "bearer" else query.get("token", "") or _in_cookie(headers)
    if not given:
        return Refused(401, "auth.missing", "no token: connect with the URL that `napari-cuda serve` printed")
    # Constant time, and all of them: a wrong token does not tell how much of it, or which, was nearly right.
    found = [role for role, token in tokens.items() if hmac.compare_digest(given.encode(), token.encode())]
    if not found:
        return Refused(401, "auth.wrong_token", WRONG_TOKEN)
    return found[0]


def cookie_name(headers: Mapping[str, str]) -> str:
    """Return the name of the cookie that has the token: by port, for browsers keep cookies by host only."""
    port = re.search(r":(\d+)$", headers.get("host", ""))
    return f"napari-cuda-{port.group(1) if port else 'token'}"


def cookie_value(token: str) -> str:
    """Return a token as a cookie can hold it."""
    return quote(token, safe="")


def _in_cookie(headers: Mapping[str, str]) -> str:
    """Return the token that a browser shows by itself; "" if another page had it do so."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return ""  # another port of this host is "the same site" to SameSite=Strict
    # By hand: one odd cookie of another server on this host must not hide ours.
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((unquote(value) for name, _, value in pairs if name == cookie_name(headers)), "")


def check_path(role: Role, path: str) -> Refused | None:
    """Return None if a connection of this role may ask for a path."""
    if role == "control" or path in VIEW_PATHS:
        return None
    return Refused(403, "auth.view_only", VIEW_ONLY)


def check_origin(headers: Mapping[str, str], allowed: Iterable[str]) -> Refused | None:
    """Return None if the request comes from no page, our own page, or an allowed origin."""
    origin = headers.get("origin")
    if origin is None or origin in allowed:
        return None
    try:
        place = urlsplit(origin).netloc
    except ValueError:  # not even an address
        place = ""
    if place and place == headers.get("host"):
        return None
    return Refused(403, "auth.foreign_origin", f"pages from {origin[:200]} may not connect to this server")
