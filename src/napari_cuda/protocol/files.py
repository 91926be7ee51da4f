"""What the file routes answer: listings of folders on the server, and how far an upload is."""

from __future__ import annotations

from typing import Literal

import msgspec

PAGE_ENTRIES = 200
"""Entries of one listing at most; the rest is another page."""

CHUNK_BYTES = 4 << 20
"""Bytes of one upload request at most, unpacked: a lost connection loses no more, and a long way is not waited for
more often than that."""

EntryKind = Literal["folder", "file", "zarr", "images"]
"""`zarr`: a group or array; `images`: a folder of picture files. Both are opened as one thing."""


class Entry(msgspec.Struct, frozen=True):
    """One file or folder. Times in seconds since 1970."""

    name: str
    path: str
    kind: EntryKind
    size_bytes: int = 0
    modified_s: float = 0.0


class FolderPage(msgspec.Struct, frozen=True):
    """Some entries of a folder, from `offset` of `total`. `path` "": the places where to begin."""

    path: str
    parent: str
    entries: list[Entry]
    offset: int
    total: int


class Found(msgspec.Struct, frozen=True):
    """Some of what a search found; `name` in an entry is its path from where the search began.

    `folders` were looked through for this answer. `left_out` is how many more a folder with very many of them has.
    `after`: what to ask with to go on; "" if that was all.
    """

    entries: list[Entry]
    folders: int
    left_out: int = 0
    after: str = ""


class UploadRequest(msgspec.Struct, frozen=True):
    """A file that a client wants to send.

    `name` is relative, with folders (`cells.zarr/0/0`); files of one `group` come to lie together.
    `digest` is the BLAKE2b-128 of the contents, in hex; "" if it comes with the last chunk. Asking again resumes.
    """

    group: str
    name: str
    size_bytes: int
    digest: str


class UploadState(msgspec.Struct, frozen=True):
    """How far an upload is: bytes up to `offset` are there. `path` is where what was sent can be opened."""

    upload: str
    offset: int
    complete: bool
    path: str
