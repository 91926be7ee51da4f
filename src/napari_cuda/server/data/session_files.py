"""SessionFiles: the server's own folder, of what clients sent and of what they fetch; it goes with the server."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections import OrderedDict
from pathlib import Path

from napari_cuda.server.data.uploads import Uploads

MOST_DOWNLOADS = 8
"""Files ready to be fetched; the oldest goes when another comes."""


class SessionFiles:
    """Owner: main thread; `download` from any thread."""

    def __init__(self, upload_limit_bytes: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="napari-cuda-session-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self.uploads = Uploads(self.path / "uploads", upload_limit_bytes)
        self._downloads: OrderedDict[str, Path] = OrderedDict()

    def new_folder(self) -> Path:
        """Return a folder for files that a client will fetch."""
        folder = self.path / "downloads" / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder

    def offer(self, file: Path) -> str:
        """Let a file of a `new_folder` be fetched; return the key to it."""
        key = secrets.token_hex(16)
        self._downloads[key] = file
        while len(self._downloads) > MOST_DOWNLOADS:
            _, oldest = self._downloads.popitem(last=False)
            shutil.rmtree(oldest.parent, ignore_errors=True)
        return key

    def download(self, key: str) -> Path | None:
        """Return the file of a key, or None if there is none (any more)."""
        return self._downloads.get(key)

    def close(self) -> None:
        """Delete everything."""
        self._folder.cleanup()
