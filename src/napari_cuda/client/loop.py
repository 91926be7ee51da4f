"""ClientStreamLoop: the client's collaborators, wired; what happens on the GUI thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.decode.pipeline import Outlets, PacketIntake
from napari_cuda.client.decode.pyav import PyAVPipeline
from napari_cuda.client.link import ServerLink
from napari_cuda.client.loop_state import ClientLoopState, LoopPhase
from napari_cuda.client.mirror.viewer_mirror import ViewerMirror
from napari_cuda.client.net.pixel_receiver import PixelReceiver
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.playout.presenter import FixedLatencyPresenter, follows
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.packet import PacketHeader

_MOST_TIMED_INTENTS = 1024
"""Intents whose way to the screen is being timed; more means that nothing is shown at all."""


class Host(Protocol):
    """Where the loop lives: a Qt window, or a script without one."""

    def post(self, call: Callable[[], None]) -> object:
        """Run `call` on the GUI thread, in order; from any thread."""

    def schedule_wake(self, due_s: float) -> None:
        """Call the loop's `present` on the GUI thread at `due_s` (perf_counter); from any thread."""

    def request_draw(self) -> bool:
        """Have the newest picture drawn soon; False if there is nothing to draw on."""

    def presented(self, header: PacketHeader) -> None:
        """A picture is on screen."""

    def notify(self, text: str) -> None:
        """Tell the user one line."""

    def show_state(self, text: str | None) -> None:
        """Show one line about the connection over the picture; None takes it away."""


class ClientStreamLoop:
    """Owner: GUI thread, except `schedule_next_wake` and what the pipeline calls."""

    def __init__(
        self, config: ClientConfig, host: Host, mirror: ViewerMirror, state: ClientLoopState, *, client: str
    ) -> None:
        self.state = state
        self.metrics = ClientMetrics()
        self.presenter = FixedLatencyPresenter()
        outlets = Outlets(
            present=lambda _source, frame: self._submit(frame),
            on_unchanged=self._submit_unchanged,
            on_lost=lambda header: self.receiver.lost(header),
            metrics=self.metrics,
            on_restarted=self.presenter.on_reconnect,
        )
        self.pipeline = PyAVPipeline(PacketIntake(outlets))
        self.receiver = PixelReceiver(
            self.pipeline, self.metrics, lambda reason, at_s: self.link.pixels_lost(reason, at_s), host.post
        )
        self.link = ServerLink(config, host, mirror, state, self.receiver, self.metrics, client=client)
        self.frame: SubmittedFrame | None = None
        self._host = host
        self._undrawn: PacketHeader | None = None
        self._intent_times: dict[int, float] = {}
        self._skipped = 0
        self.metrics.watch("pictures_to_present", lambda: self.presenter.depth)
        self.metrics.watch("properties_unacknowledged", lambda: state.control.unacknowledged)

    # --- pictures -----------------------------------------------------------------------

    def _submit(self, frame: SubmittedFrame) -> None:
        """Decode thread: hand a picture to the presenter."""
        if self.presenter.submit(frame, time.perf_counter()):
            self.schedule_next_wake()

    def _submit_unchanged(self, header: PacketHeader) -> None:
        """Decode thread: the newest picture is also that of a newer revision."""
        if not self.presenter.unchanged(header):
            self._host.post(lambda: self.unchanged(header))

    def schedule_next_wake(self) -> None:
        """Have `present` called when the next picture is due. Any thread."""
        due_s = self.presenter.next_due_s()
        if due_s is not None:
            self._host.schedule_wake(due_s)

    def present(self) -> None:
        """Take the picture that is due and have it drawn."""
        now_s = time.perf_counter()
        frame = self.presenter.take_due(now_s)
        before, self._skipped = self._skipped, self.presenter.skipped
        self.metrics.count("dropped_skipped", self._skipped - before)
        if frame is None:
            return
        self.metrics.observe("present_wait", now_s - frame.decoded_s)
        self.metrics.observe("present", max(0.0, now_s - frame.due_s))
        self.frame = frame
        self._undrawn = frame.header
        if not self._host.request_draw():
            self.drawn()

    def draw(self, paint: Callable[[SubmittedFrame | None], object]) -> None:
        """Draw the newest picture with `paint`; called whenever the canvas is drawn."""
        began_s = time.perf_counter()
        paint(self.frame)
        self.metrics.observe("draw", time.perf_counter() - began_s)

    def unchanged(self, header: PacketHeader) -> None:
        """The server says that the newest picture is also that of a newer revision."""
        self.present()
        if self._undrawn is None:
            self._shown(header)
        elif follows(header, self._undrawn):
            self._undrawn = header
        # Else a picture that came after it was decoded meanwhile: what that says includes this.

    def drawn(self) -> None:
        """The newest picture is on screen: tell the server, so that the next may come."""
        header, self._undrawn = self._undrawn, None
        if header is None or self.frame is None:
            return
        self.state.shown.frames += 1
        self.metrics.count("frames_shown")
        self._shown(header)

    def _shown(self, header: PacketHeader) -> None:
        self.receiver.ack(header)
        shown = self.state.shown
        if header.epoch <= shown.past_epoch:
            return
        shown.revision = max(shown.revision, header.revision)
        if header.at_rest and self.frame is not None and isinstance(self.frame.picture, ExactPicture):
            shown.exact_revision = max(shown.exact_revision, header.revision)
        if header.input_id > shown.input_id:
            shown.input_id = header.input_id
            self._time_input(header.input_id)
        self.link.shown(header)
        self._host.presented(header)

    def _time_input(self, input_id: int) -> None:
        sent_s = self._intent_times.get(input_id)
        if sent_s is not None:
            self.metrics.observe("input_to_photon", time.perf_counter() - sent_s)
        self._intent_times = {intent: at for intent, at in self._intent_times.items() if intent > input_id}

    # --- state --------------------------------------------------------------------------

    def send(self, intents: list[m.Intent]) -> None:
        """Send what the user did; after the end of the session there is nobody to send it to."""
        if self.state.phase is LoopPhase.STOPPED:
            return
        now_s = time.perf_counter()
        for intent in intents:
            if len(self._intent_times) < _MOST_TIMED_INTENTS:
                self._intent_times[intent.intent] = now_s
            self.metrics.count("intents_sent")
        self.link.send(intents)
