"""How a socket's tasks end together, and how a socket is closed without waiting for its peer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

log = logging.getLogger(__name__)

CLOSING_S = 2.0
"""A peer that stopped reading blocks even the close: after this the connection is dropped."""


def post(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    """Run `call` on the loop's thread; nothing happens if the loop is closed, or closes just now."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *arguments)


async def run_until_first_ends(name: str, *parts: Coroutine[Any, Any, None]) -> None:
    """Run the parts of a socket together; when one ends, end the others, and log what failed."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                log.error("%s failed", name, exc_info=result)


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close a socket, telling the reason if the peer still reads."""
    try:
        await asyncio.wait_for(socket.close(code, reason[:120]), CLOSING_S)
    except (TimeoutError, WebSocketDisconnect, RuntimeError):
        log.debug("a socket was gone, or not read, when it was closed: %s", reason)
