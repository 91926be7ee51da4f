"""Sending: a file on its way to the server in chunks, the next one made while one is sent."""

from __future__ import annotations

import hashlib
import http.client
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from napari_cuda.client.net.http_line import Answer, HttpLine, Pace
from napari_cuda.client.net.transfer import Transfer
from napari_cuda.protocol.errors import ConnectError, DataError
from napari_cuda.protocol.files import UploadRequest, UploadState
from napari_cuda.protocol.packing import CODING_HEADER, ITEMSIZE_HEADER, SHUFFLED, pack
from napari_cuda.worker import Worker

DIGEST_BYTES = 16
MADE_AHEAD = 1
"""Chunks that wait to be sent, besides the one that is made and the one on its way: one is enough to never wait."""

LOOK_EVERY_S = 0.1

FORGETS_IN_S, FORGETS_FOR_S = 3.0, 30.0
"""How long the server may take to forget a file, and how long it is asked to; then it does so by itself in an hour."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chunk:
    """What goes in one request: so much of the file, packed if that is worth it, and the digest of all up to it."""

    size_bytes: int
    body: bytes
    digest: str
    headers: Mapping[str, str] = field(default_factory=dict)


def chunks(pieces: Iterable[bytes], itemsize: int, pace: Pace) -> Generator[Chunk]:
    """Yield the pieces of a file as they are sent on a way of that pace."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for piece in pieces:
        digest.update(piece)
        packed = pack(piece, itemsize) if pace.packs else None
        if packed is None:
            yield Chunk(len(piece), piece, digest.hexdigest())
        else:
            headers = {CODING_HEADER: SHUFFLED, ITEMSIZE_HEADER: str(itemsize)}
            yield Chunk(len(piece), packed, digest.hexdigest(), headers)


class Ahead(Generic[T]):
    """What an iterator yields, made on a thread of its own while the one before is used. Raises what it raises.

    Owner: who uses it; `close` ends the thread, once it has made what it is at.
    """

    def __init__(self, made: Generator[T]) -> None:
        self._made = made
        self._ready: queue.Queue[tuple[T | None, Exception | None]] = queue.Queue(MADE_AHEAD)
        self._worker = Worker("packing", self._make).start()

    def __iter__(self) -> Iterator[T]:
        while True:
            one, error = self._ready.get()
            if error is not None:
                raise error
            if one is None:
                return
            yield one

    def close(self) -> None:
        """Make no more. Waits for nothing: a lazy array may compute for long."""
        self._worker.request_stop()

    def _make(self, stop: threading.Event) -> None:
        try:
            for one in self._made:
                self._put(one, None, stop)
                if stop.is_set():
                    return
            self._put(None, None, stop)
        except Exception as error:  # noqa: BLE001 -- it is raised where what was made is used
            self._put(None, error, stop)
        finally:
            self._made.close()

    def _put(self, one: T | None, error: Exception | None, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._ready.put((one, error), timeout=LOOK_EVERY_S)
            except queue.Full:
                continue
            return


class Sending:
    """One file on its way, over one connection. Owner: its transfer's thread."""

    def __init__(self, line: HttpLine, pace: Pace, transfer: Transfer, before_bytes: int) -> None:
        self._line = line
        self._pace = pace
        self._transfer = transfer
        self._before_bytes = before_bytes
        self.state = UploadState("", 0, False, "")

    def begin(self, request: UploadRequest) -> None:
        """Ask the server to take it, or to go on with it."""
        body = msgspec.json.encode(request)
        self.state = self._transfer.patiently(lambda: self._ask("POST", "/uploads", body))

    def send(self, parts: Generator[Chunk]) -> str:
        """Send what comes, each part while the next one is made; return the file's path on the server."""
        with closing(Ahead(parts)) as made:
            for chunk in made:
                self._append(chunk)
        return self.state.path

    def _append(self, chunk: Chunk) -> None:
        """Send what comes next, until the server has it; with the last of it the digest counts."""
        self._transfer.done(self._before_bytes + self.state.offset)
        target = f"/uploads/{self.state.upload}?{urlencode({'offset': self.state.offset, 'digest': chunk.digest})}"
        began_s = time.perf_counter()
        state = self._transfer.patiently(lambda: self._ask("PUT", target, chunk.body, chunk.headers))
        self._pace.learn(len(chunk.body), time.perf_counter() - began_s)
        if state.offset != self.state.offset + chunk.size_bytes:
            raise DataError(
                f"the server has {state.offset} bytes of what should be {self.state.offset + chunk.size_bytes}"
            )
        self.state = state

    def forget(self, open_line: Callable[[], HttpLine]) -> None:
        """Have the server forget it, over other lines: the one that it went over may be stuck."""
        until_s = time.monotonic() + FORGETS_FOR_S
        while self.state.upload and time.monotonic() < until_s:
            with closing(open_line()) as line:
                try:
                    _decoded(line.ask("DELETE", f"/uploads/{self.state.upload}", answer_s=FORGETS_IN_S), type(None))
                except ConnectError:
                    time.sleep(LOOK_EVERY_S)
                    continue
                except DataError:
                    return  # the server knows nothing of it
                return

    def _ask(self, method: str, target: str, body: bytes, headers: Mapping[str, str] | None = None) -> UploadState:
        return _decoded(self._line.ask(method, target, body, headers), UploadState)


def _decoded(answer: Answer, kind: type[T]) -> T:
    """Return what the server answered; DataError in its words if it refused."""
    if answer.status >= http.client.BAD_REQUEST:
        raise DataError(refusal(answer.status, answer.body))
    return msgspec.json.decode(answer.body, type=kind)


def refusal(status: int, body: bytes) -> str:
    """Return why the server refused, in its words."""
    try:
        answer: dict[str, Any] = msgspec.json.decode(body)
        return str(answer["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the server refused with HTTP status {status}"
