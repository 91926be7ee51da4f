"""PyAVPipeline: software decoding on a thread of its own, from packet to presentable picture."""

from __future__ import annotations

import threading
from collections.abc import Callable

from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.pipeline import Packet, PacketIntake
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketHeader
from napari_cuda.worker import Worker


class PyAVPipeline:
    """A DecodePipeline that decodes packets in order. Owner: its thread, "pyav-decode".

    The planes go to the screen as libavcodec left them: nothing is converted or copied.
    `on_failed` is called on its thread if that ends by a bug: no pictures come any more.
    """

    source = Source.PYAV
    name = "PyAV (software)"

    def __init__(self, intake: PacketIntake, on_failed: Callable[[Exception], None] = lambda _error: None) -> None:
        self._intake = intake
        self._outlets = intake.outlets
        self._decoder = H264Decoder()
        self._worker = Worker("pyav-decode", self._run, wake=intake.wake, on_error=on_failed)

    def start(self) -> None:
        """Start the decode thread."""
        self._worker.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """End the decode thread; what waits is dropped. False if it did not end in time."""
        return self._worker.stop(deadline_s)

    def submit(self, header: PacketHeader, payload: bytes | memoryview, received_s: float) -> None:
        """Queue an admitted packet. Never blocks."""
        self._intake.submit(header, payload, received_s)

    def on_reconnect(self) -> None:
        """A new connection begins: drop what waits; `on_restarted` is called before its first picture."""
        self._intake.on_reconnect()

    def give_up(self, error: Exception) -> None:
        """Go on: there is no decoder after this one."""

    # --- decode thread ------------------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        self._intake.run(self, stop)

    def begin(self) -> bool:
        """Forget the stream; every picture of it was presented at once."""
        self._decoder.reset()
        return False

    def unchanged(self, packet: Packet) -> None:
        """Pass it on."""
        self._outlets.on_unchanged(packet.header)

    def still(self, packet: Packet, picture: ExactPicture) -> None:
        """Present the exact picture."""
        self._outlets.present(self.source, packet.frame(picture, self._outlets.clock()))

    def access_unit(self, packet: Packet) -> None:
        """Decode and present. Raises StreamError if it is damaged, MemoryError."""
        clock, metrics = self._outlets.clock, self._outlets.metrics
        began_s = clock()
        try:
            picture = self._decoder.decode(packet.payload, expected_size=packet.header.coded_size)
        except (StreamError, MemoryError):
            self._decoder.reset()
            raise
        decoded_s = clock()
        metrics.observe("decode", decoded_s - began_s)
        metrics.count("pictures_decoded")
        self._outlets.present(self.source, packet.frame(picture, decoded_s))
