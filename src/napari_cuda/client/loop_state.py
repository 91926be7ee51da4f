"""ClientLoopState: what is true of one client session."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from napari_cuda.client.control.camera import CameraState
from napari_cuda.client.control.control_state import ControlStateContext
from napari_cuda.protocol.messages import PluginMenu, Role, ScriptViewers, StreamQuality
from napari_cuda.protocol.packet import PacketHeader


class LoopPhase(enum.Enum):
    """Where a client session stands."""

    CONNECTING = "connecting"
    SYNCING = "syncing"
    STREAMING = "streaming"
    RECONNECTING = "reconnecting"
    STOPPED = "stopped"


PHASES: dict[tuple[LoopPhase, str], LoopPhase] = {
    (LoopPhase.CONNECTING, "welcome"): LoopPhase.SYNCING,
    (LoopPhase.CONNECTING, "closed"): LoopPhase.STOPPED,
    (LoopPhase.SYNCING, "scene"): LoopPhase.STREAMING,
    (LoopPhase.SYNCING, "lost"): LoopPhase.RECONNECTING,
    (LoopPhase.SYNCING, "closed"): LoopPhase.STOPPED,
    (LoopPhase.STREAMING, "scene"): LoopPhase.STREAMING,
    (LoopPhase.STREAMING, "lost"): LoopPhase.RECONNECTING,
    (LoopPhase.STREAMING, "closed"): LoopPhase.STOPPED,
    (LoopPhase.RECONNECTING, "welcome"): LoopPhase.SYNCING,
    (LoopPhase.RECONNECTING, "lost"): LoopPhase.RECONNECTING,
    (LoopPhase.RECONNECTING, "closed"): LoopPhase.STOPPED,
    (LoopPhase.STOPPED, "closed"): LoopPhase.STOPPED,
    (LoopPhase.STOPPED, "connect"): LoopPhase.CONNECTING,
}
"""(phase, what happened) → next phase. "scene" is a snapshot or what stands for one; "lost" may be mended
by another connection, "closed" not: a refusal, or a first connection that failed; "connect" begins another session."""


@dataclass(slots=True)
class Shown:
    """What the picture on screen says of itself. Revisions and ids count from 1; 0 is none."""

    revision: int = 0
    input_id: int = 0
    exact_revision: int = 0
    exact: bool = False
    """The picture is, bit for bit, the server's of all that was done here, and nothing more is coming for it."""
    frames: int = 0
    past_epoch: int = 0
    """Pictures up to this epoch (as the client counts) are those of a session that is over: they say nothing."""

    def begin_anew(self, past_epoch: int) -> None:
        """The server is in another session, which counts from anew; the picture of the old one stays for now."""
        self.revision = self.input_id = self.exact_revision = 0
        self.exact = False
        self.past_epoch = past_epoch


@dataclass(slots=True)
class ClientLoopState:
    """Owner: GUI thread. Nothing here has a start or stop."""

    phase: LoopPhase = LoopPhase.CONNECTING
    control: ControlStateContext = field(default_factory=ControlStateContext)
    camera: CameraState = field(default_factory=CameraState)
    shown: Shown = field(default_factory=Shown)
    quality: StreamQuality | None = None
    """How the pictures are coded, as the server said last."""
    role: Role = "control"
    """What the server lets us do."""
    viewers: ScriptViewers = field(default_factory=ScriptViewers)
    """The viewers that the server's script made, and which of them all clients see."""
    plugins: PluginMenu = field(default_factory=PluginMenu)
    """What the plugins on the server offer."""
    ended: str = ""
    """Why the session is over, in one line; empty while it is not."""
    trouble: str = ""
    """Why there is no connection, in one line; empty while there is one."""
    busy: str = ""
    """What keeps the server from drawing and answering, in its words; empty while nothing does."""
    on_phase: Callable[[], object] = lambda: None
    """Called when the phase is another."""
    on_shown: Callable[[PacketHeader], object] = lambda header: None
    """Called when a picture is on screen, or the one that is there turns out to be that of a newer revision."""

    def note(self, told: StreamQuality | ScriptViewers | PluginMenu) -> None:
        """Keep what the server told of itself, in place of what it told before."""
        match told:
            case StreamQuality():
                self.quality = told
            case ScriptViewers():
                self.viewers = told
            case PluginMenu():
                self.plugins = told

    def advance(self, event: str) -> None:
        """Go to the next phase; what does not lead anywhere is ignored."""
        before, self.phase = self.phase, PHASES.get((self.phase, event), self.phase)
        if self.phase is not before:
            self.on_phase()
