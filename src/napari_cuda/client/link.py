"""ServerLink: both sockets of one server as the GUI thread sees them; losing and regaining the connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.control.cadence import Cadence
from napari_cuda.client.loop_state import ClientLoopState, LoopPhase
from napari_cuda.client.mirror.viewer_mirror import ViewerMirror
from napari_cuda.client.net.pixel_receiver import PixelReceiver, ReceiveController
from napari_cuda.client.net.state_channel import StateChannel, StateController, StateEvents
from napari_cuda.client.net.transport import ConnectionLost
from napari_cuda.client.telemetry import ClientMetrics
from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.packet import PacketHeader
from napari_cuda.protocol.session import SessionEvent
from napari_cuda.worker import Deadline

log = logging.getLogger(__name__)

E = TypeVar("E")

CLOSING_S = 5.0
"""For the sockets of a session that is over, which are closing already."""

LAYERS_TURN_S = 0.01
"""So long layers come or go before the window has its turn: of 0.1 s that one may take, painting takes half."""

HEAL_EVERY_S = 10.0
"""Between two snapshots that are asked for because a message could not be shown: each makes all layers anew."""


class Voice(Protocol):
    """How the user is told; the loop's host."""

    def post(self, call: Callable[[], None]) -> object:
        """Run `call` on the GUI thread, in order; from any thread."""

    def call_at(self, due_s: float, call: Callable[[], None]) -> None:
        """Run `call` at `due_s` (perf_counter)."""

    def notify(self, text: str) -> None:
        """Tell the user one line."""

    def show_state(self, text: str | None) -> None:
        """Show one line about the connection over the picture; None takes it away."""

    def viewer_renewed(self) -> None:
        """The server made another viewer for this one: intents are numbered from the start again."""


class ServerLink:
    """Owner: GUI thread.

    The state channel finds its way back by itself and says so here; this decides what that means
    for the controls, the pixel socket and the user. The picture of before stays until the next.
    """

    def __init__(
        self,
        config: ClientConfig,
        voice: Voice,
        mirror: ViewerMirror,
        state: ClientLoopState,
        receiver: PixelReceiver,
        metrics: ClientMetrics,
        *,
        client: str,
    ) -> None:
        self._config = config
        self._voice = voice
        self._mirror = mirror
        self._state = state
        self._receiver = receiver
        self._metrics = metrics
        self._client = client
        self._states = self._state_channel()
        self._pixels: ReceiveController | None = None
        self._welcome: m.Welcome | None = None
        self._lost_s: float | None = None
        """When the picture on screen became an old one (client's clock); None while it is none."""
        self._wanted_revision = 0
        """What a picture must show to be a new one."""
        self._newest: PacketHeader | None = None
        self._astray = False
        """A message could not be shown: what is shown here is not the server's scene."""
        self._scene_comes = False
        """A whole scene was told, and is not shown yet."""
        self._heals = Cadence(HEAL_EVERY_S)
        self.on_stream_config: Callable[[m.StreamConfig], object] = lambda stream: None
        self.on_shown: Callable[[SessionEvent], object] = lambda event: None
        """Called with what the server said of the scene once it is shown, and with answers."""
        self.on_job: Callable[[m.JobUpdate], object] = lambda job: None
        self.on_renewed: Callable[[str], object] = lambda why: None
        """Called with a line when the server does not know this viewer any more: what it did for it is not heard of."""
        self.on_welcome: Callable[[m.Welcome], object] = lambda welcome: None
        """Called at the beginning of each connection."""
        self.on_surfaces: Callable[[s.SurfaceNews], object] = lambda news: None
        """Called with what there is of surfaces; with none when the session is over."""
        self.on_log: Callable[[m.LogLines], object] = lambda lines: None

    def start(self) -> None:
        """Connect in the background."""
        self._states.start()

    def connect(self, config: ClientConfig) -> None:
        """Begin another session, with this server or another one, after the end of the one before.

        Nothing that was set meanwhile concerns it. The picture and the layers of before stay until it has its own.
        """
        self._state.advance("connect")
        if self._state.phase is not LoopPhase.CONNECTING:
            raise RuntimeError("leave the session before beginning another")
        self.stop(Deadline(CLOSING_S))
        self._config, self._welcome, self._pixels = config, None, None
        self._astray, self._lost_s = False, time.perf_counter()
        self._state.ended = self._state.trouble = ""
        self._begin_anew()
        self._states = self._state_channel()
        self._states.start()
        self._voice.show_state(f"Connecting to {config.address} …")

    def _state_channel(self) -> StateController:
        def happened(event: SessionEvent | ConnectionLost) -> None:
            if channel is self._states.channel:  # and not the one of a session that was left
                self._on_event(event)

        events = StateEvents(happened, self._on_overflow, busy=lambda: self._mirror.busy)
        channel = StateChannel(self._client, events, self._voice.post, self._metrics)
        return StateController(self._config, channel)

    def _begin_anew(self) -> int:
        """What comes is another session's; return how much of what was set is not in it."""
        self._voice.viewer_renewed()
        self._state.shown.begin_anew(self._receiver.epoch)
        return self._state.control.begin_anew()

    def stop(self, deadline: Deadline) -> bool:
        """Leave the server and end both threads; False if one did not end in time."""
        # Both first: on a dead link each closing handshake takes its whole time.
        self._states.leave()
        if self._pixels is not None:
            self._pixels.request_close()
        ended = self._pixels is None or self._pixels.stop(deadline.left_s())
        return self._states.stop(deadline.left_s()) and ended

    def send(self, intents: list[m.Intent]) -> None:
        """Send intents on the present connection."""
        if self._welcome is not None:
            self._states.channel.post_intents(intents, self._welcome)

    def ask(self, query: m.Query) -> None:
        """Ask the server something that is not worth asking again."""
        self._states.channel.ask(query)

    @property
    def welcome(self) -> m.Welcome | None:
        """What the server said of itself and of us when it was last reached; None before."""
        return self._welcome

    def reconnect(self) -> None:
        """Give up the present connection, or the pause before the next attempt, and connect now."""
        if self._state.phase is not LoopPhase.STOPPED:
            self._states.reopen()

    def leave(self) -> None:
        """Leave the server for good, as the user wishes; the last picture stays."""
        if self._state.phase is not LoopPhase.STOPPED:
            self._states.leave()
            self._stop("you left the session")

    def shown(self, header: PacketHeader) -> None:
        """A picture is on screen."""
        self._newest = header
        if self._lost_s is not None:
            self._look_whether_all_is_well(self._lost_s)

    def pixels_lost(self, lost: ConnectionLost) -> None:
        """The pixel socket is gone; it is opened again unless that is final, which ends the session."""
        if lost.final and self._state.phase is not LoopPhase.STOPPED:
            self._end(f"no more pictures can be received: {lost.reason}")
        elif self._state.phase is LoopPhase.STREAMING:
            log.warning("no pictures: %s", lost.reason)
            self._lost_s = lost.at_s
            self._voice.show_state(f"No new pictures: {lost.reason} — trying again …")
            self._look_whether_all_is_well(lost.at_s)

    @property
    def _standing(self) -> str | None:
        """What is to be read over the picture while all is well."""
        return "View only" if self._state.role == "view" else None

    def _look_whether_all_is_well(self, lost_s: float) -> None:
        header, receiver = self._newest, self._receiver
        if self._state.phase is not LoopPhase.STREAMING or header is None:
            return
        if header.revision >= self._wanted_revision and receiver.is_since(header.epoch, lost_s):
            self._lost_s = None
            self._voice.show_state(self._standing)
            opened_s = self._states.channel.opened_s
            since_s = opened_s if opened_s > lost_s else receiver.opened_s
            self._metrics.observe("resume", time.perf_counter() - since_s)

    # --- what the state channel tells ---------------------------------------------------

    def _on_event(self, event: SessionEvent | ConnectionLost) -> None:
        if self._state.phase is LoopPhase.STOPPED:
            return
        match event:
            case ConnectionLost(final=True):
                self._end(event.reason)
            case ConnectionLost():
                self._lose(event)
            case m.Welcome():
                self._on_welcome(event)
            case m.Busy(text):
                self._on_busy(text)
            case m.StreamConfig():
                self._tell(self.on_stream_config, event)
            case m.StreamQuality() | m.ScriptViewers() | m.PluginMenu():
                self._state.note(event)
            case m.JobUpdate():
                self._tell(self.on_job, event)
            case m.LogLines():
                self._tell(self.on_log, event)
            case (
                s.SurfaceList()
                | s.SurfaceUpdate()
                | s.SurfaceCursor()
                | s.SurfaceCaret()
                | s.SurfaceUnused()
                | s.SurfaceCopied()
            ):
                self._tell(self.on_surfaces, event)
            case _:
                self._show(event)

    def _on_busy(self, text: str) -> None:
        self._state.busy = text
        if text or self._lost_s is None:
            self._voice.show_state(text or self._standing)

    def _tell(self, outlet: Callable[[E], object], event: E) -> bool:
        """Hand an event on; False if that failed, which must not lose what follows."""
        try:
            outlet(event)
        except Exception as error:  # napari's models and widgets may raise anything
            log.exception("a message of the server could not be shown")
            self._voice.notify(f"{type(event).__name__} could not be shown: {error}")
            return False
        return True

    def _on_welcome(self, welcome: m.Welcome) -> None:
        known, self._welcome = self._welcome, welcome
        control = self._state.control
        self._state.role = welcome.role
        self._state.advance("welcome")
        if known is None:
            pass
        elif welcome.viewer == known.viewer:
            control.resume(welcome.taken)
        elif welcome.session == known.session:
            self._voice.viewer_renewed()
            self.on_renewed("the server forgot us")
            if dropped := control.rejoin():
                self._voice.notify(f"The connection was away for too long; actions that may be lost: {dropped}")
        else:
            self.on_renewed("the server was started anew")
            dropped = self._begin_anew()
            lost = f"; changes made meanwhile that are not in it: {dropped}" if dropped else ""
            self._voice.notify(f"The server was started anew: this is another session{lost}")
        if self._pixels is None:
            self._pixels = ReceiveController(self._config, welcome.viewer, self._receiver)
            self._pixels.start()
        else:
            self._pixels.follow(welcome.viewer)
        self._mirror.flush()
        self._tell(self.on_welcome, welcome)

    def _show(self, event: SessionEvent) -> None:
        self._scene_comes = isinstance(event, (m.SceneSnapshot, m.SceneResumed))
        shown = self._tell(self._mirror.handle, event)
        # A snapshot that cannot be shown would not be better the next time.
        self._astray = not isinstance(event, m.SceneSnapshot) and (self._astray or not shown)
        self._tell(self.on_shown, event)
        self._heal()
        if self._mirror.busy:
            self._voice.post(self._take_steps)
        else:
            self._on_all_shown()

    def _heal(self) -> None:
        """Ask for the whole scene if what is shown is not it; later, if that was done just now."""
        if not (self._astray and self._state.control.ready):
            return
        now_s = time.perf_counter()
        waits = self._heals.due_s is not None
        due_s = self._heals.note(now_s)
        if self._heals.take(now_s):
            self._astray = False
            self._ask_for_snapshot()
        elif not waits:
            self._voice.call_at(due_s, self._heal)

    def _ask_for_snapshot(self) -> None:
        self._state.control.command("scene.snapshot", {})
        self._mirror.flush()

    def _take_steps(self) -> None:
        """Have layers come and go for a moment; the window gets a turn before those that are left."""
        if not self._mirror.busy:
            return
        until_s = time.perf_counter() + LAYERS_TURN_S
        while self._state.phase is not LoopPhase.STOPPED and self._take_step():
            if time.perf_counter() >= until_s:
                self._voice.post(self._take_steps)
                return

    def _take_step(self) -> bool:
        """Take one; return whether more are left."""
        try:
            self._mirror.take_step()
        except Exception as error:  # as in `_show`
            log.exception("a layer of the server could not be shown")
            self._voice.notify(f"a layer could not be shown: {error}")
        if self._mirror.busy:
            return True
        self._on_all_shown()
        self._states.channel.go_on()
        return False

    def _on_all_shown(self) -> None:
        if self._scene_comes:
            self._scene_comes = False
            self._on_scene()

    def _on_scene(self) -> None:
        self._state.advance("scene")
        self._state.trouble = ""
        self._wanted_revision = self._state.control.revision
        if self._lost_s is not None:
            self._metrics.count("reconnects")
            self._voice.show_state("Connected again; waiting for the picture …")
            self._look_whether_all_is_well(self._lost_s)
        else:
            self._voice.show_state(self._standing)

    def _on_overflow(self) -> None:
        if self._state.control.ready:
            self._ask_for_snapshot()
        else:
            self._states.reopen()  # and begin with a snapshot

    def _lose(self, lost: ConnectionLost) -> None:
        if self._state.phase is not LoopPhase.RECONNECTING:
            log.warning("connection lost: %s", lost.reason)
            self._metrics.count("connections_lost")
        self._state.trouble, self._state.busy = lost.reason, ""
        self._state.advance("lost")
        self._state.control.disconnected()
        self._lost_s = lost.at_s
        if self._pixels is not None:
            self._pixels.drop_older(lost.at_s)
        self._voice.show_state(f"Disconnected: {lost.reason} — trying again …")

    def _end(self, reason: str) -> None:
        log.warning("disconnected: %s", reason)
        self._stop(reason)
        self._voice.notify(f"Disconnected: {reason}")

    def _stop(self, reason: str) -> None:
        self._state.ended = reason
        self._state.advance("closed")
        self._state.control.disconnected()
        self.on_renewed(reason)
        self._tell(self.on_surfaces, s.SurfaceList(0))
        # Half a connection is none: what is set here must not change a scene that is not shown.
        self._states.request_close()
        if self._pixels is not None:
            self._pixels.request_close()
        self._voice.show_state(f"Disconnected: {reason} — the Remote menu connects again")
