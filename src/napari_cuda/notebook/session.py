"""NotebookSession: a server in the kernel of a notebook, without a port until one is asked for."""

from __future__ import annotations

import atexit
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel

from napari_cuda.notebook.kernel import Kernel
from napari_cuda.notebook.turns import Turns
from napari_cuda.protocol.errors import StartupError
from napari_cuda.server.app import Server
from napari_cuda.server.busy_watch import BusyWatch
from napari_cuda.server.config import ServerConfig
from napari_cuda.server.net.channels import Channels, Tell
from napari_cuda.server.render.napari_model import adopt_napari, initialise_napari, slice_in_background


class NotebookSession:
    """Owner: the kernel's main thread.

    It ends with `close`, or with the kernel: there is no other process, and no thread outlives this one.
    """

    def __init__(self, kernel: Kernel, config: ServerConfig, viewer: ViewerModel | None, paths: Sequence[str]) -> None:
        """Serve `viewer`, or a new one, with `paths` opened in it. StartupError or DataError in one line."""
        adopt_napari()
        with warnings.catch_warnings():  # of what napari's own actions lack without a window: nothing for a user
            warnings.simplefilter("ignore")
            initialise_napari()
        self.viewer = viewer if viewer is not None else ViewerModel()
        self._server = server = Server(config, self.viewer)
        self._listens = False
        self._after_cell: list[Callable[[], None]] = []
        with ExitStack() as parts:
            # What a cell does it finds done, as in stock napari; between the cells pictures go on meanwhile.
            slice_in_background(on=False)
            parts.callback(slice_in_background, on=False)
            server.start(paths, listening=False)
            parts.callback(server.close)
            self._turns = Turns(kernel.loop, server.turn)
            parts.callback(self._turns.stop)
            parts.callback(kernel.around_cells(self._before_cell, self._end_cell))
            server.wait_in(self._turns)
            watch = BusyWatch("", "a cell of the notebook", server.unheard_s, server.tell_busy)
            parts.callback(watch.stop)
            watch.start()
            # The kernel's own handler: an interrupt of a page ends the cell, as that of the notebook does.
            server.interrupts.possible = True
            self._turns.wake()
            self._parts = parts.pop_all()
        atexit.register(self.close)

    @property
    def server(self) -> Server:
        """The server itself."""
        return self._server

    def open_channels(self, tell: Tell) -> Channels:
        """Return a way for pages, of messages."""
        return self._server.open_channels(tell)

    def url(self) -> str:
        """Return an address with the token; from the first time on the server listens on a port of this machine."""
        if not self._listens:
            self._server.listen()
            self._listens = True
        return self._server.connect_url

    def screenshot(self) -> npt.NDArray[np.uint8]:
        """Return the exact picture of the present state, overlays included: (H, W, 4) uint8 RGBA."""
        self._look_alive()
        return self._server.stage.canvas.grab()

    def refresh(self, seconds: float = 0.0) -> None:
        """Within a long cell: draw and answer, for so long or once."""
        self._look_alive()
        self._turns.run_for(seconds)

    def after_cells(self, call: Callable[[], None]) -> None:
        """Have `call` called after each cell."""
        self._after_cell.append(call)

    @property
    def closed(self) -> bool:
        """True once it has ended."""
        return self._server.closed

    def close(self) -> None:
        """End the session: its pages are told so; the viewer stays, and can be served anew."""
        if not self.closed:
            atexit.unregister(self.close)
            self._server.say_goodbye("the notebook has ended this session")
            self._parts.close()

    def _look_alive(self) -> None:
        if self.closed:
            raise StartupError("this session was closed: call napari_cuda.serve() again")

    def _before_cell(self) -> None:
        slice_in_background(on=False)

    def _end_cell(self) -> None:
        slice_in_background(on=True)
        self._turns.wake()
        for call in self._after_cell:
            call()
