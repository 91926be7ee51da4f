"""Listing folders inside the served roots, a page at a time."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

from napari_cuda.protocol.errors import DataError
from napari_cuda.protocol.files import PAGE_ENTRIES, Entry, EntryKind, FolderPage
from napari_cuda.server.data.roots import ServedRoots

MOST_SEEN = 100_000
"""Entries of a folder that are looked at: more take longer than anybody waits for a list."""

ZARR_MARKS = (".zgroup", ".zarray", ".zattrs", "zarr.json")
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".gif")
LOOKED_INTO = 32
"""Files of a folder that tell whether it is one of images."""


def list_folder(roots: ServedRoots, path: str, search: str = "", offset: int = 0) -> FolderPage:
    """Return a page of a folder's entries, folders first, then by name as people count; "" lists the roots.

    Any thread. `search` keeps the names that have it in them, whatever the case. Left out are hidden files,
    links that lead out of the roots, and names that are no text. DataError in one line if the folder cannot
    be listed.
    """
    if not path:
        places = [entry_of(place) for place in roots.places]
        return FolderPage("", "", [entry for entry in places if entry is not None], 0, len(places))
    folder = Path(roots.resolve(path))
    if not folder.is_dir():
        raise DataError(f"{path} is not a folder")
    wanted = search.casefold()
    try:
        with os.scandir(folder) as scan:
            found = [
                (not item.is_dir(), natural(item.name), item.name)
                for item in islice(scan, MOST_SEEN)
                if not item.name.startswith(".")
                and can_be_told(item.name)
                and wanted in item.name.casefold()
                and (not item.is_symlink() or roots.holds(folder / item.name))
            ]
    except OSError as error:
        raise DataError(f"{path} cannot be listed: {error.strerror or error}") from None
    names = [name for _, _, name in sorted(found)]
    offset = max(0, offset)
    entries = [entry_of(folder / name) for name in names[offset : offset + PAGE_ENTRIES]]
    parent = str(folder.parent) if folder.parent != folder and folder not in roots.places else ""
    return FolderPage(str(folder), parent, [entry for entry in entries if entry is not None], offset, len(names))


def is_zarr(folder: Path) -> bool:
    """Return whether a folder is a Zarr group or array."""
    return any((folder / mark).is_file() for mark in ZARR_MARKS)


def can_be_told(name: str) -> bool:
    """Return whether JSON can hold a file's name: not if its bytes are no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts `t2` before `t10`."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def entry_of(path: Path) -> Entry | None:
    """Describe a path; None if it is gone or nobody may look."""
    try:
        facts = path.stat()
        if path.is_dir():
            return Entry(path.name or str(path), str(path), _folder_kind(path), 0, facts.st_mtime)
    except OSError:
        return None
    return Entry(path.name, str(path), "file", facts.st_size, facts.st_mtime)


def _folder_kind(path: Path) -> EntryKind:
    try:
        if is_zarr(path):
            return "zarr"
        with os.scandir(path) as scan:
            files = [item.name.lower() for item in islice(scan, LOOKED_INTO) if not item.name.startswith(".")]
    except OSError:
        return "folder"
    images = sum(name.endswith(IMAGE_SUFFIXES) for name in files)
    return "images" if images > 1 and images >= len(files) - 1 else "folder"
