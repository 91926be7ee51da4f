"""The file routes: listings, uploads and downloads. Owner: network thread; the disk is touched on others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.files import CHUNK_BYTES, UploadRequest, UploadState
from napari_cuda.protocol.packing import CODING_HEADER, ITEMSIZE_HEADER, SHUFFLED, unpack
from napari_cuda.server.data.listing import list_folder
from napari_cuda.server.data.opening import readers_of
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.data.saving import writers_of
from napari_cuda.server.data.searching import search_below
from napari_cuda.server.data.session_files import SessionFiles
from napari_cuda.server.net.bodies import read_body, whole_number

log = logging.getLogger(__name__)

MOST_REQUEST_BYTES = 64 * 1024
"""An upload's request: a name of 1024 characters and a digest."""


@dataclass(frozen=True, slots=True)
class FileHost:
    """What the file routes need of the server around them."""

    roots: ServedRoots
    files: SessionFiles


def file_routes(host: FileHost) -> list[Route]:
    """Return the routes; the gate before them asks for the token."""
    uploads = host.files.uploads

    async def listing(request: Request) -> Response:
        query = request.query_params
        offset = whole_number(query.get("offset", "0"))
        return await _answer(list_folder, host.roots, query.get("path", ""), query.get("search", "")[:200], offset)

    async def search(request: Request) -> Response:
        query = request.query_params
        wanted, after = query.get("search", "")[:200], query.get("after", "")[:4096]
        return await _answer(search_below, host.roots, query.get("path", ""), wanted, after)

    async def readers(request: Request) -> Response:
        path = request.query_params.get("path", "")
        return await _answer(lambda: readers_of(host.roots.resolve(path)))

    async def writers(request: Request) -> Response:
        return await _answer(writers_of, request.query_params.getlist("kind")[:1000])

    async def begin(request: Request) -> Response:
        body = await read_body(request, MOST_REQUEST_BYTES)
        return await _answer(lambda: uploads.begin(_upload_request(body)))

    async def append(request: Request) -> Response:
        body = await read_body(request, CHUNK_BYTES)
        offset, digest = whole_number(request.query_params.get("offset", "0")), request.query_params.get("digest", "")
        itemsize = whole_number(request.headers.get(ITEMSIZE_HEADER, "1"))
        packed = request.headers.get(CODING_HEADER) == SHUFFLED and bool(body)

        def take() -> UploadState:
            chunk = unpack(body, itemsize, CHUNK_BYTES) if packed else body
            return uploads.append(request.path_params["key"], offset, chunk, digest)

        return await _answer(take)

    async def drop(request: Request) -> Response:
        return await _answer(uploads.drop, request.path_params["key"])

    async def download(request: Request) -> Response:
        file = host.files.download(request.path_params["key"])
        if file is None or not file.is_file():
            return _refused("there is no such file to fetch (any more): save the layers again", 404)
        return FileResponse(file, filename=file.name, media_type="application/octet-stream")

    return [
        Route("/files", listing),
        Route("/files/search", search),
        Route("/files/readers", readers),
        Route("/files/writers", writers),
        Route("/uploads", begin, methods=["POST"]),
        Route("/uploads/{key}", append, methods=["PUT"]),
        Route("/uploads/{key}", drop, methods=["DELETE"]),
        Route("/downloads/{key}", download),
    ]


async def _answer(function: Callable[..., Any], *args: object) -> Response:
    """Run `function` off the network thread; its result as JSON, what it raises as a refusal in one line."""
    try:
        result = await asyncio.to_thread(function, *args)
    except DataError as error:
        return _refused(str(error), 409)
    except Exception as error:  # napari's plugins raise anything
        log.exception("a file request failed")
        return _refused(f"the server failed: {type(error).__name__}: {error}".splitlines()[0], 500)
    return Response(msgspec.json.encode(result), media_type="application/json")


def _upload_request(body: bytes) -> UploadRequest:
    try:
        return msgspec.json.decode(body, type=UploadRequest)
    except msgspec.DecodeError as error:
        raise DataError(f"the request for an upload is malformed: {error}") from None


def _refused(message: str, status: int) -> Response:
    return JSONResponse({"code": "files.refused", "message": message}, status_code=status)
