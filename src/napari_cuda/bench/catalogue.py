"""What is measured, and over which links: two tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from napari_cuda import workloads
from napari_cuda.netsim import Link, Stall


@dataclass(frozen=True, slots=True)
class Workload:
    """One scene and what a hand does to it, 60 times a second; `what` says it in words.

    `size` of the canvas: (width, height). `zoom` in canvas pixels per world unit; None: as the scene is fitted.
    """

    name: str
    what: str
    scene: str
    step: workloads.Step
    size: tuple[int, int] = (1280, 720)
    ndisplay: int = 2
    zoom: float | None = None

    def begin(self, viewer: Any) -> None:
        """Bring a viewer, ours or stock napari's, to where the first step begins."""
        viewer.dims.ndisplay = self.ndisplay
        viewer.reset_view()
        if self.zoom is not None:
            viewer.scene.camera.zoom = self.zoom


WORKLOADS: Mapping[str, Workload] = MappingProxyType(
    {
        workload.name: workload
        for workload in (
            Workload("pan2d", "noisy uint16 of 2048 x 2048, dragged by pixels", "noise", workloads.drag, zoom=1.0),
            Workload("pan2d-fraction", "the same at a fractional zoom", "noise", workloads.drag, zoom=0.83),
            Workload("zoom", "the same, zoomed in and out", "noise", workloads.zoom, zoom=1.0),
            Workload("scrub", "32 planes, each with its own noise, to and fro", "planes", workloads.scroll, zoom=1.0),
            Workload("labels", "an image and labels, dragged", "labels", workloads.drag, zoom=1.7),
            Workload("mip3d", "a volume of 128 x 128 x 128, turned", "volume", workloads.rotate, ndisplay=3),
            Workload("mri", "the MNI152 head (nilearn's), turned", "mri", workloads.rotate, ndisplay=3),
            Workload("multichannel", "three additive channels, dragged", "channels", workloads.drag, zoom=1.7),
            Workload("4k", "the noisy image of pan2d, dragged", "noise", workloads.drag, (3840, 2160), zoom=2.0),
        )
    }
)
"""Every workload by name."""

LINKS: Mapping[str, Link | None] = MappingProxyType(
    {
        "loopback": None,
        "lan": Link(delay_s=0.0005, rate_bit_s=1e9),
        "20M-40ms": Link(delay_s=0.020, rate_bit_s=20e6),
        # One round trip in a hundred: what a lost segment costs a stream of bytes.
        "100ms-stalls": Link(delay_s=0.050, rate_bit_s=50e6, stall=Stall(every_s=10.0, length_s=0.1)),
        "300ms": Link(delay_s=0.150, rate_bit_s=50e6),
    }
)
"""One direction of each link by name; both are alike. None: no simulator in between."""


def workload_rows() -> list[tuple[str, str, str]]:
    """Return the rows of the documents' table: name, what is done, canvas."""
    return [(f"`{one.name}`", one.what, f"{one.size[0]} x {one.size[1]}") for one in WORKLOADS.values()]


def link_rows() -> list[tuple[str, str, str, str]]:
    """Return the rows of the documents' table: name, round trip, rate each way, stalls."""
    rows = []
    for name, link in LINKS.items():
        path = link or Link()
        rate = f"{path.rate_bit_s / 1e6:.0f} Mb/s" if path.rate_bit_s else "the machine's"
        stall = f"{1e3 * path.stall.length_s:.0f} ms every {path.stall.every_s:.0f} s" if path.stall else "none"
        rows.append((f"`{name}`", f"{2e3 * path.delay_s:g} ms", rate, stall))
    return rows
