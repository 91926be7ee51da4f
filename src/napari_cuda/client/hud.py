"""The HUD's text: how the stream does, in a few aligned lines. Pure; `now_s` is passed in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from napari_cuda.client.control.camera import CameraDifference
from napari_cuda.client.telemetry import ClientMetrics, StageStats
from napari_cuda.protocol.messages import StreamQuality

_NEWEST = 240
"""Durations that count: the last seconds of interaction, so that the numbers follow what is felt."""

_DROPS = "dropped_"


@dataclass(frozen=True, slots=True)
class HudSnapshot:
    """What one look at the client found. Rates are means since the look before."""

    frames_per_s: float = 0.0
    bytes_per_s: float = 0.0
    input_to_photon: StageStats | None = None
    round_trip: StageStats | None = None
    revision: int = 0
    exact: bool = False
    camera: CameraDifference | None = None
    decoder: str = ""
    quality: StreamQuality | None = None
    queues: Mapping[str, float] | None = None
    dropped: Mapping[str, int] | None = None
    stalls: int = 0


class HudSampler:
    """Looks at the metrics now and then. Owner: GUI thread."""

    def __init__(self, metrics: ClientMetrics) -> None:
        self._metrics = metrics
        self._looked_s: float | None = None
        self._counts: dict[str, int] = {}

    def look(
        self,
        now_s: float,
        *,
        revision: int,
        exact: bool,
        camera: CameraDifference | None,
        decoder: str,
        quality: StreamQuality | None = None,
    ) -> HudSnapshot:
        """Return what is true at `now_s`; the first look has no rates."""
        counts, before = self._metrics.counts(), self._counts
        elapsed_s = now_s - self._looked_s if self._looked_s is not None else 0.0
        self._looked_s, self._counts = now_s, counts

        def rate(name: str) -> float:
            return (counts[name] - before[name]) / elapsed_s if elapsed_s > 0 else 0.0

        stalls = self._metrics.totals()["gui_stall"]
        return HudSnapshot(
            frames_per_s=rate("frames_shown"),
            bytes_per_s=rate("bytes_received"),
            input_to_photon=self._metrics.stage("input_to_photon", _NEWEST),
            round_trip=self._metrics.stage("round_trip", 1),
            revision=revision,
            exact=exact,
            camera=camera,
            decoder=decoder,
            quality=quality,
            queues=self._metrics.queues(),
            dropped={name.removeprefix(_DROPS): n for name, n in counts.items() if name.startswith(_DROPS)},
            stalls=sum(stalls.buckets),
        )


def hud_lines(snapshot: HudSnapshot) -> list[str]:
    """Return the lines to draw in a font of fixed width: a name of 10 characters, then values."""
    shown = snapshot.input_to_photon
    rows = [
        ("frames", f"{snapshot.frames_per_s:5.1f} /s"),
        ("input", f"{_ms(shown.p50_s)} p50  {_ms(shown.p95_s)} p95" if shown else "    -"),
        ("round trip", _ms(snapshot.round_trip.p50_s) if snapshot.round_trip else "    -"),
        ("received", f"{snapshot.bytes_per_s / 1e6:5.2f} MB/s"),
        ("quality", _quality(snapshot.quality)),
        ("coding", snapshot.quality.coding if snapshot.quality else "    -"),
        ("revision", f"{snapshot.revision:5d} {'exact' if snapshot.exact else 'moving'}"),
        ("camera", _behind(snapshot.camera)),
        ("decoder", snapshot.decoder or "    -"),
        ("waiting", _named(snapshot.queues)),
        ("dropped", _named(snapshot.dropped)),
        ("stalls", f"{snapshot.stalls:5d}"),
    ]
    return [f"{name:<10}  {value}" for name, value in rows]


def _quality(quality: StreamQuality | None) -> str:
    """Say what is sent at most, what the link was seen to carry, and what is under way."""
    if quality is None:
        return "    -"
    link = f", link {quality.link_rate / 1e6:.1f}" if quality.link_rate else ""
    return f"{quality.bit_rate / 1e6:5.1f} Mb/s{link}, window {quality.window}, queue {quality.queue_ms:.0f} ms"


def _behind(camera: CameraDifference | None) -> str:
    """Say how far the picture is behind the camera here."""
    if camera is None:
        return "    -"
    if camera == CameraDifference():
        return "      in step"
    turned = ", turned" if camera.turned else ""
    return f"{math.hypot(*camera.pan_px):5.0f} px, zoom {camera.zoom:.2f}{turned}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:5.0f} ms"


def _named(numbers: Mapping[str, float] | None) -> str:
    """Name what is not zero; what is zero is no news."""
    some = [f"{name.replace('_', ' ')} {number:g}" for name, number in (numbers or {}).items() if number]
    return ", ".join(some) or "    -"
