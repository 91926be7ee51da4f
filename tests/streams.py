"""A stream of real packets, and a client that records what a decode pipeline makes of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from queue import Queue

import numpy as np

from napari_cuda.client.decode.pipeline import DecodePipeline, Outlets, PacketIntake
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import FrameLease, LeaseLedger, LeaseRole
from napari_cuda.client.playout.picture import ExactPicture, YuvPicture
from napari_cuda.client.playout.source_mux import Source
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.packet import PacketFlag, PacketHeader, PacketKind
from napari_cuda.server.encode.h264 import H264Encoder
from napari_cuda.server.encode.still import StillEncoding
from pictures import Rgba, noisy_pan
from stills import parts_of

Packet = tuple[PacketHeader, bytes]


class PacketSource:
    """Makes the packets of one connection."""

    def __init__(self, size: tuple[int, int] = (64, 48)) -> None:
        self.size = size
        self.seq = 0
        self.epoch = 1
        self.encoder = H264Encoder(size, frame_rate=60)
        self.picture: Rgba = noisy_pan(1, size)[0]

    def header(self, kind: PacketKind, *, keyframe: bool = False) -> PacketHeader:
        header = PacketHeader(
            kind=kind,
            seq=self.seq,
            epoch=self.epoch,
            revision=self.seq + 100,
            input_id=0,
            capture_time_us=0,
            canvas_size=self.size,
            coded_size=self.size,
            flags=PacketFlag.KEYFRAME if keyframe else PacketFlag.NONE,
            picture_hash=picture_hash(self.picture),
        )
        self.seq += 1
        return header

    def access_unit(self, *, keyframe: bool = False) -> Packet:
        self.picture = np.roll(self.picture, 2, axis=1)
        unit = self.encoder.encode(self.picture, keyframe=keyframe)
        return self.header(PacketKind.ACCESS_UNIT, keyframe=unit.keyframe), unit.data

    def still(self) -> Packet:
        data, last = StillEncoding(self.picture).next_part()
        assert last
        return self.header(PacketKind.STILL), data

    def still_in_parts(self) -> list[Packet]:
        """Return the packets of a still that is too large for one."""
        parts = parts_of(self.picture, part_size=500)
        before = [self.header(PacketKind.STILL_PART) for _ in parts[1:]]
        headers = [*before, self.header(PacketKind.STILL)]
        return [(replace(header, part=index), parts[index]) for index, header in enumerate(headers)]

    def unchanged(self) -> Packet:
        return self.header(PacketKind.UNCHANGED), b""

    def new_encoder(self) -> None:
        self.encoder = H264Encoder(self.size, frame_rate=60)
        self.epoch += 1


class RecordingClient:
    """Records everything a pipeline does, in order, as short strings; `frames` are the pictures.

    It plays the presenter, and holds every surface until `let_go`. `notices` is what the user is told.
    """

    def __init__(self, build: Callable[[RecordingClient, PacketIntake], DecodePipeline], *, capacity: int = 32) -> None:
        self.log: Queue[str] = Queue()
        self.frames: list[SubmittedFrame] = []
        self.sources: list[Source] = []
        self.notices: list[str] = []
        self.counts: Counter[str] = Counter()
        self.observed: Counter[str] = Counter()
        self.ledger = LeaseLedger()
        self.may_present = threading.Event()
        self.may_present.set()
        self.now_s = 1000.0
        outlets = Outlets(
            present=self._present,
            on_unchanged=lambda header: self.log.put(f"unchanged {header.seq}"),
            on_part=lambda header: self.log.put(f"part {header.seq}"),
            on_lost=lambda header: self.log.put(f"lost {header.seq}"),
            on_restarted=lambda: self.log.put("restarted"),
            metrics=self,
            clock=lambda: self.now_s,
        )
        self.pipeline = build(self, PacketIntake(outlets, capacity))

    def _present(self, source: Source, frame: SubmittedFrame) -> None:
        self.frames.append(frame)
        self.sources.append(source)
        kind = "exact" if isinstance(frame.picture, ExactPicture) else "video"
        self.log.put(f"{kind} {frame.header.seq}")
        assert self.may_present.wait(10)

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] += n

    def observe(self, name: str, seconds: float) -> None:
        self.observed[name] += 1

    def submit(self, *packets: Packet) -> None:
        for header, payload in packets:
            self.pipeline.submit(header, payload, self.now_s)

    def next(self, count: int) -> list[str]:
        return [self.log.get(timeout=10) for _ in range(count)]

    def nothing_more(self, source: PacketSource) -> bool:
        """True if all that was submitted has been handled and logged: a still comes out right next."""
        header, payload = source.still()
        self.submit((header, payload))
        return self.next(1) == [f"exact {header.seq}"]

    def let_go(self) -> None:
        """Release the surfaces of all pictures presented so far, as a presenter does with what it skips."""
        for frame in self.frames:
            if isinstance(frame.picture, FrameLease) and not frame.picture.released:
                frame.release(LeaseRole.PRESENTER)

    def stop(self) -> None:
        """End the pipeline; nothing may be left."""
        self.may_present.set()
        assert self.pipeline.stop(10)
        self.let_go()
        assert self.ledger.live == 0


def planes_of(frame: SubmittedFrame) -> YuvPicture:
    """Return a video picture's planes, wherever they are."""
    picture = frame.picture
    if isinstance(picture, FrameLease):
        return picture.surface.planes()
    assert isinstance(picture, YuvPicture)
    return picture
