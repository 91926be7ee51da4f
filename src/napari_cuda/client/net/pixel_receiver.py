"""PixelReceiver: packets from the pixel socket through the gate; ReceiveController: its life."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.net.transport import Post, SocketThread
from napari_cuda.client.playout.gate import StreamGate, Verdict
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import PacketError
from napari_cuda.protocol.packet import PacketHeader, unpack

log = logging.getLogger(__name__)


class Pipeline(Protocol):
    """Where admitted packets go."""

    def submit(self, header: PacketHeader, payload: memoryview, received_s: float) -> None:
        """Queue a packet; never blocks."""

    def on_reconnect(self) -> None:
        """A new connection begins, whose `seq` and `epoch` count from anew."""


class PixelReceiver:
    """Owner: the "pixel-receiver" thread; `ack` and `request_keyframe` from any."""

    def __init__(
        self, pipeline: Pipeline, metrics: ClientMetrics, on_closed: Callable[[str], None], post: Post
    ) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._on_closed = on_closed
        self._post = post
        self._gate = StreamGate()
        self._socket: SocketThread | None = None

    def attach(self, socket: SocketThread) -> None:
        """Give the receiver the socket it speaks through."""
        self._socket = socket

    def ack(self, seq: int) -> None:
        """Tell the server that packet `seq`, and all before it, is presented or was skipped."""
        if self._socket is not None:
            self._socket.send(m.encode(m.PixelAck(seq)))

    def request_keyframe(self, reason: str) -> None:
        """Ask for an IDR; the server then forgets what was on the way."""
        if self._socket is not None:
            self._metrics.count("keyframe_requests")
            self._socket.send(m.encode(m.PixelKeyframe(reason)))

    # --- pixel receiver thread ----------------------------------------------------------

    def opened(self) -> None:
        """The socket is open: the gate is closed until the first keyframe."""
        self._gate.on_reconnect()
        self._pipeline.on_reconnect()

    def received(self, data: str | bytes) -> None:
        """Gate one packet and hand it to the pipeline."""
        received_s = time.perf_counter()
        try:
            header, payload = unpack(data if isinstance(data, bytes) else data.encode())
        except PacketError as error:
            self._metrics.count("packets_malformed")
            log.warning("%s", error)
            # It will never be presented: without a word the server would wait for its ack.
            self.request_keyframe("malformed packet")
            return
        self._metrics.count("packets_received")
        self._metrics.count("bytes_received", len(data))
        verdict = self._gate.admit(
            header.seq, epoch=header.epoch, keyframe=header.keyframe, kind=header.kind, now_s=received_s
        )
        if verdict is Verdict.ADMIT:
            self._pipeline.submit(header, payload, received_s)
            return
        self._metrics.count("packets_dropped")
        if verdict is Verdict.DROP_AND_REQUEST_KEYFRAME:
            self.request_keyframe("gap in the stream")

    def ticked(self) -> float:
        """Nothing is due by the clock here."""
        return 3600.0

    def closed(self, reason: str) -> None:
        """The socket is gone."""
        self._post(lambda: self._on_closed(reason))


class ReceiveController:
    """Starts and ends the receiver's thread. Owner: GUI thread."""

    def __init__(self, config: ClientConfig, viewer: str, receiver: PixelReceiver) -> None:
        self.receiver = receiver
        self._socket = SocketThread("pixel-receiver", config.pixels_url(viewer), config, receiver)
        receiver.attach(self._socket)

    def start(self) -> None:
        """Connect in the background."""
        self._socket.start()

    def request_close(self) -> None:
        """Close the socket without waiting."""
        self._socket.request_close()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Close the socket and end the thread."""
        return self._socket.stop(deadline_s)
