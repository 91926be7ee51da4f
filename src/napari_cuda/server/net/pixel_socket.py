"""The pixel socket: packets out, acks in. Owner: network thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import ProtocolError
from napari_cuda.protocol.packet import Coding
from napari_cuda.server.net.endings import close, post, run_until_first_ends
from napari_cuda.server.net.viewers import Viewer

log = logging.getLogger(__name__)

AWAITED_S = 10.0
"""A viewer that comes back opens both sockets at once: so long the pixels wait for its session."""

MOST_WAITING = 96
"""Packets for a socket that nobody reads: the ack window allows 24 at most, each keyframe request as many more."""


TOLD_EVERY_S = 1.0
"""So often a viewer hears how its pictures are coded."""


class PixelStream(Protocol):
    """The viewer's stream, as the socket uses it."""

    @property
    def viewer(self) -> str:
        """Whose stream it is."""

    def stop(self) -> None:
        """End it."""

    def ack(self, ack: m.PixelAck) -> None:
        """A packet was presented."""

    def request_keyframe(self) -> None:
        """The viewer's decoder needs an IDR."""

    def quality(self) -> m.StreamQuality:
        """Return how its pictures are coded now."""


class StreamDoor(Protocol):
    """Opens and closes streams."""

    def open(
        self,
        viewer: str,
        deliver: Callable[[bytes], None],
        on_failed: Callable[[str], None],
        *,
        overlays: bool,
        full_color: bool,
        coding: Coding,
    ) -> PixelStream:
        """Start the stream of a viewer: with the overlays in its pictures or without, and in 4:4:4 if it can be."""

    def close(self, stream: PixelStream) -> None:
        """End a stream. May block for a moment: not for the event loop."""


class PixelSocket:
    """One viewer's pixel channel from accept to close.

    The queue between encoder thread and socket is bounded by the stream's ack window: the
    encoder makes no packet while the window is full.
    """

    def __init__(
        self,
        socket: WebSocket,
        viewer: str,
        door: StreamDoor,
        *,
        overlays: bool,
        full_color: bool = False,
        coding: Coding = "h264",
    ) -> None:
        self._socket = socket
        self._viewer = viewer
        self._overlays = overlays
        self._full_color = full_color
        self._coding: Coding = coding
        self._door = door
        self._packets: asyncio.Queue[bytes] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._reason = ""

    @property
    def waiting(self) -> int:
        """Packets that the socket has not taken yet."""
        return self._packets.qsize()

    async def run(self, show: Callable[[], None], viewer: Viewer) -> None:
        """Serve the socket until either side ends it, the viewer goes or opens another.

        `show` asks for the present picture.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AWAITED_S):
                await viewer.seated.wait()
        if viewer.seat is None:
            await close(self._socket, 1008, "the viewer's session is not open")
            return
        over = viewer.seat.take_pixels()
        loop = asyncio.get_running_loop()

        def deliver(packet: bytes) -> None:
            post(loop, self._put, packet)

        def failed(reason: str) -> None:
            post(loop, self._end, f"the stream failed: {reason}")

        stream = self._door.open(
            self._viewer,
            deliver,
            failed,
            overlays=self._overlays,
            full_color=self._full_color,
            coding=self._coding,
        )
        show()
        try:
            await run_until_first_ends(
                "a pixel socket", self._read(stream, viewer), self._write(), until(self._ended), until(over)
            )
            if self._reason:
                log.warning("viewer %s: pixel socket closed: %s", self._viewer, self._reason)
                await close(self._socket, 1011, self._reason)
            else:
                await close(self._socket, 1000, "the session ended" if over.is_set() else "")
        finally:
            await asyncio.to_thread(self._door.close, stream)

    def _end(self, reason: str) -> None:
        self._reason = reason
        self._ended.set()

    def _put(self, packet: bytes) -> None:
        if self._packets.qsize() >= MOST_WAITING:
            self._end("the viewer asks for pictures and does not read them")
            return
        self._packets.put_nowait(packet)

    async def _read(self, stream: PixelStream, viewer: Viewer) -> None:
        told_s = -math.inf
        while True:
            try:
                text = await self._socket.receive_text()
            except (WebSocketDisconnect, KeyError):
                return
            try:
                message = m.decode_pixel_client(text)
            except ProtocolError as error:
                self._end(f"{error.code}: {error}")
                return
            if isinstance(message, m.PixelAck):
                stream.ack(message)
                if (now_s := time.monotonic()) - told_s >= TOLD_EVERY_S and viewer.seat is not None:
                    told_s = now_s
                    viewer.seat.tell(stream.quality())
            else:
                stream.request_keyframe()

    async def _write(self) -> None:
        while True:
            await self._socket.send_bytes(await self._packets.get())


async def until(event: asyncio.Event) -> None:
    """Return once the event is set."""
    await event.wait()
