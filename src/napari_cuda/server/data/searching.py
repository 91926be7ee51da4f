"""Searching all folders below one, a moment at a time: each answer says where the next question goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.files import PAGE_ENTRIES, Entry, Found
from napari_cuda.server.data.listing import MOST_SEEN, ZARR_MARKS, can_be_told, entry_of, natural
from napari_cuda.server.data.roots import ServedRoots

MOMENT_S = 0.3
"""An answer takes no longer by much: whoever has seen enough is not kept waiting, and need not say so to anybody."""

MOST_LEVELS = 64
"""Folders within folders; deeper ones are not looked into."""

_TOP = "."
"""How `after` names the folder itself."""


def search_below(
    roots: ServedRoots, path: str, search: str, after: str = "", clock: Callable[[], float] = time.monotonic
) -> Found:
    """Return entries of a folder, and of all below it, that have `search` in their names, whatever the case.

    Any thread. Entries are named by their path from the folder. `after` is "" to begin, then that of the answer
    before. Left out is what `list_folder` leaves out; links to folders are not followed, and no Zarr is looked into.
    DataError in one line if there is nothing to search.
    """
    if not path:
        raise DataError("go into a folder first: the search is for what is below it")
    top = Path(roots.resolve(path))
    if not top.is_dir():
        raise DataError(f"{path} is not a folder")
    wanted, until_s = search.casefold(), clock() + MOMENT_S
    entries: list[Entry] = []
    folders = left_out = 0
    begin = None if not after else () if after == _TOP else PurePosixPath(after).parts
    for folder, names in _folders(top, begin, MOST_LEVELS):
        found = [name for name in names if wanted in name.casefold() and _may_be_seen(roots, folder / name)]
        entries += [_named_from(top, entry) for name in found[:PAGE_ENTRIES] if (entry := entry_of(folder / name))]
        left_out += max(0, len(found) - PAGE_ENTRIES)
        folders += 1
        if len(entries) >= PAGE_ENTRIES or clock() >= until_s:
            return Found(entries, folders, left_out, folder.relative_to(top).as_posix())
    return Found(entries, folders, left_out, "")


def _folders(folder: Path, after: tuple[str, ...] | None, levels: int, *, top: bool = True) -> Iterator[
    tuple[Path, list[str]]
]:  # fmt: skip
    """Yield (folder, names in it), a folder before those in it.

    `after`: what is already done: nothing, or all up to the folder of these parts.
    """
    names, inner = _names(folder)
    if not top and not set(ZARR_MARKS).isdisjoint(names):
        return
    if after is None:
        yield folder, [name for name in names if not name.startswith(".")]
    if not levels:
        return
    for name in inner:
        rest: tuple[str, ...] | None = None
        if after:
            if _order(name) < _order(after[0]):
                continue
            if name == after[0]:
                rest = after[1:]
        yield from _folders(folder / name, rest, levels - 1, top=False)


def _names(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names in a folder, and those of them that are folders to look into, in order; none if nobody may."""
    try:
        with os.scandir(folder) as scan:
            items = [item for item in islice(scan, MOST_SEEN) if can_be_told(item.name)]
            inner = [
                item.name for item in items if not item.name.startswith(".") and item.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return [], []
    return sorted((item.name for item in items), key=_order), sorted(inner, key=_order)


def _order(name: str) -> tuple[list[tuple[int, str]], str]:
    return natural(name), name


def _may_be_seen(roots: ServedRoots, path: Path) -> bool:
    return not path.is_symlink() or roots.holds(path)


def _named_from(top: Path, entry: Entry) -> Entry:
    return replace(entry, name=Path(entry.path).relative_to(top).as_posix())
