"""`napari-cuda snapshot`: the exact picture of a scene, as a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from napari_cuda import api
from napari_cuda.protocol.errors import ConfigError
from napari_cuda.server_process import ServerProcess


def take(source: str, output: Path, *, size: tuple[int, int] | None, ndisplay: int | None) -> dict[str, Any]:
    """Write the picture of `source` (a server's URL, or a path to serve) to `output`.

    Returns size, revision, layers and timings in seconds. Raises NapariCudaError in one line.
    """
    if output.suffix.lower() != ".png":
        raise ConfigError(f"{output} is not a .png: only a lossless file can hold the exact picture")
    if not output.absolute().parent.is_dir():
        raise ConfigError(f"there is no folder {output.absolute().parent} to write {output.name} in")
    began_s = time.monotonic()
    with _served(source, size) as url:
        started_s = time.monotonic()
        with api.connect(url, window=False) as viewer:
            connected_s = time.monotonic()
            if size is not None:
                viewer.canvas.size = size[::-1]
                viewer.rendering.pixel_ratio = 1.0
            if ndisplay is not None:
                viewer.dims.ndisplay = ndisplay
            if size is not None or ndisplay is not None:
                viewer.sync(timeout_s=60)
                viewer.reset_view()
            picture = viewer.screenshot(timeout_s=120)
            exact_s = time.monotonic()
            Image.fromarray(picture).save(output)
            report = {
                "size": [picture.shape[1], picture.shape[0]],
                "revision": viewer.revision,
                "layers": [layer.name for layer in viewer.layers],
                "timings_s": {
                    "start": round(started_s - began_s, 4),
                    "connect": round(connected_s - started_s, 4),
                    "exact_picture": round(exact_s - connected_s, 4),
                    "write": round(time.monotonic() - exact_s, 4),
                }
                | {name: round(stats.p50_s, 4) for name, stats in viewer.metrics.stages().items()},
            }
    return report


@contextmanager
def _served(source: str, size: tuple[int, int] | None) -> Iterator[str]:
    """Yield the URL of the scene: the one given, or that of a server started for it."""
    if source.startswith(("http://", "https://", "ws://", "wss://")) and "token=" in source:
        yield source
        return
    if source.startswith(("http://", "https://")) and urlsplit(source).path in ("", "/"):
        raise ConfigError(f"{source} has no token: use the whole URL that `napari-cuda serve` printed")
    options = ["--size", f"{size[0]}x{size[1]}"] if size is not None else []
    with ServerProcess([*options, "--", source]) as server:
        yield server.connect_url
