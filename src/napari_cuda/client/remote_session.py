"""RemoteSession: what a script does with a connected viewer, with or without a window."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.data_access import DataAccess
from napari_cuda.client.feature_tables import FeatureTables
from napari_cuda.client.layer_upload import LayerUploads
from napari_cuda.client.loop import ClientStreamLoop, Host
from napari_cuda.client.loop_lifecycle import start_loop, stop_loop
from napari_cuda.client.loop_state import ClientLoopState, LoopPhase
from napari_cuda.client.metrics_endpoint import MetricsEndpoint
from napari_cuda.client.mirror.cursor import INTERVAL_S, CursorMirror
from napari_cuda.client.mirror.napari_adapter import MeasuredOncePerBatch, NewLabelsElsewhere, NoLocalStatus
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.client.mirror.viewer_mirror import MirrorHost, ViewerMirror
from napari_cuda.client.net.data_service import DataService
from napari_cuda.client.net.file_service import FileService
from napari_cuda.client.open_and_save import LONGEST_JOB_S, OpensAndSaves
from napari_cuda.client.playout.frame import Picture
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.layer_lookup import find_layers_quickly
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import ConnectError, DataError, NapariCudaError, StartupError, with_trace
from napari_cuda.protocol.packet import PacketHeader
from napari_cuda.protocol.roles import VIEW_ONLY
from napari_cuda.view import Rendering

log = logging.getLogger(__name__)


class SessionHost(Host, MirrorHost, Protocol):
    """The loop's host, as a script uses it too: runs the GUI thread's work while the script waits."""

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Work until `done()`; False if it did not become so within `timeout_s`."""

    def close(self) -> None:
        """Free what belongs to the GUI thread; harmless when repeated."""


class RemoteSession:
    """Owner: GUI thread (the one that connected)."""

    def __init__(
        self,
        config: ClientConfig,
        viewer: ViewerModel,
        host: SessionHost,
        *,
        client: str,
        own_canvas: bool,
        dispatch: Callable[[list[m.Intent]], object] | None = None,
    ) -> None:
        """Wire `viewer` to the server. `dispatch` sees what the user does on its way to `loop.send`."""
        state = ClientLoopState()
        send = dispatch or (lambda intents: self.loop.send(intents))
        self.mirror = ViewerMirror(viewer, state, host, send=send, own_canvas=own_canvas)
        self.loop = ClientStreamLoop(config, host, self.mirror, state, client=client)
        self.cursor = CursorMirror(
            viewer,
            state.control,
            host,
            flush=self.mirror.flush,
            ask=self.loop.link.ask,
            interval_s=INTERVAL_S if own_canvas else 0.0,
        )
        self.loop.link.on_shown = self.cursor.follow
        self.data = DataAccess(self.mirror.command, host.post, FileService(config))
        self._regions = DataService(config, self._sent)
        self._tables = FeatureTables(self.data.errands, lambda: self._regions, host.notify)
        viewer.layers.events.inserted.connect(self._say_where_data_is)
        self.mirror.use(LayerUploads(self.data, self._wait_for_layer))
        self.loop.link.on_job = self.data.board.take
        self.loop.link.on_renewed = self.data.board.lose
        self.config = config
        self._endpoint: MetricsEndpoint | None = None
        self._host = host
        self._scripts_waiting = 0
        self._own_canvas = own_canvas
        self._closed = False

    def open(self, timeout_s: float) -> None:
        """Connect and wait for the scene; ConnectError in one line if that fails.

        StartupError if the port of the metrics is taken and they are not optional.
        """
        self._serve_metrics()
        start_loop(self.loop)
        try:
            self._await_scene(timeout_s)
        except ConnectError:
            self.close()
            raise

    def begin(self, config: ClientConfig) -> None:
        """Leave the session, if there is one, and begin another in the same viewer; how that goes the phases tell."""
        if self._closed:
            raise ConnectError("this viewer has left for good: connect another")
        self.loop.link.leave()
        self.config = replace(self.config, base=config.base, token=config.token)
        self.data.follow(FileService(self.config))
        self._regions.close()
        self._regions = DataService(self.config, self._sent)
        self.loop.link.connect(self.config)

    def connect(self, config: ClientConfig, timeout_s: float) -> None:
        """Begin another session and wait for its scene; ConnectError in one line if that fails."""
        self.begin(config)
        try:
            self._await_scene(timeout_s)
        except ConnectError:
            self.loop.link.leave()
            raise

    def reconnect(self) -> None:
        """Connect now: again, or to the session that comes after one that is over."""
        if self.loop.state.phase is LoopPhase.STOPPED:
            self.begin(self.config)
        else:
            self.loop.link.reconnect()

    def _wait_for_layer(self, done: Callable[[], bool]) -> None:
        """Wait until a layer that was made here is on the server; a window goes on meanwhile."""
        if not self._own_canvas:
            with self._waiting():
                self._wait(done, LONGEST_JOB_S, "the layer is not there")

    def _sent(self) -> tuple[str, int]:
        """Return who we are, and what of what we asked for the server may not have done yet; from any thread."""
        welcome = self.loop.link.welcome
        return (welcome.viewer if welcome else ""), self.loop.state.control.awaited_intent

    def _say_where_data_is(self, event: Any) -> None:
        if isinstance(event.value, RemoteLayer):
            event.value.on_data = self._regions
            event.value.on_tables = self._tables

    def _await_scene(self, timeout_s: float) -> None:
        state = self.loop.state
        settled = False
        while not settled:
            settled = self._host.wait_until(lambda: state.phase in (LoopPhase.STREAMING, LoopPhase.STOPPED), timeout_s)
            if not (state.busy and self._own_canvas):
                break  # a window shows what it waits for, and can be closed
        if not settled or state.phase is LoopPhase.STOPPED:
            raise ConnectError(state.ended or f"no scene within {timeout_s:g} s{state.busy and f': {state.busy}'}")

    @property
    def revision(self) -> int:
        """Revision of the picture shown."""
        return self.loop.state.shown.revision

    @property
    def newest_input(self) -> int:
        """Number of the newest change sent; the header of a picture names the newest one that it shows."""
        return self.loop.state.control.newest_intent

    def watch(self, seen: Callable[[PacketHeader, Picture], object]) -> None:
        """Have `seen` called with every picture shown; it gets the same picture again if a newer revision has it too.

        The picture is the decoder's: whoever keeps it longer than the call keeps its memory.
        """

        def on_shown(header: PacketHeader) -> None:
            if self.loop.frame is not None:
                seen(header, self.loop.frame.picture)

        self.loop.state.on_shown = on_shown

    @property
    def metrics(self) -> ClientMetrics:
        """Counters and stage times of this client."""
        return self.loop.metrics

    def pump(self, timeout_s: float = 0.0) -> None:
        """Take in what the server sent, for `timeout_s`."""
        self._host.wait_until(lambda: False, timeout_s)

    def sync(self, timeout_s: float = 10.0) -> int:
        """Return the revision once all that was set is acknowledged and on a received frame.

        The status bar tells of the cursor's place by then. Waits through a lost connection. Raises
        ConnectError if the session ends or the time runs out.
        """
        self.mirror.flush()
        state = self.loop.state
        control, shown = state.control, state.shown

        def done() -> bool:
            revision = control.settled_revision
            streaming = state.phase is LoopPhase.STREAMING
            if not streaming or revision is None or shown.revision < revision:
                return False
            return self.cursor.settled

        self._wait(done, timeout_s, "the server did not acknowledge and show everything")
        return shown.revision

    def screenshot(self, timeout_s: float = 30.0) -> npt.NDArray[np.uint8]:
        """Return the exact picture of the present state: (H, W, 4) uint8 RGBA.

        That is all that was set here, and what is known here of what others set.
        """
        state = self.loop.state
        self.sync(timeout_s)
        known = state.control.revision

        def exact() -> ExactPicture | None:
            revision, frame = state.control.settled_revision, self.loop.frame
            if state.phase is not LoopPhase.STREAMING or revision is None or frame is None:
                return None
            if state.shown.exact_revision < max(revision, known):
                return None
            # Data that arrived since may have changed the picture of the same revision: its exact one comes too.
            return frame.picture if isinstance(frame.picture, ExactPicture) else None

        self._wait(lambda: exact() is not None, timeout_s, "the exact picture did not come")
        picture = exact()
        if picture is None:
            raise ConnectError("the scene does not come to rest")
        return picture.rgba.copy()

    def finish(self, number: int, timeout_s: float) -> m.JobUpdate:
        """Wait for the job of a request, and return how it ended; DataError in one line if not well."""
        board, control = self.data.board, self.loop.state.control

        def done() -> bool:
            job = board.of_intent(number)
            # A request that is acknowledged and began no job was refused.
            return control.settled_revision is not None if job is None else job.state != "running"

        with self._waiting():
            self._wait(done, timeout_s, "the server is not done")
        if self.loop.state.role == "view":
            raise DataError(VIEW_ONLY)
        return _checked(board.of_intent(number))

    def finish_transfer(self, job: str, timeout_s: float) -> m.JobUpdate:
        """Wait for one of our own transfers, and return how it ended; DataError in one line if not well."""
        board = self.data.board
        with self._waiting():
            self._wait(lambda: not board.is_running(job), timeout_s, "the transfer is not done")
        return _checked(board.get(job))

    def interrupt(self) -> None:
        """Interrupt the user's code that keeps the server, as Ctrl+C would there; the user is told why it cannot be.

        Not by the state channel: while the server is busy, that may not even be read.
        """

        def refused(error: Exception) -> None:
            self._host.notify(str(error))

        try:
            self.data.errands.run("interrupt", self.data.service.interrupt, lambda _answer: None, refused)
        except NapariCudaError as error:
            refused(error)

    def tell_failed(self, job: m.JobUpdate) -> None:
        """Tell the user of a job that failed, unless a script waits, which is told in its own way."""
        if job.state == "failed" and not self._scripts_waiting:
            self._host.notify(job.error)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self._scripts_waiting += 1
        try:
            yield
        finally:
            self._scripts_waiting -= 1

    def close(self) -> None:
        """Leave the server; threads and sockets are gone when this returns."""
        self._closed = True
        self.data.close()
        self._regions.close()
        stop_loop(self.loop)
        if self._endpoint is not None:
            self._endpoint.stop()
            self._endpoint = None
        self._host.close()
        if self.loop.leases.live:
            log.error("%d decoded surfaces were not given back", self.loop.leases.live)

    def _serve_metrics(self) -> None:
        if self.config.metrics_port is None:
            return
        try:
            self._endpoint = MetricsEndpoint(self.metrics, self.config.metrics_port)
        except StartupError as error:
            if not self.config.metrics_optional:
                raise
            log.warning("%s", error)

    def _wait(self, done: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
        state = self.loop.state
        self._host.wait_until(lambda: done() or state.phase is LoopPhase.STOPPED, timeout_s)
        if state.phase is LoopPhase.STOPPED:
            raise ConnectError(state.ended or "the session is closed")
        if not done():
            why = f"there is no connection: {state.trouble}" if state.trouble else state.busy or otherwise
            raise ConnectError(f"{why} (waited {timeout_s:g} s)")


def _checked(job: m.JobUpdate | None) -> m.JobUpdate:
    if job is None:
        raise DataError("the server refused the request")
    if job.state != "done":
        raise with_trace(DataError(job.error or f"{job.title}: cancelled"), job.traceback)
    return job


class Connected(OpensAndSaves, NewLabelsElsewhere, NoLocalStatus, MeasuredOncePerBatch):
    """Mixin: what a connected viewer has besides napari's own. Owner: GUI thread."""

    _session: RemoteSession

    def attach(self, session: RemoteSession) -> None:
        """Give the viewer its session; once, before it is opened."""
        self._session = session
        self.watch_batches()
        self.follow_layers_within(session.mirror.placing)
        find_layers_quickly(self.layers)
        session.data.board.watch(session.tell_failed)
        self.layers.save = self._save_list

    def ask_for_new_labels(self) -> None:
        """Have the server add empty labels for the selected layers."""
        self._session.mirror.command("layers.new_labels")

    @property
    def server(self) -> ClientConfig:
        """The server this viewer was connected to: `address`, and the token."""
        return self._session.config

    @property
    def session_title(self) -> str:
        """What the server calls the session; empty if it has no name."""
        welcome = self._session.loop.link.welcome
        return welcome.title if welcome is not None else ""

    @property
    def revision(self) -> int:
        """Revision of the newest picture shown."""
        return self._session.revision

    @property
    def newest_input(self) -> int:
        """Number of the newest change sent; the header of a picture names the newest one that it shows."""
        return self._session.newest_input

    def watch_pictures(self, seen: Callable[[PacketHeader, Picture], object]) -> None:
        """Have `seen` called with every picture shown; it gets the same picture again if a newer revision has it too.

        The picture is the decoder's: whoever keeps it longer than the call keeps its memory.
        """
        self._session.watch(seen)

    @property
    def metrics(self) -> ClientMetrics:
        """Counters and stage times of this client."""
        return self._session.metrics

    @property
    def rendering(self) -> Rendering:
        """How the server draws volumes: `quality` and `volume_step`; setting them steers it."""
        return self._session.mirror.view.rendering

    def sync(self, timeout_s: float = 10.0) -> int:
        """Return the revision once all that was set is acknowledged and on a received frame.

        The status bar tells of the cursor's place by then. Waits through a lost connection. Raises
        ConnectError if the session ends or the time runs out.
        """
        return self._session.sync(timeout_s)

    def pump(self, timeout_s: float = 0.0) -> None:
        """Take in what the server sent, for `timeout_s`."""
        self._session.pump(timeout_s)

    def leave(self) -> None:
        """Leave the server; a window that is still there shows no picture any more."""
        self._session.close()
