"""What requests carry: bodies of bounded size, numbers in addresses."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the request's body, or of one that is too long what is enough to see that; b"" if the client is gone."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > most_bytes:
                break
    except ClientDisconnect:
        return b""  # nobody reads the answer; the client asks where it stands and goes on
    return b"".join(parts)


def whole_number(text: str) -> int:
    """Return a number of an address; 0 if it is none."""
    return int(text) if text.isdecimal() and len(text) < 16 else 0
