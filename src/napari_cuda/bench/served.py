"""The server process of a workload's scene: `… bench.headless napari_cuda.bench.served WORKLOAD`.

What `napari-cuda serve` does, for a viewer model instead of files: files know no labels.
"""

from __future__ import annotations

import sys

from napari_cuda import api
from napari_cuda.bench.catalogue import WORKLOADS
from napari_cuda.bench.scenes import SCENES
from napari_cuda.server.app import Server
from napari_cuda.server_process import end_with_stdin


def main(name: str) -> None:
    """Serve until standard input closes; print one line of JSON, as `serve --announce json` does."""
    workload = WORKLOADS[name]

    def announce(server: Server) -> None:
        end_with_stdin(server.stop)
        sys.stdout.write(server.announcement() + "\n")
        sys.stdout.flush()

    api.serve(SCENES[workload.scene], on_ready=announce, port=0, size=workload.size)


if __name__ == "__main__":
    main(*sys.argv[1:])
