"""Recent connections: the servers that a window was connected to, newest first, in a small file of ours.

Never a token, unless the user asked for it to be kept.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

MOST_KEPT = 10
"""More than a list can be read at a glance."""


class Recent(msgspec.Struct, frozen=True):
    """One server. `address` as `connect` takes it, without the token; `title`: what it called itself."""

    address: str
    title: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return f"Recent({self.address!r}, {self.title!r})"


_decoder = msgspec.json.Decoder(list[Recent])


class RecentConnections:
    """The list in `file`. Owner: whoever makes it; read anew each time, for other windows write it too."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> list[Recent]:
        """Return the list, newest first; empty if there is none that can be read."""
        try:
            return _decoder.decode(self.file.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            log.warning("the list of recent connections, %s, is not used: %s", self.file, error)
            return []

    def remember(self, entry: Recent) -> None:
        """Put a server first, in place of what was known of it; a file that cannot be written is no reason to fail."""
        others = [known for known in self.read() if known.address != entry.address]
        try:
            self._write([entry, *others][:MOST_KEPT])
        except OSError as error:
            log.warning("recent connections are not remembered: %s", error)

    def _write(self, entries: list[Recent]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        new = self.file.with_suffix(".new")
        new.unlink(missing_ok=True)
        # For its owner alone from the first byte on: it may have a token.
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(entries)))
        new.replace(self.file)
