"""A network between client and server on one machine: delay, jitter, a rate, stalls, resets."""

from __future__ import annotations

from napari_cuda.netsim.link import Jitter, JitterKind, Link, Stall
from napari_cuda.netsim.proxy import NetSim

__all__ = ["Jitter", "JitterKind", "Link", "NetSim", "Stall"]
