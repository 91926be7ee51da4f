"""What the first data that is opened would wait for, done before anybody asks."""

from __future__ import annotations

import importlib
import threading

AFTER_S = 1.0
"""By then whoever started the server is connected: it is their turn first."""

SLOW = (
    "napari_cuda.server.data.chunked_layers",
    "napari_cuda.server.data.metadata_reads",
    "napari_ome_zarr",
    "aiohttp",
    "fsspec.implementations.http",
)
"""Modules that take a second together to be imported, and are needed only when a store is opened."""


def parse_units() -> None:
    """Have the registry of units made, which every layer needs: two threads that are the first at once break it."""
    importlib.import_module("pint").get_application_registry().parse_units("micrometer")


def warm_up(stop: threading.Event) -> None:
    """Import what reading takes, unless the server ends before. Owner: a thread of its own."""
    if stop.wait(AFTER_S):
        return
    for name in SLOW:
        importlib.import_module(name)
