"""Starting and ending a server process: signals, announcement, exit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from napari.components import ViewerModel

from napari_cuda.server.app import Server
from napari_cuda.server.config import ServerConfig
from napari_cuda.server.render.napari_model import initialise_napari


def serve(
    config: ServerConfig,
    paths: Sequence[str] = (),
    viewer: ViewerModel | Callable[[ViewerModel], object] | None = None,
    *,
    on_ready: Callable[[Server], None] = lambda server: None,
) -> None:
    """Serve `viewer` with `paths` opened in it, until interrupted. Blocks.

    None serves a new viewer; a callable gets the new viewer first, to add layers to it.
    Owner: main thread. `settings.prepare_headless_process` must have been called before
    napari was imported. `on_ready` is called once connections are answered.
    Raises StartupError or DataError in one line.
    """
    initialise_napari()
    model = viewer if isinstance(viewer, ViewerModel) else ViewerModel()
    if viewer is not None and not isinstance(viewer, ViewerModel):
        viewer(model)
    server = Server(config, model)
    with _signals(server.stop):
        server.start(paths)
        try:
            on_ready(server)
            server.run()
        finally:
            server.close()


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into an orderly end, where signals can be handled at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
