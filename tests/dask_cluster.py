"""A dask scheduler with one worker, in a process of its own: prints its address, ends with its standard input.

`lazy_planes` says in its grey values where it was computed.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt

HERE, THERE = 80, 200
"""Grey of what was computed by threads of the process that asked, and by a worker."""

SLOW_PLANE = 3
SLOW_S = 60.0
"""So long a worker takes for that plane."""


def lazy_planes() -> da.Array:
    """Return 8 planes of 48 x 64, computed when they are asked for."""
    return da.map_blocks(_plane, chunks=((1,) * 8, (48,), (64,)), dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))


def _plane(block_info: Any = None) -> npt.NDArray[np.uint8]:
    from distributed import get_worker  # noqa: PLC0415 -- only where it is computed

    try:
        get_worker()
    except ValueError:
        return np.full((1, 48, 64), HERE, np.uint8)
    if block_info[None]["chunk-location"][0] == SLOW_PLANE:
        print("begun", flush=True)
        time.sleep(SLOW_S)
    return np.full((1, 48, 64), THERE, np.uint8)


def main() -> None:
    """Serve until standard input closes."""
    from distributed import LocalCluster  # noqa: PLC0415 -- takes a second

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
