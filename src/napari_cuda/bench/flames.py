"""Flame graphs of both sides while a workload is driven, by py-spy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from napari_cuda.protocol.errors import ConfigError

_RATE_PER_S = 200
_LONGEST_WRITING_S = 60.0


class Flames:
    """Owner: the bench's thread. Raises ConfigError if there is no py-spy or the folder cannot be made."""

    def __init__(self, folder: Path, seconds: float) -> None:
        program = shutil.which("py-spy") or shutil.which(str(Path(sys.executable).with_name("py-spy")))
        if program is None:
            raise ConfigError("flame graphs need py-spy: pip install 'napari-cuda[bench]'")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot make {folder} for the flame graphs: {error.strerror}") from None
        self._program = program
        self._folder = folder
        self._seconds = max(1, round(seconds))
        self._recorders: list[subprocess.Popen[bytes]] = []

    def begin(self, name: str, processes: Mapping[str, int]) -> None:
        """Record processes by side, id of each; what they do goes to `<folder>/<name>-<side>.svg`."""
        options = ["--nonblocking", "--threads", "--rate", str(_RATE_PER_S), "--duration", str(self._seconds)]
        self._recorders = [
            subprocess.Popen(
                [self._program, "record", *options, "--pid", str(pid), "-o", str(self._folder / f"{name}-{side}.svg")],
                stdout=subprocess.DEVNULL,
            )
            for side, pid in processes.items()
        ]

    def end(self) -> None:
        """Wait until the graphs are written."""
        for recorder in self._recorders:
            try:
                recorder.wait(_LONGEST_WRITING_S)
            except subprocess.TimeoutExpired:
                recorder.kill()
                recorder.wait()
