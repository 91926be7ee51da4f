"""ServerProcess: a server in a process of its own, as `napari-cuda serve` starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

from napari_cuda.protocol.errors import StartupError
from napari_cuda.worker import Worker

_LONGEST_STOP_S = 15.0
_SERVE = ("-m", "napari_cuda", "serve", "--port", "0", "--announce", "json", "--end-with-stdin")


def end_with_stdin(stop: Callable[[], None]) -> None:
    """Call `stop` (on a thread of its own) when standard input closes.

    Whoever started this process holds the other end: however it dies, we do not outlive it.
    """
    Worker("stdin", lambda _stop: _wait_for_end_of_stdin(stop)).start()


def _wait_for_end_of_stdin(stop: Callable[[], None]) -> None:
    # Not sys.stdin: a daemon thread inside its lock aborts the interpreter at exit.
    while os.read(0, 1024):
        pass
    stop()


class ProcessOutput:
    """A file that another process writes to, read while it does.

    A file and not a pipe: nobody would read the pipe, and a full one stops the process. Each side opens it for itself:
    a file that is shared has one position, and reading would move where the other writes.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="napari-cuda-")
        self._path = Path(self._folder.name) / "output"
        self._path.touch()

    def opened(self) -> IO[bytes]:
        """Return the end to hand to the process; close it once that was started."""
        return self._path.open("ab")

    def text(self) -> str:
        """Return what was written so far."""
        return self._path.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Delete the file."""
        self._folder.cleanup()


class ServerProcess:
    """Context manager. After it is entered, connections are answered.

    The server ends with this process, even if that is killed.

    Raises StartupError, with the server's own last words, if it does not come up.
    """

    def __init__(self, arguments: Sequence[str], *, program: Sequence[str] = _SERVE) -> None:
        """Run Python with `program` and `arguments`: `napari-cuda serve`, or what announces itself as that does."""
        self._arguments = [sys.executable, *program, *arguments]
        self._process: subprocess.Popen[str] | None = None
        self._log: ProcessOutput | None = None
        self.url = ""
        self.token = ""
        self.view_token = ""
        self.port = 0

    @property
    def connect_url(self) -> str:
        """Address with the token, as `connect` takes it."""
        return f"{self.url}?token={quote(self.token)}"

    @property
    def view_url(self) -> str:
        """Address with the token of those who may only look."""
        return f"{self.url}?token={quote(self.view_token)}"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._process is None:
            raise StartupError("the server was not started")
        return self._process.pid

    def log(self) -> str:
        """Return what the server wrote to its log so far."""
        return "" if self._log is None else self._log.text()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._log = ProcessOutput()
        pipe = subprocess.PIPE
        with self._log.opened() as log:
            self._process = subprocess.Popen(self._arguments, stdin=pipe, stdout=pipe, stderr=log, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._process.wait()
            last_words = [text.strip() for text in self.log().splitlines() if text.strip()]
            self.stop()
            raise StartupError((last_words or ["the server ended without a word"])[-1].removeprefix("error: "))
        facts = json.loads(line)
        self.url, self.token, self.port = facts["url"], facts["token"], facts["port"]
        self.view_token = facts["view_token"]

    def stop(self) -> int:
        """End the server and return its exit status."""
        process, self._process = self._process, None
        status = 0
        if process is not None:
            process.terminate()
            try:
                status = process.wait(_LONGEST_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
            for end in (process.stdin, process.stdout):
                if end is not None:
                    end.close()
        if self._log is not None:
            self._log.close()
            self._log = None
        return status

    def __enter__(self) -> ServerProcess:
        try:
            self.start()
        except BaseException:  # an interrupt too: the process may not stay
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
