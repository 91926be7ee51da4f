"""Stores elsewhere, over HTTP and S3: whether there is one, said in one line before a reader plugin tries."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from napari_cuda.protocol.errors import DataError
from napari_cuda.server.data.listing import ZARR_MARKS
from napari_cuda.server.data.roots import is_url

ANSWER_S = 15.0
"""A host that says nothing for so long is down."""

READ_S = 60.0
"""A chunk takes so long at most; then it counts as unreadable, and is asked for again when it is next seen."""


@contextmanager
def opening(paths: Sequence[str]) -> Iterator[None]:
    """Have addresses among the paths checked, and their metadata read once and ahead of the reader plugin. Blocks.

    Raises DataError in one line if nothing can be read at an address, or what is there is no Zarr.
    """
    urls = [path for path in paths if is_url(path)]
    if not urls:
        yield
        return
    from napari_cuda.server.data.metadata_reads import each_read_once  # noqa: PLC0415 -- zarr takes a second

    with each_read_once():
        for url in urls:
            check_remote(url)
        yield


def check_remote(url: str) -> None:
    """Raise DataError in one line if nothing can be read at an address, or what is there is no Zarr. Blocks.

    What ends like a file is left to the reader plugins.
    """
    if "." in urlsplit(url).path.rstrip("/").rpartition("/")[2].removesuffix(".zarr"):
        return
    from napari_cuda.server.data.metadata_reads import read_ahead  # noqa: PLC0415 -- zarr takes a second

    try:
        limit_times()
        answers = read_ahead(url, ANSWER_S)
    except Exception as error:  # file systems raise what they like
        raise DataError(f"cannot open {url}: {_reason(url, error)}") from error
    marks = [answers[mark] for mark in ZARR_MARKS]
    if not any(isinstance(answer, bytes) for answer in marks):
        failures = [answer for answer in marks if isinstance(answer, Exception)]
        raise DataError(f"cannot open {url}: {_reason(url, *failures)}")


def limit_times() -> None:
    """Have hosts that hang given up, by all that reads over HTTP in this process."""
    aiohttp = importlib.import_module("aiohttp")
    conf: dict[str, Any] = importlib.import_module("fsspec.config").conf
    times = {"timeout": aiohttp.ClientTimeout(total=READ_S, sock_connect=ANSWER_S)}
    for scheme in ("http", "https"):
        conf.setdefault(scheme, {}).setdefault("client_kwargs", times)


def _reason(url: str, *errors: BaseException) -> str:
    """Say in words why nothing was read."""
    error = next((error for error in errors if not isinstance(error, FileNotFoundError)), None)
    if error is None:
        return "there is no Zarr at this address (no zarr.json, .zgroup or .zarray)"
    host = urlsplit(url).netloc
    status = getattr(error, "status", None)
    if isinstance(error, PermissionError) or status in (401, 403):
        return f"{host} refuses access; are the credentials of the server's user right?"
    if status is not None:
        return f"{host} answers {status} {getattr(error, 'message', '')}".rstrip()
    if isinstance(error, TimeoutError):
        return f"{host} does not answer within {ANSWER_S:g} s"
    if isinstance(error, ImportError | ValueError):
        return str(error).splitlines()[0]
    return f"{host} cannot be reached ({type(error).__name__}: {error})".splitlines()[0][:300]
