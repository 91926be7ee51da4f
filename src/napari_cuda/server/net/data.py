"""The data routes: regions of layers' data and their tables of features, read and written. Owner: network thread.

What is in memory is looked at between two pictures; what is computed or read from a disk, on a thread of its own.
"""

from __future__ import annotations

import asyncio
import io
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from napari_cuda.feature_table import MOST_BODY_BYTES, from_body, tag_of, to_body
from napari_cuda.protocol.layer_data import (
    DTYPE_HEADER,
    LONGEST_TRACEBACK,
    REVISION_HEADER,
    ROWS_HEADER,
    SHAPE_HEADER,
    TABLE_ITEM_BYTES,
    DataFailure,
    LayerData,
    is_refusal,
)
from napari_cuda.protocol.packing import CODING_HEADER, ITEMSIZE_HEADER, SHUFFLED, pack, unpack
from napari_cuda.protocol.region import MOST_BYTES
from napari_cuda.server.net.bodies import read_body, whole_number
from napari_cuda.server.net.endings import post
from napari_cuda.stored_arrays import arrays_in

log = logging.getLogger(__name__)

MOST_AT_WORK = 4
"""Regions that are computed at a time: a compute has threads of its own."""

MOST_TABLES = 2
"""Tables of features on their way at a time: each is in memory."""

TURN_S = 15.0
"""So long a request waits for its turn on the render thread; then the client asks again, if it still wants to."""

LOOK_AGAIN_S = 0.01
GONE_EVERY_S = 0.25
"""How often it is looked whether a client that waits is still there."""

MOST_ITEM_BYTES = 1024

T = TypeVar("T")
Pixels = npt.NDArray[Any]


class Layers(Protocol):
    """The layers' data, on the render thread."""

    def describe(self, layer_id: str) -> LayerData:
        """Return which arrays a layer's data is."""

    def read(self, layer_id: str, number: int, region_text: str) -> tuple[int, Callable[[], Pixels]]:
        """Return the revision, and what gives the region, from any thread."""

    def write(self, layer_id: str, number: int, region_text: str, values: Pixels) -> Callable[[], None]:
        """Write to a region; return what of it is to be done on another thread."""

    def replace(self, layer_id: str, arrays: list[Pixels]) -> None:
        """Set the data of a layer anew."""

    def features(self, layer_id: str) -> tuple[int, pd.DataFrame]:
        """Return the revision, and a copy of a layer's table of features."""

    def set_features(self, layer_id: str, given: pd.DataFrame, *, in_place: bool) -> None:
        """Set a layer's table of features, or some of its columns."""


@dataclass(frozen=True, slots=True)
class DataHost:
    """What the data routes need of the server around them."""

    post: Callable[[Callable[[], None]], None]
    """Runs a call on the render thread, in line with what clients ask for there."""
    applied: Callable[[str], int]
    """Says there which intent of a viewer is the newest that is carried out."""
    layers: Layers
    received: Callable[[str], list[Pixels]]
    """Returns the arrays of a file that a client sent, which goes. Any thread."""


class _Later(Exception):
    """The server is busy: the client may ask again."""


class _Gone(Exception):
    """The client is gone: nobody reads the answer."""


def data_routes(host: DataHost) -> list[Route]:
    """Return the routes; the gate before them asks for the token of those who control."""
    at_work = asyncio.Semaphore(MOST_AT_WORK)
    tables = asyncio.Semaphore(MOST_TABLES)

    async def describe(request: Request) -> Response:
        found = await _turn(host, request, lambda: host.layers.describe(request.path_params["layer"]))
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def read(request: Request) -> Response:
        asked, path = request.query_params, request.path_params
        region, packed = asked.get("region", "")[:4096], SHUFFLED in request.headers.get("accept-encoding", "")
        revision, take = await _turn(host, request, lambda: host.layers.read(path["layer"], path["array"], region))
        return await _work(at_work, lambda: _answer(take(), revision, packed=packed))

    async def write(request: Request) -> Response:
        asked, path = request.query_params, request.path_params
        region, body = asked.get("region", "")[:4096], await read_body(request, MOST_BYTES + MOST_ITEM_BYTES)
        values = await _work(at_work, lambda: _values(request, body))
        rest = await _turn(host, request, lambda: host.layers.write(path["layer"], path["array"], region, values))
        await _work(at_work, rest)
        return Response(status_code=204)

    async def replace(request: Request) -> Response:
        body, uploaded = await read_body(request, MOST_BYTES), request.query_params.get("uploaded", "")[:4096]
        arrays = await _work(
            at_work, lambda: host.received(uploaded) if uploaded else arrays_in(io.BytesIO(body), len(body))
        )
        await _turn(host, request, lambda: host.layers.replace(request.path_params["layer"], arrays))
        return Response(status_code=204)

    async def features(request: Request) -> Response:
        async with tables:
            rows = request.query_params.get("rows", "")
            revision, table = await _turn(host, request, lambda: host.layers.features(request.path_params["layer"]))
            shown = table.iloc[: whole_number(rows)] if rows else table
            return await _work(at_work, lambda: _table_answer(shown, revision, len(table), request.headers))

    async def set_features(request: Request) -> Response:
        async with tables:
            body = await read_body(request, MOST_BODY_BYTES)
            table = await _work(at_work, lambda: from_body(_unpacked(request, body, MOST_BODY_BYTES)))
            layer, in_place = request.path_params["layer"], request.query_params.get("in_place", "") == "1"
            await _turn(host, request, lambda: host.layers.set_features(layer, table, in_place=in_place))
            return Response(status_code=204)

    return [
        Route("/layers/{layer}/features", _answering(features)),
        Route("/layers/{layer}/features", _answering(set_features), methods=["PUT"]),
        Route("/layers/{layer}/data", _answering(describe)),
        Route("/layers/{layer}/data", _answering(replace), methods=["PUT"]),
        Route("/layers/{layer}/data/{array:int}", _answering(read)),
        Route("/layers/{layer}/data/{array:int}", _answering(write), methods=["PUT"]),
    ]


def _answering(route: Callable[[Request], Coroutine[Any, Any, Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return a route that answers what it raises, and gives up when its client does."""

    async def answer(request: Request) -> Response:
        try:
            return await _while_there(request, route(request))
        except _Gone:
            return Response(status_code=499)
        except _Later as later:
            return _refused(DataFailure("data.busy", str(later)), 503)
        except Exception as error:  # the data is the user's: an array may raise anything
            if is_refusal(error):
                return _refused(DataFailure("data.refused", str(error)), 409)
            log.debug("a request for data failed", exc_info=True)
            lines = "".join(traceback.format_exception(error))[-LONGEST_TRACEBACK:]
            return _refused(DataFailure("data.failed", str(error), type(error).__name__, lines), 422)

    return answer


async def _while_there(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """Wait for the answer; _Gone if nobody waits for it any more."""
    task = asyncio.create_task(work)
    try:
        while True:
            done, _ = await asyncio.wait([task], timeout=GONE_EVERY_S)
            if done:
                return task.result()
            if request.method == "GET" and await request.is_disconnected():  # what is written is written
                raise _Gone
    finally:
        task.cancel()


async def _turn(host: DataHost, request: Request, call: Callable[[], T]) -> T:
    """Return what `call` returns on the render thread, once what the client asked for before is carried out there."""
    viewer, after = request.query_params.get("viewer", ""), whole_number(request.query_params.get("after", "0"))
    until_s = time.monotonic() + TURN_S
    loop = asyncio.get_running_loop()

    def run(answer: asyncio.Future[T | None], fulfil: Callable[..., None]) -> None:
        if answer.cancelled():
            return
        try:
            result = (call(),) if host.applied(viewer) >= after else None
        except Exception as error:  # noqa: BLE001 -- it is the answer
            post(loop, fulfil, answer, None, error)
        else:
            post(loop, fulfil, answer, result, None)

    while True:
        answer: asyncio.Future[Any] = loop.create_future()
        host.post(lambda answer=answer: run(answer, _fulfil))  # type: ignore[misc] # a default, for the loop
        try:
            result = await asyncio.wait_for(answer, max(0.1, until_s - time.monotonic()))
        except TimeoutError:
            raise _Later("the server is busy: it has not come round to this request") from None
        if result is not None:
            done: T = result[0]
            return done
        if time.monotonic() > until_s:
            raise _Later("what was asked for before has not arrived at the server")
        await asyncio.sleep(LOOK_AGAIN_S)


def _fulfil(answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)


async def _work(at_work: asyncio.Semaphore, call: Callable[[], T]) -> T:
    """Return what `call` returns on a thread of its own; one that nobody waits for any more still counts."""
    await at_work.acquire()
    running = asyncio.ensure_future(asyncio.to_thread(call))
    running.add_done_callback(lambda _: at_work.release())
    return await asyncio.shield(running)


def _answer(pixels: Pixels, revision: int, *, packed: bool) -> Response:
    little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    body = little.tobytes()
    headers = {
        DTYPE_HEADER: little.dtype.str,
        SHAPE_HEADER: ",".join(str(side) for side in little.shape),
        REVISION_HEADER: str(revision),
    }
    smaller = pack(body, little.itemsize) if packed else None
    if smaller is not None:
        body, headers = smaller, headers | {CODING_HEADER: SHUFFLED, ITEMSIZE_HEADER: str(little.itemsize)}
    return Response(body, headers=headers, media_type="application/octet-stream")


def _table_answer(table: pd.DataFrame, revision: int, rows: int, asked: Mapping[str, str]) -> Response:
    """Return a table, or that it is the one that the client has."""
    body = to_body(table)
    headers = {REVISION_HEADER: str(revision), ROWS_HEADER: str(rows), "etag": f'"{tag_of(body)}"'}
    if asked.get("if-none-match", "") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    smaller = pack(body, TABLE_ITEM_BYTES) if SHUFFLED in asked.get("accept-encoding", "") else None
    if smaller is not None:
        body, headers = smaller, headers | {CODING_HEADER: SHUFFLED, ITEMSIZE_HEADER: str(TABLE_ITEM_BYTES)}
    return Response(body, headers=headers, media_type="application/octet-stream")


def _unpacked(request: Request, body: bytes, most_bytes: int) -> bytes:
    if request.headers.get(CODING_HEADER) != SHUFFLED:
        return body
    return unpack(body, whole_number(request.headers.get(ITEMSIZE_HEADER, "1")), most_bytes)


def _values(request: Request, body: bytes) -> Pixels:
    """Return what a client sent; ValueError if it is no array."""
    dtype = np.dtype(request.headers.get(DTYPE_HEADER, ""))
    if dtype.kind not in "biufc":
        raise ValueError(f"values of dtype {dtype} cannot be written")
    sides = request.headers.get(SHAPE_HEADER, "")
    shape = tuple(whole_number(side) for side in sides.split(",")) if sides else ()
    body = _unpacked(request, body, MOST_BYTES + MOST_ITEM_BYTES)
    return np.frombuffer(body, dtype).reshape(shape)


def _refused(failure: DataFailure, status: int) -> Response:
    return Response(msgspec.json.encode(failure), status_code=status, media_type="application/json")
