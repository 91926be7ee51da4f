"""Pixel packet: the fixed little-endian header before every access unit or still picture.

Golden vectors of this layout are in `tests/vectors/pixel_packets.json`.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, replace
from typing import Literal

from napari_cuda.protocol.errors import PacketError

MAGIC = b"NC"
VERSION = 2

Coding = Literal["h264", "h264-limited", "jpeg"]
"""What the access units of a stream are: H.264 in full range; in limited range, for a decoder that takes every
stream for that; JPEG, for a browser that decodes no video."""

# magic, version, kind, flags, ndisplay, part, seq, epoch, revision, input id, capture time,
# canvas size, coded size, margin, picture hash, camera: centre (3), zoom, angles (3), perspective.
_HEADER = struct.Struct("<2sBBBBHIIQQQ5HQ8d")
HEADER_SIZE = _HEADER.size


class PacketKind(enum.IntEnum):
    """What the payload is."""

    ACCESS_UNIT = 1
    """One H.264 access unit, Annex B; SPS and PPS in band before every IDR.

    For a viewer that asked for it, one JPEG.
    """
    STILL = 2
    """The last part of the exact picture, a PNG; its RGBA bytes hash to `PacketHeader.picture_hash`."""
    UNCHANGED = 3
    """No payload: the picture already sent is also that of this (newer) revision."""
    STILL_PART = 4
    """A part of the exact picture before the last; shows nothing, and is acknowledged when it is read."""


class PacketFlag(enum.IntFlag):
    """Properties of the picture."""

    NONE = 0
    KEYFRAME = 1
    """The access unit is an IDR: decoding may start here."""
    FULL_DETAIL = 2
    """Rendered at full scale and sampling (reduced while a volume moves on software GL)."""
    AT_REST = 4
    """Nothing more is coming for this revision: data, detail and multiscale level are final."""


Direction = tuple[float, float, float]
"""A direction in the world, in napari's order: (z, y, x) of what is displayed."""


@dataclass(frozen=True, slots=True)
class CameraPose:
    """The camera a frame was drawn with, in napari's units and axis order (z, y, x).

    `center` in world units, `zoom` in canvas pixels per world unit (in a header: in pixels of the picture in full
    detail), `angles` and `perspective` in degrees.
    """

    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    zoom: float = 1.0
    angles: tuple[float, float, float] = (0.0, 0.0, 90.0)
    perspective: float = 0.0
    ndisplay: int = 2

    def magnified(self, factor: float) -> CameraPose:
        """Return the camera that shows the same on a canvas with `factor` times as many pixels in each direction."""
        return replace(self, zoom=self.zoom * factor)


@dataclass(frozen=True, slots=True)
class PacketHeader:
    """What a picture shows, and where it stands in the stream.

    `seq` counts packets of one connection from 0 without gaps, `part` those of one still; `epoch` counts
    encoder contexts (a decoder never mixes two); `revision` is the scene revision drawn; `input_id`
    the newest intent of *this* viewer that the picture includes; `capture_time_us` the
    server's monotonic clock in microseconds when drawing began. Sizes are (width, height) in
    pixels. The picture shows the canvas and `margin` pixels more on each side, and occupies the top
    left of `coded_size`.
    """

    kind: PacketKind
    seq: int
    epoch: int
    revision: int
    input_id: int
    capture_time_us: int
    canvas_size: tuple[int, int]
    coded_size: tuple[int, int]
    flags: PacketFlag = PacketFlag.NONE
    picture_hash: int = 0
    camera: CameraPose = CameraPose()
    part: int = 0
    margin: int = 0

    @property
    def picture_size(self) -> tuple[int, int]:
        """(width, height) of the picture: the canvas and its margin."""
        return enlarged(self.canvas_size, self.margin)

    @property
    def keyframe(self) -> bool:
        """True if decoding may start with this packet."""
        return bool(self.flags & PacketFlag.KEYFRAME)

    @property
    def full_detail(self) -> bool:
        """True if the picture was rendered at full detail."""
        return bool(self.flags & PacketFlag.FULL_DETAIL)

    @property
    def at_rest(self) -> bool:
        """True if the picture is final for its revision."""
        return bool(self.flags & PacketFlag.AT_REST)


def enlarged(canvas_size: tuple[int, int], margin: int) -> tuple[int, int]:
    """Return the (width, height) of a canvas with `margin` pixels more on each side."""
    return canvas_size[0] + 2 * margin, canvas_size[1] + 2 * margin


def pack(header: PacketHeader, payload: bytes = b"") -> bytes:
    """Return header and payload as the bytes of one WebSocket message."""
    camera = header.camera
    return (
        _HEADER.pack(
            MAGIC,
            VERSION,
            header.kind,
            header.flags,
            camera.ndisplay,
            header.part,
            header.seq & 0xFFFFFFFF,
            header.epoch,
            header.revision,
            header.input_id,
            header.capture_time_us,
            *header.canvas_size,
            *header.coded_size,
            header.margin,
            header.picture_hash,
            *camera.center,
            camera.zoom,
            *camera.angles,
            camera.perspective,
        )
        + payload
    )


def unpack(message: bytes) -> tuple[PacketHeader, memoryview]:
    """Return (header, payload) of one WebSocket message; the payload is not copied.

    Raises PacketError if the message is too short, of another version or kind, or not ours.
    """
    if len(message) < HEADER_SIZE:
        raise PacketError(f"pixel packet of {len(message)} bytes is shorter than its {HEADER_SIZE} byte header")
    (
        magic,
        version,
        kind,
        flags,
        ndisplay,
        part,
        seq,
        epoch,
        revision,
        input_id,
        capture_time_us,
        canvas_width,
        canvas_height,
        coded_width,
        coded_height,
        margin,
        picture_hash,
        *pose,
    ) = _HEADER.unpack_from(message)
    if magic != MAGIC:
        raise PacketError(f"pixel packet begins with {magic!r}, expected {MAGIC!r}")
    if version != VERSION:
        raise PacketError(f"pixel packet version {version}; this client reads version {VERSION}")
    try:
        packet_kind = PacketKind(kind)
    except ValueError:
        raise PacketError(f"pixel packet of unknown kind {kind}") from None
    header = PacketHeader(
        kind=packet_kind,
        seq=seq,
        epoch=epoch,
        revision=revision,
        input_id=input_id,
        capture_time_us=capture_time_us,
        canvas_size=(canvas_width, canvas_height),
        coded_size=(coded_width, coded_height),
        margin=margin,
        flags=PacketFlag(flags),
        picture_hash=picture_hash,
        camera=CameraPose(
            center=(pose[0], pose[1], pose[2]),
            zoom=pose[3],
            angles=(pose[4], pose[5], pose[6]),
            perspective=pose[7],
            ndisplay=ndisplay,
        ),
        part=part,
    )
    return header, memoryview(message)[HEADER_SIZE:]
