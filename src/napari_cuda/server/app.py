"""Server: the parts of one server, wired."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import numpy.typing as npt
from napari.components import ViewerModel
from napari.utils import resize_dask_cache
from npe2 import PluginManager
from starlette.types import ASGIApp

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import DataError, StartupError
from napari_cuda.server.config import ServerConfig
from napari_cuda.server.data.chunks import Chunks
from napari_cuda.server.data.dask_scheduler import DaskScheduler
from napari_cuda.server.data.jobs import Jobs
from napari_cuda.server.data.opening import open_path
from napari_cuda.server.data.plugins import plugin_entries, plugin_modules
from napari_cuda.server.data.roots import ServedRoots, is_url
from napari_cuda.server.data.session_files import SessionFiles
from napari_cuda.server.data.warm_up import parse_units, warm_up
from napari_cuda.server.encode.choice import EncoderChoice
from napari_cuda.server.encode.hub import StreamHub
from napari_cuda.server.interrupts import Interrupts
from napari_cuda.server.log_ring import LogRing
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.server.net import http
from napari_cuda.server.net.channels import Channels, Tell
from napari_cuda.server.net.data import DataHost
from napari_cuda.server.net.files import FileHost
from napari_cuda.server.net.listener import Listener, bind
from napari_cuda.server.net.state_socket import SessionHost
from napari_cuda.server.net.viewers import Viewer, Viewers
from napari_cuda.server.render.commands import Commands
from napari_cuda.server.render.data_commands import register_data_commands
from napari_cuda.server.render.egl import EglContext
from napari_cuda.server.render.inbox import LOOK_S, Idle
from napari_cuda.server.render.layer_commands import LayerCommands
from napari_cuda.server.render.layer_data import LayerDataAccess
from napari_cuda.server.render.loop import RenderLoop
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.server.render.plugin_commands import register_plugin_commands
from napari_cuda.server.render.progress import ProgressBars
from napari_cuda.server.render.scene_bridge import SceneBridge
from napari_cuda.server.render.stage import Stage
from napari_cuda.server.render.surfaces import Surfaces
from napari_cuda.stored_arrays import read_arrays
from napari_cuda.worker import Worker

log = logging.getLogger(__name__)

GOODBYE_S = 1.0
"""So long the process waits for its last words to be read."""


@dataclass(frozen=True, slots=True)
class _Equipment:
    """What all viewers of a server share."""

    gl: EglContext
    jobs: Jobs
    files: SessionFiles
    roots: ServedRoots
    chunks: Chunks
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Of layers."""


class Server:
    """One scene, rendered here and served on one port.

    Owner: the main (render) thread: make, `start`, `run` and `close` it there; `stop` may be
    called from any thread or a signal handler.
    """

    def __init__(
        self, config: ServerConfig, viewer: ViewerModel, *, logs: Sequence[str] = ("",), windows: bool = False
    ) -> None:
        """Serve `viewer`; clients can read what goes to `logs`, loggers by name. `windows`: a viewer has one here when
        it is asked for it, for the widgets of plugins.
        """
        self.config = config
        self._windows = windows
        self._logs = [logging.getLogger(name) for name in logs]
        self.viewer = viewer
        self.metrics = ServerMetrics()
        self.surfaces = Surfaces(self.deliver, lambda line: self.notify("warning", line))
        self.interrupts = Interrupts(self.unheard_s, self._tell_soon, plugin_modules)
        self._session = secrets.token_hex(8)
        self._title = viewer.title if viewer.title != "napari" else ""  # what napari calls every viewer
        self._log = LogRing(config.token, config.view_token)
        self.stopping = threading.Event()
        """Set by `stop`."""
        self._parts = ExitStack()
        self._loop: RenderLoop | None = None
        self._equipment: _Equipment | None = None
        self._viewers: Viewers | None = None
        self._stage: Stage | None = None
        self._port = config.port
        self._renderer = ""
        self._closed = False
        self._listener: Listener | None = None
        self._open_channels: Callable[[Tell], Channels] | None = None

    @property
    def url(self) -> str:
        """The address without the token."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{'https' if self.config.tls else 'http'}://{host}:{self._port}/"

    @property
    def connect_url(self) -> str:
        """The address with the token, as `napari-cuda connect` takes it."""
        return f"{self.url}?token={quote(self.config.token)}"

    @property
    def view_url(self) -> str:
        """The address for those who may only look."""
        return f"{self.url}?token={quote(self.config.view_token)}"

    @property
    def port(self) -> int:
        """The port in use."""
        return self._port

    def announcement(self) -> str:
        """Return url, token, view_token, pid and port as one line of JSON: what `ServerProcess` waits for."""
        tokens = {"token": self.config.token, "view_token": self.config.view_token}
        return json.dumps({"url": self.url, **tokens, "pid": os.getpid(), "port": self.port})

    @property
    def renderer(self) -> str:
        """What draws: the GL renderer's name."""
        return self._renderer

    def start(self, paths: Sequence[str] = (), *, listening: bool = True) -> None:
        """Bring everything up, in order; on failure what had come up is taken down again.

        Without `listening` there is no port until `listen`. Raises StartupError or DataError in one line.
        """
        self._title = _title(paths) or self._title
        with ExitStack() as parts:
            for logger in self._logs:
                logger.addHandler(self._log)
                parts.callback(logger.removeHandler, self._log)
            port = self._bind(parts) if listening else None
            gl = EglContext(self.config.gl_device)
            parts.callback(gl.close)
            self._renderer = gl.renderer
            files = SessionFiles(self.config.upload_limit_mb * 1_000_000)
            parts.callback(files.close)
            jobs = Jobs(self.post, self._tell)
            parts.callback(jobs.close)
            roots = ServedRoots(self.config.roots, files.path, urls=(*self.config.allowed_urls, *filter(is_url, paths)))
            parse_units()
            chunks = Chunks(self.config.chunk_cache_mb * 1_000_000)
            resize_dask_cache(chunks.budget_bytes)
            parts.callback(chunks.close)
            chunks.on_failure = self._complain_of_data
            if self.config.scheduler is not None:
                scheduler = DaskScheduler(self.config.scheduler, self._tell_loss)
                parts.callback(scheduler.close)
            event_loop = asyncio.new_event_loop()
            viewers = self._viewers = Viewers(event_loop, resync=self._resync, forgotten=self._forget)
            self._equipment = _Equipment(gl, jobs, files, roots, chunks)
            # The bridge comes before the data, the data before the port: nobody sees half a scene.
            stage = self._stage = self.add(self.viewer)
            parts.callback(stage.canvas.close)
            for path in paths:
                open_path(self.viewer, path, roots, chunks)
            hub = StreamHub(
                self.metrics,
                encoders=EncoderChoice(self.config.encoder),
                frame_rate=self.config.frame_rate,
                bit_rate=self.config.bit_rate,
                on_room=self.wake,
            )
            parts.callback(hub.stop)
            render_loop = self._loop = RenderLoop(
                stage, viewers, hub, self.metrics, frame_rate=self.config.frame_rate, surfaces=self.surfaces
            )
            self._prepare(stage)
            render_loop.on_interrupt = self.interrupts.told
            bars = ProgressBars(lambda update: viewers.broadcast([update], {}))
            parts.callback(bars.close)
            render_loop.on_greet = lambda viewer: [self._plugin_menu(), *jobs.known_to(viewer), *bars.known()]
            plugins_registered = PluginManager.instance().events.plugins_registered
            plugins_registered.connect(self._tell_plugins)
            parts.callback(plugins_registered.disconnect, self._tell_plugins)
            self.metrics.watch("commands", lambda: render_loop.waiting)
            app = self._application(self._loop, viewers, hub, FileHost(roots, files), bars)
            listener = self._listener = Listener(self.config, port, event_loop, app)
            parts.callback(listener.stop)
            listener.start()
            self._open_channels = partial(Channels, app, event_loop, self.config.token)
            warming = Worker("warm-up", warm_up)
            parts.callback(warming.stop)
            warming.start()
            self._parts = parts.pop_all()

    def _bind(self, parts: ExitStack) -> socket.socket:
        port = bind(self.config)
        parts.callback(port.close)
        self._port = port.getsockname()[1]
        return port

    def listen(self) -> None:
        """Answer on a port too, after a start without; StartupError if it cannot be had."""
        if self._listener is None:
            raise RuntimeError("start the server before it listens")
        self._listener.listen(self._bind(self._parts))

    def open_channels(self, tell: Tell) -> Channels:
        """Return another way for pages: of messages, which `tell` sends them."""
        if self._open_channels is None:
            raise RuntimeError("start the server before pages come to it")
        return self._open_channels(tell)

    def add(self, viewer: ViewerModel) -> Stage:
        """Make ready to show a viewer; `turn_to` shows it. Close its canvas before the server."""
        equipment, states = self._equipment, self._viewers
        if equipment is None or states is None:
            raise RuntimeError("start the server before adding viewers")
        size_px = self.config.size if self._loop is None else self._loop.canvas_size_px
        canvas = HeadlessCanvas(viewer, size_px, equipment.gl, wake=self.wake)
        bridge = SceneBridge(viewer, self.wake, equipment.numbers)
        commands = Commands(viewer, bridge.layer, equipment.jobs)
        LayerCommands(commands, bridge, equipment.roots, equipment.files.uploads.release)
        register_data_commands(commands, bridge, equipment.roots, equipment.files, equipment.chunks)
        register_plugin_commands(commands, widgets=self._windows)
        stage = Stage(canvas, bridge, commands, states.deliver, self.metrics, reduce_detail=equipment.gl.software)
        if self._loop is not None:
            self._prepare(stage)
        return stage

    def turn_to(self, stage: Stage) -> None:
        """Show a viewer that was added."""
        if self._loop is not None:
            self._loop.turn_to(stage)

    def _prepare(self, stage: Stage) -> None:
        if self._loop is not None:
            self._loop.prepare(stage)
        if stage.commands.missing:
            raise StartupError(f"nobody carries out the commands {', '.join(sorted(stage.commands.missing))}")

    @property
    def stage(self) -> Stage:
        """The stage of the viewer that this server was made for."""
        if self._stage is None:
            raise RuntimeError("start the server before asking for its stage")
        return self._stage

    def unheard_s(self) -> float:
        """Return for how many seconds the render thread has not come round; from any thread."""
        return 0.0 if self._loop is None else self._loop.unheard_s()

    def tell_busy(self, text: str) -> None:
        """Tell all viewers what keeps the render thread, or ("") that nothing does any more; from any thread."""
        if self._viewers is not None:
            self._viewers.tell_busy(text)

    def on_show_viewer(self, show: Callable[[str], object]) -> None:
        """Have `show` called with the script's viewer that a client wants to see; CommandError if there is none."""
        if self._loop is not None:
            self._loop.on_show_viewer = show

    def tell_viewers(self, viewers: m.ScriptViewers) -> None:
        """Tell all clients which viewers there are, and which they see; on the render thread."""
        if self._loop is not None:
            self._loop.tell_viewers(viewers)

    def notify(self, severity: str, text: str) -> None:
        """Tell all viewers something; on the render thread."""
        if self._viewers is not None:
            self._viewers.broadcast([m.Notice(severity, text)], {})

    def deliver(self, viewer: str, messages: Sequence[m.ServerMessage]) -> None:
        """Tell one viewer something; on the render thread."""
        if self._viewers is not None:
            self._viewers.deliver(viewer, messages)

    def wait_in(self, idle: Idle) -> None:
        """Have `idle` woken when there is something to do: how `run` waits, and whoever calls `turn` instead of it."""
        if self._loop is not None:
            self._loop.wait_in(idle)

    def turn_within(self) -> float:
        """Do what there is to do within a loop of Qt's; return the seconds until there may be more."""
        return LOOK_S if self._loop is None else self._loop.turn_within()

    def turn(self) -> float:
        """Do what there is to do, instead of `run`; return the seconds until there may be more."""
        return LOOK_S if self._loop is None else self._loop.turn()

    def run(self, until: threading.Event | None = None, idle: Idle | None = None) -> None:
        """Render until `stop`, or `until` is set and the server woken. `idle` is how to wait for work. Blocks."""
        if self._loop is None:
            raise RuntimeError("start the server before running it")
        self._loop.run(until or self.stopping, idle)

    def stop(self) -> None:
        """Ask `run` to return."""
        self.stopping.set()
        self.wake()

    def say_goodbye(self, reason: str) -> None:
        """Tell all viewers that the session is over, and why; from any thread."""
        if self._viewers is not None:
            self._viewers.say_goodbye(reason, GOODBYE_S)

    @property
    def closed(self) -> bool:
        """True once it was closed."""
        return self._closed

    def close(self) -> None:
        """Take everything down, in reverse order."""
        self._closed = True
        self._parts.close()

    def wake(self) -> None:
        """Have the render thread look whether there is something to do; from any thread."""
        if self._loop is not None:
            self._loop.wake()

    def post(self, call: Callable[[], None]) -> None:
        """Run a call on the render thread, between two turns; from any thread."""
        if self._loop is not None:
            self._loop.post(call)

    def _tell_soon(self, severity: str, text: str) -> None:
        """As `notify`, after what runs now: also in the handler of a signal."""
        self.post(lambda: self.notify(severity, text))

    def _plugin_menu(self) -> m.PluginMenu:
        return m.PluginMenu(plugin_entries(widgets=self._windows))

    def _tell_plugins(self, _new: object) -> None:
        """A plugin came, on any thread."""
        viewers = self._viewers
        if viewers is not None:
            self.post(lambda: viewers.broadcast([self._plugin_menu()], {}))

    def _tell(self, viewer: str, message: m.ServerMessage) -> None:
        if self._loop is not None:
            self._loop.tell(viewer, message)

    def _complain_of_data(self, line: str) -> None:
        loop = self._loop
        if loop is not None:
            loop.post(lambda: loop.complain("data.unreadable", f"data cannot be read: {line}"))

    def _tell_loss(self, line: str) -> None:
        loop = self._loop
        if loop is not None:
            loop.post(lambda: loop.complain("data.scheduler", line))

    def _resync(self, viewer: str) -> None:
        if self._loop is not None:
            self._loop.join(viewer, ())

    def _forget(self, viewer: str) -> None:
        if self._loop is not None:
            self._loop.leave(viewer)

    def _application(
        self, loop: RenderLoop, viewers: Viewers, hub: StreamHub, files: FileHost, bars: ProgressBars
    ) -> ASGIApp:
        greeting = (m.StreamConfig("h264", self.config.frame_rate, self._renderer),)

        def join(viewer: str, since: int) -> None:
            self.metrics.viewers(len(viewers))
            loop.let_go(viewer)
            loop.join(viewer, greeting, since)

        def parted(viewer: Viewer) -> None:
            self.metrics.viewers(len(viewers))
            if viewer.seat is None:
                loop.let_go(viewer.name)
                loop.part(viewer.name, lambda: viewer.seat is None)

        def submit(viewer: str, intent: m.Intent) -> None:
            if isinstance(intent, m.Command) and intent.name == "job.cancel":
                # At once: the bar may be that of a loop in the main thread.
                bars.cancel(str(intent.args.get("job", "")))
            loop.submit(viewer, intent)

        session = SessionHost(
            session=self._session,
            server=f"napari-cuda {version('napari-cuda')} (napari {version('napari')})",
            host=socket.gethostname(),
            title=self._title,
            log=self._log,
            viewers=viewers,
            join=join,
            parted=parted,
            submit=submit,
            ask=loop.ask,
        )
        data = DataHost(loop.post, loop.applied, LayerDataAccess(loop), self._received)
        return http.build(
            http.HttpHost(self.config, session, hub, loop.show, self.metrics, files, self.interrupts.ask, data)
        )

    def _received(self, path: str) -> list[npt.NDArray[Any]]:
        """Return the arrays of a file that a client sent, which goes. Any thread."""
        if self._equipment is None:
            raise DataError("the server ends")
        resolved = self._equipment.roots.resolve(path)
        try:
            return read_arrays(resolved)
        finally:
            self._equipment.files.uploads.release(resolved)


def _title(paths: Sequence[str]) -> str:
    """Return what the session is called: its first path's own name, and how many more there are."""
    names = [PurePath(path.rstrip("/")).name or path for path in paths]
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else "".join(names)
