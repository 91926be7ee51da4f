"""RemoteSession: what a script does with a connected viewer, with or without a window."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.loop import ClientStreamLoop, Host
from napari_cuda.client.loop_lifecycle import start_loop, stop_loop
from napari_cuda.client.loop_state import ClientLoopState, LoopPhase
from napari_cuda.client.metrics_endpoint import MetricsEndpoint
from napari_cuda.client.mirror.viewer_mirror import MirrorHost, ViewerMirror
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import ConnectError, StartupError

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
        self._config = config
        self._endpoint: MetricsEndpoint | None = None
        self._host = host

    def open(self, timeout_s: float) -> None:
        """Connect and wait for the scene; ConnectError in one line if that fails.

        StartupError if the port of the metrics is taken and they are not optional.
        """
        self._serve_metrics()
        start_loop(self.loop)
        state = self.loop.state
        settled = self._host.wait_until(lambda: state.phase in (LoopPhase.STREAMING, LoopPhase.STOPPED), timeout_s)
        if not settled or state.phase is LoopPhase.STOPPED:
            reason = state.ended or f"no scene within {timeout_s:g} s"
            self.close()
            raise ConnectError(reason)

    @property
    def revision(self) -> int:
        """Revision of the picture shown."""
        return self.loop.state.shown.revision

    @property
    def metrics(self) -> ClientMetrics:
        """Counters and stage times of this client."""
        return self.loop.metrics

    def pump(self, timeout_s: float = 0.0) -> None:
        """Take in what the server sent, for `timeout_s`."""
        self._host.wait_until(lambda: False, timeout_s)

    def sync(self, timeout_s: float = 10.0) -> int:
        """Return the revision once all that was set is acknowledged and on a received frame.

        Waits through a lost connection. Raises ConnectError if the session ends or the time runs out.
        """
        self.mirror.flush()
        state = self.loop.state
        control, shown = state.control, state.shown

        def done() -> bool:
            revision = control.settled_revision
            streaming = state.phase is LoopPhase.STREAMING
            return streaming and revision is not None and shown.revision >= revision

        self._wait(done, timeout_s, "the server did not acknowledge and show everything")
        return shown.revision

    def screenshot(self, timeout_s: float = 30.0) -> npt.NDArray[np.uint8]:
        """Return the exact picture of the present state: (H, W, 4) uint8 RGBA."""
        state = self.loop.state
        self.sync(timeout_s)

        def exact() -> ExactPicture | None:
            revision, frame = state.control.settled_revision, self.loop.frame
            if state.phase is not LoopPhase.STREAMING or revision is None or frame is None:
                return None
            if state.shown.exact_revision < revision:
                return None
            # Data that arrived since may have changed the picture of the same revision: its exact one comes too.
            return frame.picture if isinstance(frame.picture, ExactPicture) else None

        self._wait(lambda: exact() is not None, timeout_s, "the exact picture did not come")
        picture = exact()
        if picture is None:
            raise ConnectError("the scene does not come to rest")
        return picture.rgba.copy()

    def close(self) -> None:
        """Leave the server; threads and sockets are gone when this returns."""
        stop_loop(self.loop)
        if self._endpoint is not None:
            self._endpoint.stop()
            self._endpoint = None
        self._host.close()
        if self.loop.leases.live:
            log.error("%d decoded surfaces were not given back", self.loop.leases.live)

    def _serve_metrics(self) -> None:
        if self._config.metrics_port is None:
            return
        try:
            self._endpoint = MetricsEndpoint(self.metrics, self._config.metrics_port)
        except StartupError as error:
            if not self._config.metrics_optional:
                raise
            log.warning("%s", error)

    def _wait(self, done: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
        state = self.loop.state
        self._host.wait_until(lambda: done() or state.phase is LoopPhase.STOPPED, timeout_s)
        if state.phase is LoopPhase.STOPPED:
            raise ConnectError(state.ended or "the session is closed")
        if not done():
            why = f"there is no connection: {state.trouble}" if state.trouble else otherwise
            raise ConnectError(f"{why} (waited {timeout_s:g} s)")


class Connected:
    """Mixin: what a connected viewer has besides napari's own. Owner: GUI thread."""

    _session: RemoteSession

    def attach(self, session: RemoteSession) -> None:
        """Give the viewer its session; once, before it is opened."""
        self._session = session

    @property
    def revision(self) -> int:
        """Revision of the newest picture shown."""
        return self._session.revision

    @property
    def metrics(self) -> ClientMetrics:
        """Counters and stage times of this client."""
        return self._session.metrics

    def sync(self, timeout_s: float = 10.0) -> int:
        """Return the revision once all that was set is acknowledged and on a received frame.

        Waits through a lost connection. Raises ConnectError if the session ends or the time runs out.
        """
        return self._session.sync(timeout_s)

    def pump(self, timeout_s: float = 0.0) -> None:
        """Take in what the server sent, for `timeout_s`."""
        self._session.pump(timeout_s)

    def leave(self) -> None:
        """Leave the server; a window that is still there shows no picture any more."""
        self._session.close()
