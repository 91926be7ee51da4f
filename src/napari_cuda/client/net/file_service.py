"""FileService: the server's file routes, and the one that interrupts, as functions that block.

Any thread but the GUI's. Each call opens its own connection. What goes wrong is a ConnectError or DataError in one
line.
"""

from __future__ import annotations

import hashlib
import http.client
import secrets
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.net.array_stream import ArrayStream
from napari_cuda.client.net.http_line import HttpLine, Pace
from napari_cuda.client.net.sending import Sending, chunks, refusal
from napari_cuda.client.net.transfer import Transfer
from napari_cuda.protocol.errors import ConnectError, DataError
from napari_cuda.protocol.files import CHUNK_BYTES, FolderPage, Found, UploadRequest

DIGEST_BYTES = 16
TIMEOUT_S = 20.0

Writer = tuple[str, str, list[str]]
"""Plugin, title, file suffixes; no suffix: a folder."""

T = TypeVar("T")


class FileService:
    """The routes of one server."""

    def __init__(self, config: ClientConfig) -> None:
        parts = urlsplit(config.base)
        self._tls = parts.scheme == "wss"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._prefix = parts.path
        self._token = config.token
        self._config = config
        self._pace = Pace()

    def list_folder(self, path: str, search: str = "", offset: int = 0) -> FolderPage:
        """Return a page of a folder's entries; "" for the places where to begin."""
        return self._ask("GET", "/files", FolderPage, {"path": path, "search": search, "offset": offset})

    def search(self, path: str, search: str, after: str = "") -> Found:
        """Return some of what has `search` in its name below a folder; `after` goes on from the answer before."""
        return self._ask("GET", "/files/search", Found, {"path": path, "search": search, "after": after})

    def readers(self, path: str) -> dict[str, str]:
        """Return the server's reader plugins for a path: name → title."""
        return self._ask("GET", "/files/readers", dict[str, str], {"path": path})

    def writers(self, kinds: Sequence[str]) -> list[Writer]:
        """Return the server's writer plugins for layers of these kinds."""
        return self._ask("GET", "/files/writers", list[Writer], [("kind", kind) for kind in kinds])

    def interrupt(self) -> None:
        """Interrupt what keeps the server's Python, as Ctrl+C would; DataError in one line if there is nothing."""
        self._ask("POST", "/interrupt", dict[str, Any])

    def upload(self, source: Path, transfer: Transfer) -> str:
        """Send a file, or a folder with all in it; return its path on the server. Goes on after a lost connection."""
        group = secrets.token_hex(8)
        done_bytes, remote = 0, ""
        for file in _files_of(source):
            name = file.relative_to(source.parent).as_posix()
            remote = self._upload_file(
                file, UploadRequest(group, name, file.stat().st_size, _digest(file)), transfer, done_bytes
            )
            done_bytes += file.stat().st_size
        if not remote:
            raise DataError(f"{source} has no files to send")
        return remote

    def download(self, key: str, size_bytes: int, target: Path, transfer: Transfer) -> None:
        """Fetch a file that a job made. Beside `target` first; goes on after a lost connection."""
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        part.touch()
        try:
            while (offset := part.stat().st_size) < size_bytes:
                transfer.patiently(partial(self._fetch, key, part, offset, transfer))
            part.replace(target)
        except OSError as error:
            raise DataError(f"{target} cannot be written: {error.strerror or error}") from None
        finally:
            part.unlink(missing_ok=True)

    def upload_arrays(self, arrays: ArrayStream, transfer: Transfer) -> str:
        """Send arrays as a file, computed as they go; return its path on the server."""
        request = UploadRequest(secrets.token_hex(8), "arrays.npy", arrays.size_bytes, "")
        with self._sending(request, transfer) as sending:
            path = sending.send(chunks(arrays.pieces(CHUNK_BYTES), arrays.itemsize, self._pace))
            transfer.arrive()
            return path

    def _upload_file(self, file: Path, request: UploadRequest, transfer: Transfer, before_bytes: int) -> str:
        with self._sending(request, transfer, before_bytes) as sending, file.open("rb") as data:
            data.seek(sending.state.offset)
            sending.send(chunks(iter(partial(data.read, CHUNK_BYTES), b""), 1, self._pace))
            if not sending.state.complete:
                raise DataError(f"{file} was changed while it was sent")
            return sending.state.path

    @contextmanager
    def _sending(self, request: UploadRequest, transfer: Transfer, before_bytes: int = 0) -> Iterator[Sending]:
        line = HttpLine(self._config)
        sending = Sending(line, self._pace, transfer, before_bytes)
        try:
            with transfer.over(line):
                sending.begin(request)
                yield sending
        except BaseException:  # a cancelled transfer too: the server need not keep half a file
            sending.forget(lambda: HttpLine(self._config))
            raise
        finally:
            line.close()

    def _fetch(self, key: str, part: Path, offset: int, transfer: Transfer) -> None:
        with self._request("GET", f"/downloads/{key}", headers={"Range": f"bytes={offset}-"}) as response:
            with part.open("r+b") as file:
                file.seek(offset if response.status == http.client.PARTIAL_CONTENT else 0)
                while chunk := response.read(CHUNK_BYTES):
                    file.write(chunk)
                    transfer.done(file.tell())

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        query: Mapping[str, object] | Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> T:
        with self._request(method, f"{path}?{urlencode(query)}", body) as response:
            return msgspec.json.decode(response.read(), type=kind)

    def _request(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> _Answer:
        connection: http.client.HTTPConnection
        if self._tls:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        return _Answer(connection, method, self._prefix + target, body, {
            "Authorization": f"Bearer {self._token}", **(headers or {})
        })  # fmt: skip


class _Answer:
    """One request's answer, while it is read; what goes wrong with the connection is a ConnectError."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> None:
        self._connection = connection
        self._ask = (method, target, body, headers)
        self._response: http.client.HTTPResponse | None = None
        self.status = 0

    def __enter__(self) -> _Answer:
        method, target, body, headers = self._ask
        try:
            self._connection.request(method, target, body, headers)
            self._response = self._connection.getresponse()
            self.status = self._response.status
            if self.status >= http.client.BAD_REQUEST:
                raise DataError(refusal(self.status, self._response.read()))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ConnectError(f"the server does not answer: {error}") from None
        except DataError:
            self._connection.close()
            raise
        return self

    def read(self, most_bytes: int | None = None) -> bytes:
        """Return the next bytes of the body."""
        if self._response is None:
            return b""
        try:
            return self._response.read(most_bytes)
        except (OSError, http.client.HTTPException) as error:
            raise ConnectError(f"the connection was lost: {error}") from None

    def __exit__(self, *_error: object) -> None:
        self._connection.close()


def size_of(source: Path) -> int:
    """Return the bytes that `upload` would send."""
    return sum(file.stat().st_size for file in _files_of(source))


def _files_of(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield from sorted(path for path in source.rglob("*") if path.is_file())
    else:
        yield source


def _digest(file: Path) -> str:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with file.open("rb") as data:
        while chunk := data.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
