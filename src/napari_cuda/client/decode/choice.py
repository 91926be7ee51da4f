"""Which decoder a client uses: the first that opens, and software when that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from napari_cuda.bitstream.avcc import ParameterSets, length_prefixed
from napari_cuda.client.decode.cuda import open_cuda
from napari_cuda.client.decode.emulated import emulated
from napari_cuda.client.decode.live import DecoderConfig, DecoderFactory
from napari_cuda.client.decode.pipeline import DecodePipeline, Outlets, PacketIntake
from napari_cuda.client.decode.pyav import PyAVPipeline
from napari_cuda.client.decode.vt import POLL_S, VTPipeline
from napari_cuda.client.decode.vt_darwin import open_videotoolbox
from napari_cuda.client.playout.lease import LeaseLedger
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketHeader
from napari_cuda.settings import DecoderName
from napari_cuda.worker import Deadline

log = logging.getLogger(__name__)

BACKENDS: Mapping[DecoderName, DecoderFactory] = MappingProxyType(
    {"videotoolbox": open_videotoolbox, "cuda": open_cuda, "emulated": emulated()}
)
AUTOMATIC: tuple[DecoderName, ...] = ("videotoolbox", "cuda")
"""What `auto` tries, in this order, before software."""

# One grey IDR of 64×64 pixels (baseline profile): hardware that lists a decoder may still refuse to decode.
_PROBE = bytes.fromhex(
    "000000016742c020da109a6e02020280000003008000001e478c1950"
    "0000000168ce308c80"
    "000000016588840aa272727275d75d75d75d75d75d78"
)
_PROBE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class DecoderProbe:
    """Whether a hardware decoder decodes on this machine, and if not, why."""

    name: DecoderName
    usable: bool
    reason: str = ""


def probe_decoder(name: DecoderName) -> DecoderProbe:
    """Open a decoder and decode one picture with it. Owner: any thread."""
    sets = ParameterSets().updated_by(_PROBE)
    try:
        decoder = BACKENDS[name](DecoderConfig.of(sets))
        try:
            decoder.submit(length_prefixed(_PROBE), 0, keyframe=True)
            surface = decoder.poll(_PROBE_TIMEOUT_S)
            if surface is None:
                return DecoderProbe(name, usable=False, reason=f"no picture within {_PROBE_TIMEOUT_S:g} s")
            try:
                surface.planes()  # what the renderer falls back on
            finally:
                surface.close()
        finally:
            decoder.close()
    except StreamError as error:
        return DecoderProbe(name, usable=False, reason=str(error))
    return DecoderProbe(name, usable=True)


def open_pipeline(
    choice: DecoderName,
    outlets: Outlets,
    ledger: LeaseLedger,
    on_fallback: Callable[[str], None],
) -> DecodePipeline:
    """Return the pipeline of the decoder chosen, or of the first that works here if that is 'auto'.

    `on_fallback` is called with one line for the user when a decoder that was chosen by name does
    not work, or one that did fails, on its thread: software decodes from the next keyframe on, and
    none of its pictures comes before that call. Once more if software fails too: then none comes.
    """
    intake = PacketIntake(outlets)
    outlets.metrics.watch("packets_to_decode", lambda: intake.waiting)
    outlets.metrics.watch("leases", lambda: ledger.live)
    for name in AUTOMATIC if choice == "auto" else (choice,):
        if name not in BACKENDS:
            break
        probe = probe_decoder(name)
        if probe.usable:
            log.info("decoding with %s", name)
            return FallbackPipeline(intake, BACKENDS[name], ledger, name, on_fallback)
        log.info("not decoding with %s: %s", name, probe.reason)
        if name == choice:
            _say(f"Decoding in software: {name} cannot be used ({probe.reason})", on_fallback)
    return _software(intake, on_fallback)


class FallbackPipeline:
    """A VTPipeline until it fails, then a PyAVPipeline on the same packets.

    Owner: GUI thread. Both run one intake, one after the other: so nothing that waits is lost in
    between, and the order holds. The change happens on the thread of the one that failed.
    """

    def __init__(
        self,
        intake: PacketIntake,
        open_decoder: DecoderFactory,
        ledger: LeaseLedger,
        name: str,
        on_fallback: Callable[[str], None],
        *,
        poll_s: float = POLL_S,
    ) -> None:
        self._intake = intake
        self._name = name
        self._on_fallback = on_fallback
        self._hardware = VTPipeline(intake, open_decoder, ledger, self._failed, poll_s=poll_s)
        self._software = _software(intake, on_fallback)
        self._source = Source.VT

    @property
    def source(self) -> Source:
        """Which source its pictures are of now."""
        return self._source

    @property
    def name(self) -> str:
        """What decodes now, for people."""
        return self._name if self._source is Source.VT else self._software.name

    def start(self) -> None:
        """Start the hardware's threads."""
        self._hardware.start()

    def stop(self, deadline_s: float = 5.0) -> bool:
        """End all threads; False if one did not end in time."""
        deadline = Deadline(deadline_s)
        # In this order: the one that fails just now starts the other.
        ended = self._hardware.stop(deadline.left_s())
        return self._software.stop(deadline.left_s()) and ended

    def submit(self, header: PacketHeader, payload: bytes | memoryview, received_s: float) -> None:
        """Queue an admitted packet. Never blocks."""
        self._intake.submit(header, payload, received_s)

    def on_reconnect(self) -> None:
        """A new connection begins: drop what waits; `on_restarted` is called before its first picture."""
        self._intake.on_reconnect()

    def give_up(self, error: Exception) -> None:
        """The hardware's pictures cannot be shown: it fails. Harmless when it did already."""
        self._hardware.give_up(error)

    def _failed(self, error: Exception) -> None:
        self._source = Source.PYAV
        self._intake.outlets.metrics.count("decoder_fallbacks")
        _say(f"Decoding in software from now on: {self._name} failed ({error})", self._on_fallback)
        self._software.start()


def _software(intake: PacketIntake, on_fallback: Callable[[str], None]) -> PyAVPipeline:
    def failed(error: Exception) -> None:
        _say(f"No more pictures: software decoding failed ({type(error).__name__}: {error}); reconnect", on_fallback)

    return PyAVPipeline(intake, failed)


def _say(line: str, on_fallback: Callable[[str], None]) -> None:
    log.warning("%s", line)
    on_fallback(line)
