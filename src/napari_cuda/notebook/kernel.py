"""The kernel around us: the only doorway to IPython, and to what it runs in."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

from napari_cuda.protocol.errors import StartupError


def running_kernel() -> Kernel | None:
    """Return the kernel whose cell this is; None in a script, or in IPython on a terminal."""
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 -- not in a server's process

    shell = get_ipython()
    return None if shell is None or getattr(shell, "kernel", None) is None else Kernel(shell)


class Kernel:
    """Owner: the kernel's main thread, in which its cells run."""

    def __init__(self, shell: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise StartupError(
                "serve() is for a cell, and not for a thread or subshell of the kernel: napari has one thread"
            )
        self._shell = shell

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that runs between the cells."""
        try:
            return asyncio.get_running_loop()
        except RuntimeError:
            raise StartupError("this kernel runs no event loop between its cells: use ipykernel 6 or newer") from None

    def around_cells(self, before: Callable[[], None], after: Callable[[], None]) -> Callable[[], None]:
        """Call these before and after each cell; return what ends that."""
        hooks = {"pre_run_cell": lambda _info: before(), "post_run_cell": lambda _result: after()}
        for event, hook in hooks.items():
            self._shell.events.register(event, hook)

        def end() -> None:
            for event, hook in hooks.items():
                self._shell.events.unregister(event, hook)

        return end

    def is_run_by_page(self) -> bool:
        """Return whether a page of JupyterLab or Notebook runs this cell, and not a program such as nbclient.

        Only they tell which cell of the document it is.
        """
        parent = self._shell.kernel.get_parent()
        return bool(parent.get("metadata", {}).get("cellId"))
