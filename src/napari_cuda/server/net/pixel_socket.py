"""The pixel socket: packets out, acks in. Owner: network thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import ProtocolError

log = logging.getLogger(__name__)

MOST_WAITING = 16
"""Packets for a socket that nobody reads; the ack window allows two, each keyframe request as many more."""


class PixelStream(Protocol):
    """The viewer's stream, as the socket uses it."""

    @property
    def viewer(self) -> str:
        """Whose stream it is."""

    def stop(self) -> None:
        """End it."""

    def ack(self, seq: int) -> None:
        """Packet `seq` was presented."""

    def request_keyframe(self) -> None:
        """The viewer's decoder needs an IDR."""


class StreamDoor(Protocol):
    """Opens and closes streams."""

    def open(self, viewer: str, deliver: Callable[[bytes], None], on_failed: Callable[[str], None]) -> PixelStream:
        """Start the stream of a viewer."""

    def close(self, stream: PixelStream) -> None:
        """End a stream. May block for a moment: not for the event loop."""


class PixelSocket:
    """One viewer's pixel channel from accept to close.

    The queue between encoder thread and socket is bounded by the stream's ack window: the
    encoder makes no packet while the window is full.
    """

    def __init__(self, socket: WebSocket, viewer: str, door: StreamDoor) -> None:
        self._socket = socket
        self._viewer = viewer
        self._door = door
        self._packets: asyncio.Queue[bytes | None] = asyncio.Queue()

    @property
    def waiting(self) -> int:
        """Packets that the socket has not taken yet."""
        return self._packets.qsize()

    async def run(self, show: Callable[[], None], gone: asyncio.Event) -> None:
        """Serve the socket until either side ends it, or the viewer is `gone`.

        `show` asks for the present picture.
        """
        loop = asyncio.get_running_loop()

        def deliver(packet: bytes | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._put, packet)

        def failed(reason: str) -> None:
            log.error("viewer %s: stream ended: %s", self._viewer, reason)
            deliver(None)

        stream = self._door.open(self._viewer, deliver, failed)
        show()
        tasks = [
            asyncio.create_task(self._read(stream)),
            asyncio.create_task(self._write()),
            asyncio.create_task(self._end_with(gone)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self._door.close, stream)

    async def _end_with(self, gone: asyncio.Event) -> None:
        await gone.wait()
        await self._socket.close(1001, "the session ended")

    def _put(self, packet: bytes | None) -> None:
        if self._packets.qsize() >= MOST_WAITING:
            log.warning("viewer %s asks for keyframes but does not read them: disconnected", self._viewer)
            self._packets = asyncio.Queue()
            packet = None
        self._packets.put_nowait(packet)

    async def _read(self, stream: PixelStream) -> None:
        while True:
            try:
                text = await self._socket.receive_text()
            except (WebSocketDisconnect, KeyError):
                return
            try:
                message = m.decode_pixel_client(text)
            except ProtocolError as error:
                log.warning("viewer %s: pixel socket closed: %s", self._viewer, error)
                await self._socket.close(1008, f"{error.code}: {error}"[:120])
                return
            if isinstance(message, m.PixelAck):
                stream.ack(message.seq)
            else:
                stream.request_keyframe()

    async def _write(self) -> None:
        while (packet := await self._packets.get()) is not None:
            await self._socket.send_bytes(packet)
        await self._socket.close(1011, "the stream ended")
