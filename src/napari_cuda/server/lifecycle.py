"""Starting and ending a server process: signals, announcement, exit."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from napari.components import ViewerModel

from napari_cuda.protocol.errors import StartupError
from napari_cuda.server.app import Server
from napari_cuda.server.busy_watch import BusyWatch
from napari_cuda.server.config import ServerConfig
from napari_cuda.server.plugin_host import PluginHost
from napari_cuda.server.render.napari_model import initialise_napari
from napari_cuda.server.render.napari_window import stage_windows
from napari_cuda.server.render.served_viewer import ServedViewer
from napari_cuda.server.script import run_as_main
from napari_cuda.server.script_host import ScriptHost

log = logging.getLogger(__name__)

OWN_LOGS = ("napari_cuda", "napari", "py.warnings")
"""What of a script's process a window can read: with a handler of ours at the root, `logging.basicConfig()`
of the script would do nothing."""


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
    # A model of the caller's own has no window, and so no widgets of plugins.
    model = viewer if isinstance(viewer, ViewerModel) else ServedViewer()
    if viewer is not None and not isinstance(viewer, ViewerModel):
        viewer(model)
    server = Server(config, model, windows=isinstance(model, ServedViewer))
    with _signals(server):
        server.start(paths)
        host = PluginHost(server, server.stopping)
        with warnings.catch_warnings():  # of what napari's own actions lack without a window
            warnings.simplefilter("ignore")
            stage_windows(host, prints=False)
        watch = BusyWatch("", "a plugin", server.unheard_s, server.tell_busy, server.interrupts.concerns)
        try:
            on_ready(server)
            watch.start()
            with host.telling_errors(), server.interrupts.telling():
                server.run()
        finally:
            watch.stop()
            server.close()
            host.close()


def run_script(
    config: ServerConfig,
    script: Path,
    arguments: Sequence[str] = (),
    *,
    on_ready: Callable[[Server, Callable[[], None]], None] = lambda server, stop: None,
) -> int:
    """Run a napari script, every viewer of which appears on the server; return its exit status. Blocks.

    Owner: main thread of a process that is for this script only: it stays the script's. As for `serve`,
    `settings.prepare_headless_process` comes first. `on_ready` is called before the script, with what ends it from any
    thread. Raises StartupError in one line.
    """
    if not script.is_file():
        raise StartupError(f"there is no script {script}")
    with warnings.catch_warnings():  # of what napari's own actions lack without a window: nothing for the script's user
        warnings.simplefilter("ignore")
        initialise_napari()
    server = Server(config, ViewerModel(title=script.name), logs=OWN_LOGS, windows=True)
    server.start()
    try:
        host = ScriptHost(server, script.name)
        stage_windows(host, prints=True)
        watch = BusyWatch(str(script.absolute()), script.name, server.unheard_s, server.tell_busy)
        with host.ended_by_signals() as stop:
            on_ready(server, stop)
            watch.start()
            try:
                ending = run_as_main(script, list(arguments))
                server.interrupts.possible = False
                log.info("%s", ending.line)
                server.say_goodbye(ending.line)
            finally:
                watch.stop()
                host.close()
    finally:
        server.close()
    return ending.status


@contextmanager
def _signals(server: Server) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into an orderly end, where signals can be handled at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not (number == signal.SIGINT and server.interrupts.handle(frame, in_loop=True)):
            server.stop()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    server.interrupts.possible = True
    try:
        yield
    finally:
        server.interrupts.possible = False
        for number, handler in before.items():
            signal.signal(number, handler)
