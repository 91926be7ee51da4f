"""DaskScheduler: lazy arrays are computed by a scheduler of dask's elsewhere, and by threads here once it is lost."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import dask
import dask.threaded

from napari_cuda.protocol.errors import StartupError

log = logging.getLogger(__name__)

CONNECT_S = 5.0
"""A scheduler that is there answers at once, one over a slow link within seconds."""

CLOSE_S = 1.0


class DaskScheduler:
    """Owner: main thread; dask calls from any. `on_loss` is called once, with one line, on the thread that noticed.

    A scheduler that is lost is not asked again: whoever computes does not wait for it to come and go.
    """

    def __init__(self, address: str, on_loss: Callable[[str], None]) -> None:
        """Connect to `address`, such as tcp://HOST:8786; StartupError in one line if that fails."""
        try:
            distributed = importlib.import_module("distributed")
        except ImportError:
            raise StartupError(
                "--scheduler needs the package distributed: pip install 'napari-cuda[distributed]'"
            ) from None
        for name in ("distributed", "distributed.client"):
            # Its own words on a lost connection are many lines, for half a minute.
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._address = address
        self._on_loss = on_loss
        self._lost = False
        self._failures: tuple[type[BaseException], ...] = (
            distributed.client.FutureCancelledError,
            distributed.CancelledError,
            distributed.comm.CommClosedError,
            distributed.client.ClosedClientError,
        )
        self._parts = ExitStack()
        try:
            # Not the default of the process: dask would wait for a scheduler that is gone.
            self._client: Any = distributed.Client(
                address, timeout=CONNECT_S, set_as_default=False, name="napari-cuda", heartbeat_interval="5s"
            )
        except (OSError, TimeoutError, ValueError, TypeError) as error:
            raise StartupError(
                f"the dask scheduler {address} cannot be reached ({_first_line(error)}): is `dask scheduler` running "
                "there, and is this its address (--scheduler tcp://HOST:8786)?"
            ) from None
        self._parts.enter_context(dask.config.set(scheduler=self._get))
        log.info("lazy arrays are computed by %s, %d workers", address, len(self._client.ncores()))

    def close(self) -> None:
        """Compute here from now on."""
        self._parts.close()
        self._client.close(timeout=CLOSE_S)

    def _get(self, graph: Any, keys: Any, **options: Any) -> Any:
        """Compute, as dask asks its schedulers to."""
        if self._there():
            try:
                return self._client.get(graph, keys, **options)
            except self._failures:
                # Also what was asked for is gone if a worker forgot it, or somebody cancelled it: not lost, then.
                self._there()
        return dask.threaded.get(graph, keys, **options)

    def _there(self) -> bool:
        if not self._lost and self._client.status != "running":
            self._lost = True
            line = f"the dask scheduler {self._address} is lost: arrays are computed on the server itself from now on"
            log.warning("%s", line)
            self._on_loss(line)
        return not self._lost


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
