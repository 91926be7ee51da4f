"""A viewer in a process of its own: `viewer_process.py URL`. Tests stop and continue it with signals.

Prints one line of JSON for every picture it shows, until its standard input is closed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Any

import napari_cuda
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.server_process import ProcessOutput


class ViewerProcess:
    """Starts this script, and reads what it has shown so far."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> ViewerProcess:
        # A full pipe would stop the viewer, which is for the test to do.
        self._shown = ProcessOutput()
        command = [sys.executable, __file__, self._url]
        with self._shown.opened() as shown:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=shown, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.communicate(timeout=30)
        self._shown.close()

    def shown(self) -> list[dict[str, Any]]:
        """Return what was shown, oldest first: time in s (monotonic), picture hash, whether exact, seq."""
        lines = self._shown.text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]


def main(url: str) -> None:
    closed = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        closed.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    with napari_cuda.connect(url, window=False, timeout_s=60) as viewer:
        last = None
        while not closed.is_set():
            viewer.pump(0.005)
            frame = viewer._session.loop.frame
            if frame is None or frame is last:
                continue
            last = frame
            header, exact = frame.header, isinstance(frame.picture, ExactPicture)
            line = {"time_s": time.monotonic(), "hash": header.picture_hash, "exact": exact, "seq": header.seq}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
