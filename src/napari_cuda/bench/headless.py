"""Run a module in a process that renders headless: `python -m napari_cuda.bench.headless MODULE [ARGUMENT…]`."""

from __future__ import annotations

import runpy
import sys

from napari_cuda.api import prepare_server_process

if __name__ == "__main__":
    prepare_server_process()  # before the module imports napari
    sys.argv[:] = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
