"""RenderLoop: the one thread that touches the model, the canvas and GL.

Everything reaches it through `post`; everything leaves through the sinks of `outlets.py`. A turn of the
loop is: take commands, apply them, let napari work (slices, Qt events), tell the viewers
what changed, draw if needed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from napari.layers import Layer

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.frames import RenderedFrame
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.server.render.inbox import LOOK_S, Idle, Inbox, ViewerIntent, coalesce
from napari_cuda.server.render.intents import Intents
from napari_cuda.server.render.loading import LoadingNotice
from napari_cuda.server.render.outlets import FrameSink, StateSink, SurfaceHost
from napari_cuda.server.render.pacing import FramePacing, Next
from napari_cuda.server.render.stage import Stage
from napari_cuda.server.scene.authority import SceneAuthority

log = logging.getLogger(__name__)

R = TypeVar("R")

ERROR_PAUSE_S = 0.5

LOOK_FOR_LISTENERS_S = 0.1
"""Scripts bind keys and callbacks before they are used by hand; each look goes through all layers."""


@dataclass(frozen=True, slots=True)
class _Pause:
    """What to do until the next turn: wait so long (None: until something comes), perhaps whatever is asked for."""

    seconds: float | None = 0.0
    for_wake: bool = False


@dataclass(frozen=True, slots=True)
class _Settled:
    """The newest revision, and the newest intent of each viewer, that the canvas shows in full."""

    revision: int = 0
    input_ids: dict[str, int] = field(default_factory=dict)


def _no_other_viewer(_viewer: str) -> None:
    raise CommandError("this server runs no script: there is one viewer")


class RenderLoop:
    """Owner: render (main) thread; `post`, `submit`, `join`, `leave` and `wake` from any thread."""

    def __init__(
        self,
        stage: Stage,
        states: StateSink,
        frames: FrameSink,
        metrics: ServerMetrics,
        *,
        frame_rate: float,
        surfaces: SurfaceHost | None = None,
    ) -> None:
        self._take(stage)
        self._authority = SceneAuthority()
        self._states = states
        self._frames = frames
        self._metrics = metrics
        self._pacing = FramePacing(frame_rate)
        self._inbox = Inbox()
        self._newest: RenderedFrame | None = None
        self._settled = _Settled()
        self._loading = LoadingNotice()
        stage.commands.jobs.cancel_other = self._give_up_loading
        self._complaint = ""
        self._wanted = m.InputWanted()
        self._looked_s = 0.0
        self._heard_s = time.monotonic()
        self._viewers = m.ScriptViewers()
        self.on_show_viewer: Callable[[str], object] = _no_other_viewer
        """Called with which of a script's viewers a client wants all to see; CommandError if there is none."""
        self.on_interrupt: Callable[[KeyboardInterrupt], bool] = lambda error: False
        """Called with what interrupted code of the user's; False if nobody here asked for that."""
        self._taken: deque[ViewerIntent | Callable[[], None]] = deque()
        """Of the inbox, and not run yet. Bound: as the inbox's."""
        self._lets_in = True
        """Whether a turn may come within what runs now: it may have begun an event loop of Qt's."""
        self._intents = Intents(lambda: self._stage, self._let_in, self._interrupted)
        self.surfaces = surfaces
        self.on_greet: Callable[[str], Sequence[m.ServerMessage]] = lambda viewer: ()
        """What a viewer is told besides the scene when it comes, or comes back."""

    # --- from any thread ----------------------------------------------------------------

    def submit(self, viewer: str, intent: m.Intent) -> None:
        """Apply an intent of a viewer and ack it."""
        self._inbox.put(ViewerIntent(viewer, intent))

    def ask(self, viewer: str, query: m.CursorQuery | s.SurfaceQuery) -> None:
        """Answer a viewer's query, unless it asks another first."""
        if isinstance(query, m.CursorQuery):
            self._cursors.put(viewer, query)
        elif self.surfaces is not None:
            self.surfaces.note(viewer, query)
        self._inbox.wake()

    def join(self, viewer: str, greeting: Sequence[m.ServerMessage], since: int = 0) -> None:
        """Send a viewer `greeting`, the scene and the thumbnails; deltas follow from there.

        Of the scene it gets what changed after revision `since`, or the snapshot.
        """
        self._inbox.put(lambda: self._greet(viewer, greeting, since))

    def leave(self, viewer: str) -> None:
        """Forget a viewer."""
        self._inbox.put(lambda: self._forget(viewer))

    def post(self, call: Callable[[], None]) -> None:
        """Run a call on the render thread, in order."""
        self._inbox.put(call)

    def let_go(self, viewer: str) -> None:
        """A viewer's connection is gone: it holds no button and no key any more."""
        self._inbox.put(lambda: self._let_go(viewer))

    def part(self, viewer: str, away: Callable[[], bool]) -> None:
        """A viewer has no connection: show it no widgets, unless it is back by then, not `away`."""
        self._inbox.put(lambda: self._part(viewer, away))

    def show(self) -> None:
        """Hand out the newest picture again: a stream was opened."""
        self._inbox.put(self._show_again)

    def unheard_s(self) -> float:
        """Return for how many seconds the render thread has not come round; idle it does so once a second."""
        return time.monotonic() - self._heard_s

    @property
    def canvas_size_px(self) -> tuple[int, int]:
        """(width, height) of the canvas that is shown; on the render thread."""
        return self._canvas.size_px

    @property
    def waiting(self) -> int:
        """Commands and intents that were not taken yet."""
        return len(self._inbox)

    def wake(self) -> None:
        """Look again whether there is something to do."""
        self._inbox.wake()

    # --- render thread ------------------------------------------------------------------

    def run(self, stop: threading.Event, idle: Idle | None = None) -> None:
        """Work until `stop` is set (and `wake` called); `idle` is how to wait for work."""
        self.wait_in(idle)
        while not stop.is_set():
            try:
                pause = self._whole_turn()
                if pause.for_wake:
                    self._inbox.wait_for_wake(pause.seconds or 0.0)
                elif pause.seconds != 0.0:
                    self._inbox.wait(pause.seconds)
            except KeyboardInterrupt as error:
                self._interrupted(error)

    def wait_in(self, idle: Idle | None) -> None:
        """Wait for work like this from now on, in `run` and wherever a turn comes within."""
        self._inbox.idle = idle

    def turn_within(self) -> float:
        """Have a turn within an event loop of Qt's that the user's code runs; return the seconds until the next."""
        if self._lets_in:
            # The answer to what opened a dialog does not come when that is closed.
            self._intents.has_begun()
        return self.turn()

    def turn(self) -> float:
        """Have a turn in an event loop of somebody else's, instead of `run`; return the seconds until the next."""
        if not self._lets_in:
            return LOOK_S
        pause = self._whole_turn()
        return LOOK_S if pause.seconds is None else min(pause.seconds, LOOK_S)

    def _whole_turn(self) -> _Pause:
        self._lets_in = False
        try:
            return self._turn()
        except KeyboardInterrupt as error:
            self._interrupted(error)
            return _Pause(0.0)
        except Exception as error:  # noqa: BLE001 -- a layer or plugin may raise anything; the session goes on
            self._report(error)
            # What failed will most likely fail again: do not spin.
            return _Pause(ERROR_PAUSE_S)
        finally:
            self._lets_in = True

    def _let_in(self, call: Callable[[], R]) -> R:
        """Run what may be the user's code: a dialog that it opens with `exec()` has turns come within."""
        self._lets_in = True
        try:
            return call()
        finally:
            self._lets_in = False

    def prepare(self, stage: Stage) -> None:
        """Register with a stage's commands what this loop does; once, before the stage is turned to."""
        stage.commands.register("scene.snapshot", lambda context, _args: self._greet(context.sender, (), 0))
        stage.commands.register("script.show_viewer", lambda _context, args: self.on_show_viewer(args.viewer))

    def turn_to(self, stage: Stage) -> None:
        """Show another viewer from now on: to the clients it is a change of the scene, in the canvas that they have."""
        before = self._stage
        for client in self._intents.applied:
            before.let_go(client)
        stage.canvas.resize(*before.canvas.size_px)
        self._take(stage)
        stage.bridge.mark_all()
        stage.canvas.request_draw()
        self._inbox.wake()

    def tell_viewers(self, viewers: m.ScriptViewers) -> None:
        """Tell the clients which viewers a script has, and which they see."""
        if viewers != self._viewers:
            self._viewers = viewers
            self._states.broadcast([viewers], {})

    def _take(self, stage: Stage) -> None:
        self._stage = stage
        self._canvas, self._bridge = stage.canvas, stage.bridge
        self._drawing, self._margin = stage.drawing, stage.margin
        self._cursors, self._histograms = stage.cursors, stage.histograms

    def layer(self, layer_id: str) -> Layer:
        """Return a layer of the viewer that is shown; PropertyError if it has none of that id (any more)."""
        return self._bridge.layer(layer_id)

    def note_edit(self, layer: Layer) -> None:
        """Count a revision: the layer's data was changed."""
        self._bridge.note_edit(layer)

    def revision_now(self) -> int:
        """Tell what changed, and return the revision that it has."""
        self._tell_changes()
        return self._authority.revision

    def applied(self, viewer: str) -> int:
        """Return the number of a viewer's newest intent that is carried out."""
        return self._intents.applied.get(viewer, 0)

    def tell(self, viewer: str, message: m.ServerMessage) -> None:
        """Send a viewer a message, after what changed until now."""
        self._tell_changes()
        self._states.deliver(viewer, [message])

    def _report(self, error: Exception) -> None:
        log.exception("rendering failed; the session goes on")
        self._metrics.count("render_errors")
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        self.complain("render.failed", f"the server could not draw the scene: {line}")

    def complain(self, code: str, line: str) -> None:
        """Tell all viewers what goes wrong here, once for as long as nothing else does."""
        if line != self._complaint:
            self._complaint = line
            self._states.broadcast([m.Error(code, line)], {})

    def _turn(self) -> _Pause:
        self._heard_s = time.monotonic()
        asked = self._hold_s() <= 0 and self._run_inbox()
        arrived = self._let_in(lambda: self._canvas.pump())
        if self.surfaces is not None:
            self.surfaces.tell()
        self._tell_changes()
        self._tell_wanted()
        self._answer_cursors()
        now_s = time.monotonic()
        if asked:
            self._pacing.asked(now_s)
        elif arrived:
            self._pacing.arrived()
        loading = self._bridge.loading
        if (notice := self._loading.look(now_s, loading=loading)) is not None:
            self._states.broadcast([notice], {})
        if self._canvas.awaiting and not arrived and (left_s := self._pacing.patience_left_s(now_s)) > 0:
            return _Pause(left_s, for_wake=True)
        if not loading:
            self._settle()
        damaged = self._canvas.needs_draw
        if damaged or loading:
            self._pacing.changed(now_s)
        action, wait_s = self._pacing.decide(now_s, damaged=damaged, wanted=self._frames.wants_frame())
        if action is Next.DRAW:
            self._draw()
        elif action is Next.REST:
            self._rest()
        elif (left_s := self._hold_s()) > 0:
            return _Pause(left_s if wait_s is None else min(left_s, wait_s), for_wake=True)
        else:
            return _Pause(self._cursors.due_s(wait_s))
        return _Pause()

    def _give_up_loading(self, job: str) -> None:
        if self._loading.is_told(job):
            self._canvas.give_up_slices()

    def _hold_s(self) -> float:
        """Seconds for which no more intents are taken: what was asked last is not shown yet."""
        return self._pacing.hold_s(
            time.monotonic(),
            loading=self._canvas.awaiting,
            damaged=self._canvas.needs_draw,
            wanted=self._frames.wants_frame(),
        )

    def _run_inbox(self) -> bool:
        """Run what waits; True if there were intents."""
        asked = False
        # What one of them begins, a dialog with a loop of its own, the others are not to wait for.
        self._taken.extend(coalesce(self._inbox.take()))
        while self._taken:
            entry = self._taken.popleft()
            if not isinstance(entry, ViewerIntent):
                try:
                    self._let_in(entry)
                except KeyboardInterrupt as error:
                    self._interrupted(error)
                except Exception as error:  # noqa: BLE001 -- one command must not lose the acks of the others
                    self._report(error)
                continue
            asked = True
            self._metrics.count("intents_applied")
            if untold := self._intents.run(entry.viewer, entry.intent, self.surfaces):
                self._states.deliver(entry.viewer, [m.Notice("warning", reason) for reason in untold])
        return asked

    def _interrupted(self, error: KeyboardInterrupt) -> None:
        if not self.on_interrupt(error):
            raise error

    def _let_go(self, viewer: str) -> None:
        self._stage.let_go(viewer)
        if self.surfaces is not None:
            self.surfaces.let_go(viewer)

    def _greet(self, viewer: str, greeting: Sequence[m.ServerMessage], since: int) -> None:
        self._tell_changes()
        self._intents.applied.setdefault(viewer, 0)
        self._tell_thumbnails()
        resumed = self._authority.since(since)
        scene = resumed or self._authority.snapshot()
        thumbnails = self._bridge.thumbnails.since(since if resumed else 0)
        besides = [self._wanted, self._viewers, *self.on_greet(viewer)]
        self._states.deliver(viewer, [*greeting, scene, *thumbnails, *besides])

    def _tell_changes(self) -> None:
        """Tell the viewers what changed, and then the senders that their intents are done: one hand-over."""
        deltas = self._authority.commit(self._bridge.observe())
        acks = self._intents.acks(self._authority.revision)
        if deltas or acks:
            self._states.broadcast(deltas, acks)
            self._intents.told()

    def _tell_wanted(self) -> None:
        """Tell the viewers what the user's code listens to, if that is something else; napari has no event for it."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_FOR_LISTENERS_S:
            return
        self._looked_s = now_s
        wanted = self._stage.input_wanted()
        if wanted != self._wanted:
            self._wanted = wanted
            self._states.broadcast([wanted], {})

    def _answer_cursors(self) -> None:
        for viewer, answer in self._cursors.answer(self._intents.applied):
            self._states.deliver(viewer, [answer])

    def _tell_thumbnails(self) -> None:
        """Once the picture is at rest: while a slider moves, each step would cost every layer one."""
        thumbnails = self._bridge.new_thumbnails(self._authority.revision)
        if thumbnails:
            self._states.broadcast(thumbnails, {})

    def _settle(self) -> None:
        """All data of the present revision is on the canvas: frames may claim it from now on."""
        settled = _Settled(self._authority.revision, dict(self._intents.applied))
        if settled == self._settled:
            return
        self._settled = settled
        if not self._canvas.needs_draw and self._newest is not None:
            # Nothing to draw for it: the picture of before is also that of this revision.
            self._newest = replace(self._newest, revision=settled.revision, input_ids=settled.input_ids)
            self._frames.publish(self._newest)

    def _draw(self) -> None:
        now_s = time.monotonic()
        self._pacing.drawn(now_s)
        settled = self._settled
        overlays = self._frames.wants_overlays()
        margin = self._margin.drawing(self._canvas.camera_pose(), self._round_trip_s(), now_s)
        self._show(self._drawing.moving(settled.revision, settled.input_ids, overlays=overlays, margin=margin))

    def _rest(self) -> None:
        """Finish the resting picture: full detail, marked so that it is sent exactly."""
        resting = self._newest
        if resting is not None and not resting.at_rest and not self._margin_is_seen(resting):
            self._pacing.changed(time.monotonic())
            return
        if resting is not None and (resting.margin or not (resting.full_detail and resting.exact)):
            settled = self._settled
            resting = self._drawing.resting(settled.revision, settled.input_ids, overlays=self._frames.wants_overlays())
            if resting is None:
                return  # one band was drawn; what came in meanwhile goes before the next
        self._pacing.rested()
        if resting is not None:
            self._show(replace(resting, at_rest=not self._canvas.needs_draw))
        self._tell_thumbnails()
        self._histograms.tell()

    def _show(self, frame: RenderedFrame) -> None:
        self._newest = frame
        self._frames.publish(frame)
        if self._canvas.needs_draw:
            self._pacing.redraw_asked(time.monotonic())

    def _margin_is_seen(self, frame: RenderedFrame) -> bool:
        """Return whether the exact picture may come: what lies around it was drawn, and was sent."""
        if frame.margin and self._round_trip_s() and not self._frames.took_newest():
            return False
        asks = self._margin.ask_before_rest(frame.margin, frame.revision, self._round_trip_s())
        if asks:
            self._canvas.request_draw()
        return not asks

    def _round_trip_s(self) -> float:
        """Return how far away the nearest window is; 0 also if nothing can be drawn around the canvas."""
        if not self._canvas.can_show_more() or self._frames.wants_overlays():
            return 0.0
        return self._frames.round_trip_s()

    def _show_again(self) -> None:
        self._pacing.changed(time.monotonic())
        if self._newest is None or (self._frames.wants_overlays() and self._drawing.lacks_overlays(self._newest)):
            self._draw()
        else:
            self._frames.publish(self._newest)

    def _part(self, viewer: str, away: Callable[[], bool]) -> None:
        if self.surfaces is not None and away():
            self.surfaces.forget(viewer)

    def _forget(self, viewer: str) -> None:
        self._part(viewer, lambda: True)
        self._intents.applied.pop(viewer, None)
        self._histograms.forget(viewer)
