"""A pyramid of hundreds of gigabytes that is nowhere: its chunks are made when they are asked for, over HTTP.

Run as a program it serves one OME-Zarr 0.5 image: `huge_pyramid.py Z Y X` prints its URL as JSON.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

CHUNK = (1, 512, 512)
NAME = "huge.zarr"
MEANS = 12


class HugePyramid:
    """Noise of uint16, each chunk with a mean of its own; `read` gives what an HTTP server has at a key, or None."""

    def __init__(self, shape: tuple[int, int, int], chunk: tuple[int, int, int] = CHUNK) -> None:
        self.chunk = chunk
        self.shapes = [shape]
        while max(self.shapes[-1]) > 256:
            self.shapes.append(tuple(max(1, side // 2) for side in self.shapes[-1]))
        noise = np.random.default_rng(1).integers(0, 4096, chunk, dtype=np.uint16)
        self._bodies = [(noise + np.uint16(4096 * step)).tobytes() for step in range(MEANS)]

    @property
    def size_bytes(self) -> int:
        """What level 0 would take on a disk."""
        return 2 * math.prod(self.shapes[0])

    @staticmethod
    def step(level: int, index: tuple[int, ...]) -> int:
        """Return how bright a chunk is: its values are 4096 times this, and noise of less than 4096."""
        return hash((level, *index)) % MEANS

    def read(self, key: str) -> bytes | None:
        """Return what the store has at a key."""
        head, _, tail = key.partition("/")
        if key == "zarr.json":
            return json.dumps(self._group()).encode()
        if not head.isdecimal() or int(head) >= len(self.shapes):
            return None
        level = int(head)
        if tail == "zarr.json":
            return json.dumps(self._array(level)).encode()
        if not tail.startswith("c/"):
            return None
        index = tuple(int(part) for part in tail.split("/")[1:])
        return self._bodies[self.step(level, index)]

    def _group(self) -> dict[str, Any]:
        axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
        datasets = [
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [a / b for a, b in zip(self.shapes[0], shape, strict=True)]}
                ],
            }
            for level, shape in enumerate(self.shapes)
        ]
        window = {"start": 0, "end": 65535, "min": 0, "max": 65535}
        ome = {
            "version": "0.5",
            "multiscales": [{"name": "huge", "axes": axes, "datasets": datasets}],
            "omero": {"channels": [{"label": "noise", "color": "FFFFFF", "active": True, "window": window}]},
        }
        return {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}

    def _array(self, level: int) -> dict[str, Any]:
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": self.shapes[level],
            "data_type": "uint16",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": self.chunk}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0,
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "attributes": {},
        }


class PyramidServer(ThreadingHTTPServer):
    """Serves a pyramid on loopback. `GET /requests` tells what was asked how often, `GET /latency/SECONDS` delays.

    `GET /rounds` tells how often somebody asked while nothing else was being answered: what was waited for in a row.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, pyramid: HugePyramid) -> None:
        self.pyramid = pyramid
        self.latency_s = 0.0
        self.asked: Counter[str] = Counter()
        self.rounds = 0
        self._answering = 0
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @contextmanager
    def answering(self, key: str) -> Iterator[None]:
        """Count a request."""
        with self._lock:
            self.asked[key] += 1
            self.rounds += not self._answering
            self._answering += 1
        time.sleep(self.latency_s)
        try:
            yield
        finally:
            with self._lock:
                self._answering -= 1

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{NAME}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: PyramidServer

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path == "/requests":
            self._answer(json.dumps(self.server.asked).encode())
            return
        if self.path == "/rounds":
            self._answer(json.dumps(self.server.rounds).encode())
            return
        if self.path.startswith("/latency/"):
            self.server.latency_s = float(self.path.removeprefix("/latency/"))
            self._answer(b"")
            return
        key = self.path.removeprefix(f"/{NAME}/")
        with self.server.answering(key):
            body = self.server.pyramid.read(key)
        self._answer(body)

    def _answer(self, body: bytes | None) -> None:
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):  # who asked has given up
                self.wfile.write(body or b"")

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    depth, height, width = (int(side) for side in sys.argv[1:])
    server = PyramidServer(HugePyramid((depth, height, width)))
    print(json.dumps({"url": server.url, "gigabytes": server.pyramid.size_bytes / 1e9}), flush=True)
    server.serve_forever()
