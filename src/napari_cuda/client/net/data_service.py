"""DataService: the server's data routes, as functions that block whoever calls them. Any thread.

What goes wrong on the server is raised here as what it was there; a connection that stays lost is a
ConnectError.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import numpy as np
import numpy.typing as npt

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.net.array_stream import ArrayStream
from napari_cuda.client.net.http_line import Answer, HttpLine, Pace
from napari_cuda.protocol.errors import ConnectError, DataError
from napari_cuda.protocol.layer_data import (
    DTYPE_HEADER,
    REVISION_HEADER,
    SHAPE_HEADER,
    DataFailure,
    LayerData,
    failure_as_error,
)
from napari_cuda.protocol.packing import CODING_HEADER, ITEMSIZE_HEADER, SHUFFLED, pack, unpack
from napari_cuda.protocol.region import MOST_BYTES, Region, counts, to_text

TRY_AGAIN_FOR_S = 60.0
"""How long a read or write goes on trying after its connection was lost, or while the server is busy."""

TRY_AGAIN_AFTER_S = 0.25
KEPT_LINES = 2
"""Connections kept: for a script, and for one thread beside it."""

Pixels = npt.NDArray[Any]


class DataService:
    """The data routes of one server. `sent` says as whom, and after which intent a request comes (0: whenever)."""

    def __init__(self, config: ClientConfig, sent: Callable[[], tuple[str, int]]) -> None:
        self._config = config
        self._sent = sent
        self._lock = threading.Lock()
        self._idle: list[HttpLine] = []
        self._pace = Pace()

    def describe(self, layer: str) -> LayerData:
        """Return which arrays a layer's data is."""
        answer = self._ask("GET", _target(layer), {})
        return msgspec.json.decode(answer.body, type=LayerData)

    def read(self, layer: str, number: int, region: Region, dtype: np.dtype[Any]) -> tuple[Pixels, int]:
        """Return a region of one of the arrays (at most MOST_BYTES), and the revision of the scene that it is of."""
        coding = {"Accept-Encoding": SHUFFLED} if self._pace.packs else {}
        began_s = time.perf_counter()
        answer = self._ask("GET", _target(layer, number), {"region": to_text(region)}, headers=coding)
        self._pace.learn(len(answer.body), time.perf_counter() - began_s)
        body = answer.body
        if answer.headers.get(CODING_HEADER) == SHUFFLED:
            body = unpack(body, int(answer.headers[ITEMSIZE_HEADER]), max(MOST_BYTES, dtype.itemsize))
        told = np.dtype(answer.headers[DTYPE_HEADER])
        if told != dtype.newbyteorder("<"):
            raise DataError(f"the data is of dtype {told} now, no more of {dtype}: take layer.data anew")
        pixels = np.frombuffer(body, told).reshape(counts(region))
        return pixels, int(answer.headers[REVISION_HEADER])

    def write(self, layer: str, number: int, region: Region, values: Pixels) -> None:
        """Write values, of a region's shape or one for all of it, to the region."""
        little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
        headers = {
            DTYPE_HEADER: little.dtype.str,
            SHAPE_HEADER: ",".join(str(side) for side in little.shape) if values.ndim else "",
        }
        data = little.tobytes()
        packed = pack(data, little.itemsize) if self._pace.packs else None
        if packed is not None:
            headers |= {CODING_HEADER: SHUFFLED, ITEMSIZE_HEADER: str(little.itemsize)}
        body = data if packed is None else packed
        began_s = time.perf_counter()
        self._ask("PUT", _target(layer, number), {"region": to_text(region)}, body=body, headers=headers)
        self._pace.learn(len(body), time.perf_counter() - began_s)

    def replace(self, layer: str, arrays: Sequence[Pixels]) -> None:
        """Set the data of a layer without pixels anew; DataError if it is too much for a request."""
        stream = ArrayStream(arrays)
        if stream.size_bytes > MOST_BYTES:
            raise DataError(f"{stream.size_bytes / 1e6:.1f} MB are too much to set at once: add another layer")
        self._ask("PUT", _target(layer), {}, body=b"".join(stream.pieces(MOST_BYTES)))

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()

    def _ask(
        self,
        method: str,
        target: str,
        query: Mapping[str, str],
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        viewer, after = self._sent()
        target += "?" + urlencode({**query, "viewer": viewer, "after": after})
        until_s = time.monotonic() + TRY_AGAIN_FOR_S
        with self._line() as line:
            while True:
                try:
                    # No limit: a region may take the server long to compute, and whoever waits can interrupt.
                    return _checked(line.ask(method, target, body, headers, answer_s=None))
                except ConnectError:
                    if time.monotonic() > until_s:
                        raise
                    time.sleep(TRY_AGAIN_AFTER_S)

    @contextmanager
    def _line(self) -> Iterator[HttpLine]:
        with self._lock:
            line = self._idle.pop() if self._idle else HttpLine(self._config)
        try:
            yield line
        finally:
            with self._lock:
                kept = len(self._idle) < KEPT_LINES
                if kept:
                    self._idle.append(line)
            if not kept:
                line.close()


def _target(layer: str, number: int | None = None) -> str:
    return f"/layers/{quote(layer, safe='')}/data" + ("" if number is None else f"/{number}")


def _checked(answer: Answer) -> Answer:
    """Return an answer; raise what it says went wrong, ConnectError if the server may do it later."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return answer
    try:
        failure = msgspec.json.decode(answer.body, type=DataFailure)
    except msgspec.DecodeError:
        raise DataError(f"the server refused with HTTP status {answer.status}") from None
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise ConnectError(failure.message)
    if failure.kind:
        raise failure_as_error(failure)
    raise DataError(failure.message)
