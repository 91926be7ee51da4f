"""SessionFiles: the server's own folder, of what clients sent and of what they fetch; it goes with the server."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_cuda.server.data.uploads import Uploads

MOST_DOWNLOADS = 8
"""Files ready to be fetched; the oldest goes when another comes."""


class SessionFiles:
    """Owner: main thread; `new_folder`, `offer` and `download` from any thread."""

    def __init__(self, upload_limit_bytes: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="napari-cuda-session-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self.uploads = Uploads(self.path / "uploads", upload_limit_bytes)
        self._lock = threading.Lock()
        self._downloads: OrderedDict[str, Path] = OrderedDict()

    @contextmanager
    def new_folder(self) -> Iterator[Path]:
        """Give a folder for files that a client will fetch; nothing is left of it if they do not come about."""
        folder = self.path / "downloads" / secrets.token_hex(8)
        folder.mkdir(parents=True)
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def offer(self, file: Path) -> str:
        """Let a file of a `new_folder` be fetched; return the key to it."""
        key = secrets.token_hex(16)
        with self._lock:
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
