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
import pandas as pd

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.net.array_stream import ArrayStream
from napari_cuda.client.net.file_service import FileService
from napari_cuda.client.net.http_line import Answer, HttpLine, Pace
from napari_cuda.client.net.transfer import Transfer
from napari_cuda.feature_table import MOST_BODY_BYTES, Features, from_body, to_body
from napari_cuda.protocol.errors import ConnectError, DataError
from napari_cuda.protocol.layer_data import (
    DTYPE_HEADER,
    REVISION_HEADER,
    ROWS_HEADER,
    SHAPE_HEADER,
    TABLE_ITEM_BYTES,
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

    def replace(self, layer: str, arrays: Sequence[Any]) -> None:
        """Set the data of a layer anew, lazy arrays as they are computed. Much of it goes as a file, before."""
        stream = ArrayStream(arrays)
        if stream.size_bytes <= MOST_BYTES:
            self._ask("PUT", _target(layer), {}, body=b"".join(stream.pieces(MOST_BYTES)))
            return
        path = FileService(self._config).upload_arrays(stream, Transfer(lambda _bytes: None))
        self._ask("PUT", _target(layer), {"uploaded": path}, body=b"")

    def features(self, layer: str, known: str = "", rows: int | None = None) -> Features | None:
        """Return a layer's table of features, or its first `rows`; None if it is the one of the tag that is `known`."""
        coding = {"Accept-Encoding": SHUFFLED} if self._pace.packs else {}
        asked = {} if rows is None else {"rows": str(rows)}
        began_s = time.perf_counter()
        tag = {"If-None-Match": known} if known else {}
        answer = self._ask("GET", _features_of(layer), asked, headers={**coding, **tag})
        if answer.status == HTTPStatus.NOT_MODIFIED:
            return None
        self._pace.learn(len(answer.body), time.perf_counter() - began_s)
        body = answer.body
        if answer.headers.get(CODING_HEADER) == SHUFFLED:
            body = unpack(body, int(answer.headers[ITEMSIZE_HEADER]), MOST_BODY_BYTES)
        return Features(from_body(body), answer.headers["etag"], int(answer.headers[ROWS_HEADER]))

    def set_features(self, layer: str, table: pd.DataFrame, *, in_place: bool) -> None:
        """Set a layer's table of features, or only the columns that the table has, in their first rows."""
        body, headers = to_body(table), {}
        packed = pack(body, TABLE_ITEM_BYTES) if self._pace.packs else None
        if packed is not None:
            body, headers = packed, {CODING_HEADER: SHUFFLED, ITEMSIZE_HEADER: str(TABLE_ITEM_BYTES)}
        began_s = time.perf_counter()
        self._ask("PUT", _features_of(layer), {"in_place": str(int(in_place))}, body=body, headers=headers)
        self._pace.learn(len(body), time.perf_counter() - began_s)

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


def _features_of(layer: str) -> str:
    return f"/layers/{quote(layer, safe='')}/features"


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
