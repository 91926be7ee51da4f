"""Uploads: files that clients send, in a folder that goes with the server."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.files import UploadRequest, UploadState

GROUP = re.compile(r"[0-9a-f]{16}")
DIGEST_BYTES = 16
LONGEST_NAME = 1024
FORGOTTEN_S = 3600.0
"""An upload that was not gone on with for so long goes when another begins."""

MOST_UPLOADS = 100_000
"""Files in a session: the chunks of some Zarr pyramids, and an end to the table that is kept of them."""


class _Upload:
    """One file in the making. Chunks come in order, so that the digest is known with the last."""

    def __init__(self, request: UploadRequest, file: Path, now_s: float) -> None:
        self.request = request
        self.file = file
        self.offset = 0
        self.touched_s = now_s
        self.digest = hashlib.blake2b(digest_size=DIGEST_BYTES)

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return self.offset == self.request.size_bytes


class Uploads:
    """Takes files in chunks. Any thread; it locks, and a chunk is written under the lock.

    `limit_bytes` bounds what all clients together may send in a session; 0 refuses uploads.
    All methods raise DataError in one line for what is refused.
    """

    def __init__(self, folder: Path, limit_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder.resolve()
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._uploads: dict[str, _Upload] = {}
        self._files: set[Path] = set()
        self._promised_bytes = 0

    def begin(self, request: UploadRequest) -> UploadState:
        """Begin to take a file, or go on with one of the same group, name, size and digest."""
        parts = _safe_parts(request)
        key = hashlib.blake2b(repr(request).encode(), digest_size=DIGEST_BYTES).hexdigest()
        with self._lock:
            if key not in self._uploads:
                self._drop_forgotten()
                self._make_room(request)
                file = self._folder.joinpath(request.group, *parts)
                if file in self._files:
                    raise DataError(f"{request.name} was sent already, with other contents")
                try:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.touch(exist_ok=False)  # not where a folder is
                except OSError as error:
                    raise _not_stored(request, error) from None
                self._uploads[key] = _Upload(request, file, self._clock())
                self._files.add(file)
                self._promised_bytes += request.size_bytes
                if request.size_bytes == 0:
                    self._check(key, hashlib.blake2b(digest_size=DIGEST_BYTES).hexdigest())
            return self._state(key)

    def append(self, key: str, offset: int, chunk: bytes, digest: str = "") -> UploadState:
        """Take a chunk; one that was taken before changes nothing. The digest comes with the last one at the latest."""
        with self._lock:
            upload = self._uploads.get(key)
            if upload is None:
                raise DataError("the server knows no such upload: begin it again")
            if chunk and offset == upload.offset:
                if offset + len(chunk) > upload.request.size_bytes:
                    raise DataError(f"{upload.request.name} is longer than was said")
                try:
                    with upload.file.open("ab") as file:
                        file.write(chunk)
                except OSError as error:
                    self._drop(key)
                    raise _not_stored(upload.request, error) from None
                upload.digest.update(chunk)
                upload.offset += len(chunk)
                upload.touched_s = self._clock()
                if upload.complete:
                    self._check(key, digest)
            return self._state(key)

    def drop(self, key: str) -> None:
        """Forget an upload that nobody wants any more, and what came of it."""
        with self._lock:
            if key in self._uploads:
                self._drop(key)

    def release(self, path: str) -> None:
        """Delete a file that was sent and is needed no more, and have its room again; nothing if it is no such file."""
        with self._lock:
            for key, upload in self._uploads.items():
                if upload.complete and str(upload.file) == path:
                    self._drop(key)
                    return

    def _drop_forgotten(self) -> None:
        """Drop what was not gone on with: its client was killed, or never came back."""
        now_s = self._clock()
        for key in [
            key
            for key, upload in self._uploads.items()
            if not upload.complete and now_s - upload.touched_s > FORGOTTEN_S
        ]:
            self._drop(key)

    def _make_room(self, request: UploadRequest) -> None:
        if not self._limit_bytes:
            raise DataError("this server takes no uploads (NAPARI_CUDA_UPLOAD_LIMIT_MB is 0)")
        if request.size_bytes < 0 or self._promised_bytes + request.size_bytes > self._limit_bytes:
            left = (self._limit_bytes - self._promised_bytes) // 1_000_000
            raise DataError(
                f"{request.name} is too large: the server has {left} MB left for uploads "
                "(its NAPARI_CUDA_UPLOAD_LIMIT_MB)"
            )
        if len(self._uploads) >= MOST_UPLOADS:
            raise DataError(f"more than {MOST_UPLOADS} files were sent in this session")

    def _check(self, key: str, digest: str) -> None:
        upload = self._uploads[key]
        if upload.digest.hexdigest() != (upload.request.digest or digest):
            self._drop(key)
            raise DataError(f"{upload.request.name} arrived damaged, or was changed meanwhile: send it again")

    def _drop(self, key: str) -> None:
        upload = self._uploads.pop(key)
        self._promised_bytes -= upload.request.size_bytes
        self._files.discard(upload.file)
        upload.file.unlink(missing_ok=True)
        for folder in upload.file.relative_to(self._folder).parents[:-1]:
            try:
                (self._folder / folder).rmdir()
            except OSError:
                return  # others of its group are there

    def _state(self, key: str) -> UploadState:
        upload = self._uploads[key]
        top = self._folder / upload.request.group / PurePosixPath(upload.request.name).parts[0]
        return UploadState(key, upload.offset, upload.complete, str(top))


def _not_stored(request: UploadRequest, error: OSError) -> DataError:
    return DataError(f"{request.name[:100]} cannot be stored: {error.strerror or error}")


def _safe_parts(request: UploadRequest) -> tuple[str, ...]:
    """Return the parts of a name that stays inside its folder; DataError if it does not."""
    parts = PurePosixPath(request.name).parts
    bad = any(part in ("..", ".", "/") or "\\" in part or "\0" in part or len(part) > 255 for part in parts)
    if bad or not parts or len(request.name) > LONGEST_NAME or not GROUP.fullmatch(request.group):
        raise DataError(f"{request.name[:100]!r} is not a name that a file can be sent under")
    return parts
