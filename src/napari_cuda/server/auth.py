"""Who may connect: token and origin. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is turned away: an HTTP status and one line for the user."""

    status: int
    code: str
    message: str


def check_token(expected: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Refused | None:
    """Return None if the request carries the token, in `Authorization: Bearer` or `?token=`."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    given = credentials.strip() if scheme.lower() == "bearer" else query.get("token", "")
    if not given:
        return Refused(401, "auth.missing", "no token: connect with the URL that `napari-cuda serve` printed")
    # Constant time, so that a wrong token does not tell how much of it was right.
    if not hmac.compare_digest(given.encode(), expected.encode()):
        return Refused(401, "auth.wrong_token", "wrong token: it changes with every start of the server")
    return None


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
