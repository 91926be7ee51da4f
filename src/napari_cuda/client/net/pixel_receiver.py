"""PixelReceiver: packets from the pixel socket through the gate; ReceiveController: its life."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.control.backoff import Backoff
from napari_cuda.client.net.transport import ConnectionLost, Ending, Post, SocketThread
from napari_cuda.client.playout.gate import StreamGate, Verdict
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import PacketError
from napari_cuda.protocol.packet import PacketHeader, unpack

log = logging.getLogger(__name__)

_MOST_REMEMBERED = 256
"""Far more packets than the server's window allows."""


class Pipeline(Protocol):
    """Where admitted packets go."""

    @property
    def source(self) -> Source:
        """Which source its pictures are of now."""

    def submit(self, header: PacketHeader, payload: memoryview, received_s: float) -> None:
        """Queue a packet; never blocks."""

    def on_reconnect(self) -> None:
        """A new connection begins, whose `seq` and `epoch` count from anew."""


class PixelReceiver:
    """Owner: the "pixel-receiver" thread; `ack`, `lost` and `request_keyframe` from any."""

    def __init__(
        self, pipeline: Pipeline, metrics: ClientMetrics, on_lost: Callable[[ConnectionLost], None], post: Post
    ) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._on_lost = on_lost
        self._post = post
        self._lock = threading.Lock()
        self._untold: ConnectionLost | None = None
        """The newest loss, which the GUI thread has not heard of yet."""
        self._gate = StreamGate()
        self._received_s: dict[int, float] = {}
        """When the newest packets arrived, by the last digits of their number: so many are under way at most."""
        self._backoff = Backoff(random.Random().random)
        self.opened_s = 0.0
        """When the newest connection was opened, on the client's clock."""
        self._is_open = False
        self._socket: SocketThread | None = None

    def attach(self, socket: SocketThread) -> None:
        """Give the receiver the socket it speaks through."""
        self._socket = socket

    def ack(self, header: PacketHeader) -> None:
        """Tell the server that this packet, and all before it, is presented or was skipped."""
        if self._socket is not None and self._gate.is_current(header.epoch):
            now_s = time.perf_counter()
            received_s = self._received_s.get(header.seq % _MOST_REMEMBERED, now_s)
            held_us = int(1e6 * max(0.0, now_s - received_s))
            self._socket.send(m.encode(m.PixelAck(header.seq, max(1, int(1e6 * received_s)), held_us)))

    def request_keyframe(self, reason: str) -> None:
        """Ask for an IDR; the server then forgets what was on the way."""
        if self._socket is not None:
            self._metrics.count("keyframe_requests")
            self._socket.send(m.encode(m.PixelKeyframe(reason)))

    def lost(self, header: PacketHeader) -> None:
        """A decode thread could not show an admitted packet: close the gate, ask for an IDR."""
        if self._gate.lost(header.seq, epoch=header.epoch, now_s=time.perf_counter()):
            self.request_keyframe("decoder lost its reference")

    @property
    def takes_full_color(self) -> bool:
        """Whether 4:4:4 is decoded: the hardware that we know does not."""
        return self._pipeline.source is Source.PYAV

    @property
    def epoch(self) -> int:
        """The newest epoch of the pictures received, as the client counts: on and on over all connections."""
        return self._gate.epoch

    def is_since(self, epoch: int, lost_s: float) -> bool:
        """Return whether pictures of `epoch` came on a connection that was opened after `lost_s`, and is the newest."""
        return self.opened_s > lost_s and self._gate.is_current(epoch)

    # --- pixel receiver thread ----------------------------------------------------------

    def opened(self) -> None:
        """The socket is open: the gate is closed until the first keyframe."""
        self._gate.on_reconnect()
        self._pipeline.on_reconnect()
        self.opened_s = time.perf_counter()
        self._is_open = True

    def received(self, data: str | bytes) -> None:
        """Gate one packet and hand it to the pipeline."""
        received_s = time.perf_counter()
        try:
            header, payload = unpack(data if isinstance(data, bytes) else data.encode())
        except PacketError as error:
            self._metrics.count("packets_malformed")
            self._gate.malformed(str(error), received_s)
            self._log_discontinuity()
            # It will never be presented: without a word the server would wait for its ack.
            self.request_keyframe("malformed packet")
            return
        self._metrics.count("packets_received")
        self._metrics.count("bytes_received", len(data))
        verdict = self._gate.admit(
            header.seq, epoch=header.epoch, keyframe=header.keyframe, kind=header.kind, now_s=received_s
        )
        self._log_discontinuity()
        if verdict is Verdict.ADMIT:
            self._received_s[header.seq % _MOST_REMEMBERED] = received_s
            # The server's epochs count from anew for each connection; the gate's number orders all pictures.
            self._pipeline.submit(replace(header, epoch=self._gate.epoch), payload, received_s)
            self._metrics.count("packets_admitted")
            self._metrics.observe("receive", time.perf_counter() - received_s)
            return
        self._metrics.count("dropped_at_gate")
        self._metrics.count("packets_dropped")
        if verdict is Verdict.DROP_AND_REQUEST_KEYFRAME:
            self.request_keyframe("gap in the stream")

    def _log_discontinuity(self) -> None:
        if (line := self._gate.take_log_line()) is not None:
            log.warning("%s", line)

    def ticked(self) -> float:
        """Nothing is due by the clock here."""
        return 3600.0

    def closed(self, ending: Ending) -> float:
        """The socket is gone: it is opened again. Whether the session goes on the state channel says."""
        now_s = time.perf_counter()
        with self._lock:
            waits = self._untold is not None
            self._untold = ConnectionLost(ending.reason, now_s, final=ending.crashed)
        if not waits and self._post(self._tell) is False:
            with self._lock:
                self._untold = None
        was_open, self._is_open = self._is_open, False
        if ending.orderly:  # with its session: the server lets the next one wait for the session that follows
            return 0.0
        return self._backoff.pause_s(now_s - self.opened_s if was_open else 0.0)

    # --- GUI thread ---------------------------------------------------------------------

    def _tell(self) -> None:
        with self._lock:
            lost, self._untold = self._untold, None
        if lost is not None:
            self._on_lost(lost)


class ReceiveController:
    """Starts and ends the receiver's thread. Owner: GUI thread."""

    def __init__(self, config: ClientConfig, viewer: str, receiver: PixelReceiver) -> None:
        self.receiver = receiver
        self._config = config
        self._viewer = viewer
        self._socket = SocketThread("pixel-receiver", self._url(), config, receiver)
        receiver.attach(self._socket)

    def start(self) -> None:
        """Connect in the background."""
        self._socket.start()

    def follow(self, viewer: str) -> None:
        """The session is open, of the same viewer or another: receive its pictures, and do not wait to."""
        if viewer != self._viewer:
            self._viewer = viewer
            self._socket.redirect(self._url())
        else:
            self._socket.reopen(opened_before_s=-math.inf)

    def _url(self) -> str:
        return self._config.pixels_url(self._viewer, full_color=self.receiver.takes_full_color)

    def drop_older(self, opened_before_s: float) -> None:
        """The session was lost then: a connection from before it is of no more use."""
        self._socket.reopen(opened_before_s)

    def request_close(self) -> None:
        """Close the socket without waiting."""
        self._socket.request_close()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Close the socket and end the thread."""
        return self._socket.stop(deadline_s)
