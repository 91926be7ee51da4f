"""ClientStreamLoop: the client's collaborators, wired; what happens on the GUI thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.decode.choice import open_pipeline
from napari_cuda.client.decode.pipeline import Outlets
from napari_cuda.client.link import ServerLink, Voice
from napari_cuda.client.loop_state import ClientLoopState, LoopPhase
from napari_cuda.client.mirror.viewer_mirror import ViewerMirror
from napari_cuda.client.net.pixel_receiver import PixelReceiver
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.playout.lease import FrameLease, LeaseLedger, LeaseRole
from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.client.playout.policy import PlayoutPolicy
from napari_cuda.client.playout.presenter import FixedLatencyPresenter, PlayoutMode, follows
from napari_cuda.client.playout.source_mux import Source, SourceMux
from napari_cuda.client.playout.warmup import WarmupPolicy
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketHeader

_MOST_TIMED_INTENTS = 1024
"""Intents whose way to the screen is being timed; more means that nothing is shown at all."""


class Host(Voice, Protocol):
    """Where the loop lives: a Qt window, or a script without one."""

    def schedule_wake(self, due_s: float) -> None:
        """Call the loop's `present` on the GUI thread at `due_s` (perf_counter); from any thread."""

    def request_draw(self) -> bool:
        """Have the newest picture drawn soon; False if there is nothing to draw on."""

    def presented(self, header: PacketHeader) -> None:
        """A picture is on screen, or in playback waits for its time: what waits for it may go on."""


class ClientStreamLoop:
    """Owner: GUI thread, except `schedule_next_wake` and what the pipeline calls."""

    def __init__(
        self, config: ClientConfig, host: Host, mirror: ViewerMirror, state: ClientLoopState, *, client: str
    ) -> None:
        self._host = host
        self.state = state
        self.metrics = ClientMetrics()
        self.leases = LeaseLedger()
        self.presenter = FixedLatencyPresenter()
        self.mux = SourceMux(self.presenter, Source.PYAV)
        self.policy = PlayoutPolicy()
        self.warmup = WarmupPolicy(self.presenter.latency_s, self.presenter.frame_rate)
        outlets = Outlets(
            present=self._submit,
            on_unchanged=self._submit_unchanged,
            on_part=lambda header: self.receiver.ack(header),
            on_lost=lambda header: self.receiver.lost(header),
            metrics=self.metrics,
            on_restarted=self.presenter.on_reconnect,
        )
        self.pipeline = open_pipeline(config.decoder, outlets, self.leases, self._on_fallback)
        self.mux.switch(self.pipeline.source, time.perf_counter())
        self.receiver = PixelReceiver(self.pipeline, self.metrics, lambda lost: self.link.pixels_lost(lost), host.post)
        self.link = ServerLink(config, host, mirror, state, self.receiver, self.metrics, client=client)
        self.link.on_stream_config = self._on_stream_config
        self.frame: SubmittedFrame | None = None
        """The newest picture taken; held as RENDERER until the next."""
        self._undrawn: PacketHeader | None = None
        self._intent_times: dict[int, float] = {}
        self._skipped = 0
        self.metrics.watch("pictures_to_present", lambda: self.presenter.depth)
        self.metrics.watch("properties_unacknowledged", lambda: state.control.unacknowledged)

    # --- pictures -----------------------------------------------------------------------

    def _submit(self, source: Source, frame: SubmittedFrame) -> None:
        """Decode thread: hand a picture to the presenter."""
        if self.mux.submit(source, frame, time.perf_counter()):
            self.schedule_next_wake()
            self._go_on(frame.header)
        elif source is self.mux.active:
            self.metrics.count("dropped_stale")

    def _submit_unchanged(self, header: PacketHeader) -> None:
        """Decode thread: the newest picture is also that of a newer revision."""
        if self.presenter.unchanged(header):
            self._go_on(header)
        else:
            self._host.post(lambda: self.unchanged(header))

    def _go_on(self, header: PacketHeader) -> None:
        """Decode thread: in playback server and slider go on while the picture waits for its time."""
        if self.presenter.mode is PlayoutMode.FIXED:
            self.receiver.ack(header)
            self._host.post(lambda: self._host.presented(header))

    def _on_fallback(self, text: str) -> None:
        """Decode thread: software decodes from now on."""
        if self.mux.switch(Source.PYAV, time.perf_counter()):
            self.schedule_next_wake()
        self._host.post(lambda: self._host.notify(text))

    def schedule_next_wake(self) -> None:
        """Have `present` called when the next picture is due. Any thread."""
        due_s = self.presenter.next_due_s()
        if due_s is not None:
            self._host.schedule_wake(due_s)

    def present(self) -> None:
        """Take the picture that is due and have it drawn."""
        now_s = time.perf_counter()
        self._choose_mode(now_s)
        frame = self.presenter.take_due(now_s)
        self.schedule_next_wake()  # others may wait for their time
        before, self._skipped = self._skipped, self.presenter.skipped
        self.metrics.count("dropped_skipped", self._skipped - before)
        if frame is None:
            return
        self.metrics.observe("present_wait", now_s - frame.decoded_s)
        self.metrics.observe("present", max(0.0, now_s - frame.due_s))
        if frame.header.keyframe:
            self.warmup.gate_lifted(now_s)
        frame.acquire(LeaseRole.RENDERER)
        frame.release(LeaseRole.PRESENTER)
        before_it, self.frame = self.frame, frame
        if before_it is not None:
            before_it.release(LeaseRole.RENDERER)
        self._undrawn = frame.header
        self.state.camera.shown(frame.header.camera)
        if not self._host.request_draw():
            self.drawn()

    def draw(self, paint: Callable[[SubmittedFrame | None], object]) -> None:
        """Draw the newest picture with `paint`; called whenever the canvas is drawn."""
        began_s = time.perf_counter()
        self.presenter.set_latency(self.warmup.latency_s(began_s))
        try:
            paint(self.frame)
        except StreamError as error:
            if self.frame is not None and isinstance(self.frame.picture, FrameLease):
                self.pipeline.give_up(error)
            raise
        self.metrics.observe("draw", time.perf_counter() - began_s)

    def unchanged(self, header: PacketHeader) -> None:
        """The server says that the newest picture is also that of a newer revision."""
        self.present()
        newest = self._undrawn
        if newest is None and self.frame is not None:
            newest = self.frame.header
        if newest is not None and not follows(header, newest):
            return  # a picture that came after it was decoded meanwhile: what that says includes this
        if self.state.camera.shown(header.camera) and self.frame is not None:
            self.frame = replace(self.frame, header=replace(self.frame.header, camera=header.camera))
            self._host.request_draw()
        if self._undrawn is None:
            self._shown(header)
        else:
            self._undrawn = header

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
        shown.exact = header.at_rest and self.frame is not None and isinstance(self.frame.picture, ExactPicture)
        if shown.exact:
            shown.exact_revision = max(shown.exact_revision, header.revision)
        if header.input_id > shown.input_id:
            shown.input_id = header.input_id
            self._time_input(header.input_id)
        self.link.shown(header)
        self._host.presented(header)
        self.state.on_shown(header)

    def let_go(self) -> None:
        """The pipelines have ended: release all leases; the renderer has its own hold on what it shows."""
        self.mux.close()
        self.warmup.reset()
        frame, self.frame = self.frame, None
        if frame is not None:
            frame.release(LeaseRole.RENDERER)

    def _on_stream_config(self, stream: m.StreamConfig) -> None:
        self.presenter.set_frame_rate(stream.frame_rate)
        self.warmup.set_frame_rate(stream.frame_rate)

    def _choose_mode(self, now_s: float) -> None:
        self.presenter.set_mode(self.policy.mode(now_s))

    def _time_input(self, input_id: int) -> None:
        sent_s = self._intent_times.get(input_id)
        if sent_s is not None:
            self.metrics.observe("input_to_photon", time.perf_counter() - sent_s)
        self._intent_times = {intent: at for intent, at in self._intent_times.items() if intent > input_id}

    # --- state --------------------------------------------------------------------------

    def send(self, intents: list[m.Intent], *, playing: bool = False) -> None:
        """Send what the user did, or a slider that is `playing`.

        After the end of the session there is nobody to send it to.
        """
        if self.state.phase is LoopPhase.STOPPED:
            return
        now_s = time.perf_counter()
        (self.policy.playing if playing else self.policy.interacting)(now_s)
        self._choose_mode(now_s)
        self.schedule_next_wake()
        for intent in intents:
            if len(self._intent_times) < _MOST_TIMED_INTENTS:
                # One that is sent again after a lost connection has been on its way since then.
                self._intent_times.setdefault(intent.intent, now_s)
            self.metrics.count("intents_sent")
            # Until a picture that includes it says otherwise; a pointer that does nothing changes nothing.
            self.state.shown.exact &= isinstance(intent, m.Input)
        self.link.send(intents)
