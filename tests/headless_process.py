"""Run a script in a process that renders headless from its first import on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# What a server process does first; the script then imports napari as it likes.
BOOT = """
import runpy, sys
from pathlib import Path
from napari_cuda.settings import prepare_headless_process
prepare_headless_process(Path(sys.argv[1]))
sys.argv[:] = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(command: list[str], timeout_s: float = 100.0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its output as text."""
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def run_headless(
    config: Path, script: Path, *args: str, environment: tuple[str, ...] = (), timeout_s: float = 100.0
) -> subprocess.CompletedProcess[str]:
    """Run `script` headless with its napari settings in `config`; `environment` holds NAME=value."""
    return run(["env", *environment, sys.executable, "-c", BOOT, str(config), str(script), *args], timeout_s)
