"""Metadata of a store that is far away: each document is read once in an opening, and all that will be needed at once.

A reader plugin asks for the metadata of one level after the other, and each question takes a round trip.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import fsspec
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore

ROOT = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")
"""What may be in the folder of a store: of Zarr 3, of Zarr 2, and of what Zarr 2 has consolidated."""

MOST_AHEAD = 256
"""Documents that are read ahead. A pyramid has two dozen at most; what says it has more may say anything."""

CHUNKS_AT_A_TIME = 32
"""Of a region that is read in one go, the coarsest level before all. Zarr's own 10 take a round trip more."""

Documents = dict[str, bytes | None]
"""Address → what was there; None: nothing."""

_known: ContextVar[Documents | None] = ContextVar("known", default=None)


@contextmanager
def each_read_once() -> Iterator[None]:
    """Have no document of metadata read twice by what is done here, on whatever thread. Nothing is kept after it.

    Bound: the metadata of what is opened here. Zarr runs its requests in the context of the thread that waits for them.
    """
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def read_ahead(url: str, timeout_s: float) -> dict[str, bytes | Exception | None]:
    """Read the metadata that a reader of a store will ask for, and return what is in its folder, by name. Blocks.

    It takes one round trip for the folder, one for the levels, and one more for labels. Raises what fsspec raises for
    an address that it cannot make a store of; what could not be read is returned as the reason.
    """
    _have_read_once(fsspec.core.split_protocol(url)[0] or "file")
    # The same file system, so the same connections, that a reader gets on this thread.
    return sync(_read_ahead(FsspecStore.from_url(url, read_only=True), timeout_s))


async def _read_ahead(store: FsspecStore, timeout_s: float) -> dict[str, bytes | Exception | None]:
    root = await _read(store, ROOT, timeout_s)
    known: Documents = {key: None if isinstance(body, Exception) else body for key, body in root.items()}
    while keys := following(known)[: MOST_AHEAD - len(known)]:
        found = await _read(store, keys, timeout_s)
        # A reader that asks again is told what is wrong with it.
        known |= {key: None if isinstance(body, Exception) else body for key, body in found.items()}
    return root


async def _read(store: FsspecStore, keys: Sequence[str], timeout_s: float) -> dict[str, bytes | Exception | None]:
    async def read(key: str) -> bytes | Exception | None:
        try:
            async with asyncio.timeout(timeout_s):
                body = await store.get(key, default_buffer_prototype())
        except Exception as error:  # noqa: BLE001 -- file systems raise what they like; it is returned
            return error
        return None if body is None else body.to_bytes()

    return dict(zip(keys, await asyncio.gather(*map(read, keys)), strict=True))


def following(known: Mapping[str, bytes | None]) -> list[str]:
    """Return the keys that a reader of these documents will ask for next: levels, labels, their levels. Pure.

    None if all is in one document already.
    """
    zarr3 = known.get("zarr.json")
    if (_parsed(zarr3).get("consolidated_metadata") if zarr3 else known.get(".zmetadata")) is not None:
        return []
    names, attributes_name = (("zarr.json",), "zarr.json") if zarr3 else ((".zarray", ".zgroup", ".zattrs"), ".zattrs")
    keys = []
    for key, body in known.items():
        node, _, name = key.rpartition("/")
        if body is not None and name == attributes_name:
            attributes = _parsed(body)
            children = _children(attributes.get("attributes", {}) if zarr3 else attributes)
            keys += [f"{node}/{child}/{name}".lstrip("/") for child in children for name in names]
    return [key for key in dict.fromkeys(keys) if key not in known]


def _parsed(document: bytes | None) -> dict[str, Any]:
    """Return a document; an empty one if it is none: whoever reads it will complain."""
    try:
        parsed = json.loads(document or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _children(attributes: Mapping[str, Any]) -> list[str]:
    """Return the paths below a node that OME-Zarr says are there."""
    try:
        ome = attributes.get("ome", attributes)
        paths = [dataset["path"] for image in ome.get("multiscales", [])[:1] for dataset in image["datasets"]]
        paths += ["labels"] if "multiscales" in ome else []
        paths += ome.get("labels", [])
        return [path for path in paths if path and not {"", ".", ".."} & set(path.split("/"))]
    except (AttributeError, KeyError, TypeError):
        return []


class _ReadOnce:
    """Goes before an fsspec file system: remembers metadata while `each_read_once`."""

    plain: type[Any]

    async def _cat_file(self, path: str, *where: Any, **options: Any) -> bytes:
        read = super()._cat_file  # type: ignore[misc]
        known = _known.get()
        part = where or any(option is not None for option in options.values())
        if known is None or part or path.rpartition("/")[2] not in ROOT:
            return await read(path, *where, **options)  # type: ignore[no-any-return]
        if path not in known:
            try:
                known[path] = await read(path, **options)
            except FileNotFoundError:
                known[path] = None
        document = known[path]
        if document is None:
            raise FileNotFoundError(path)
        return document

    def __reduce__(self) -> tuple[Any, ...]:
        """Elsewhere (a worker of dask) it is the file system without this."""
        reduced: Any = super().__reduce__()
        make, (_, *arguments) = reduced
        return make, (self.plain, *arguments)


def _have_read_once(scheme: str) -> None:
    """Have the file systems of a scheme that are made from now on remember metadata, if they can wait for several."""
    plain = fsspec.get_filesystem_class(scheme)
    if plain.async_impl and not issubclass(plain, _ReadOnce):
        once = type(plain.__name__, (_ReadOnce, plain), {"plain": plain})
        fsspec.register_implementation(scheme, once, clobber=True)
        zarr.config.set({"async.concurrency": CHUNKS_AT_A_TIME})
