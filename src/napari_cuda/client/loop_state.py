"""ClientLoopState: what is true of one client session."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from napari_cuda.client.control.control_state import ControlStateContext


class LoopPhase(enum.Enum):
    """Where a client session stands."""

    CONNECTING = "connecting"
    SYNCING = "syncing"
    STREAMING = "streaming"
    STOPPED = "stopped"


PHASES: dict[tuple[LoopPhase, str], LoopPhase] = {
    (LoopPhase.CONNECTING, "welcome"): LoopPhase.SYNCING,
    (LoopPhase.CONNECTING, "closed"): LoopPhase.STOPPED,
    (LoopPhase.SYNCING, "snapshot"): LoopPhase.STREAMING,
    (LoopPhase.SYNCING, "closed"): LoopPhase.STOPPED,
    (LoopPhase.STREAMING, "snapshot"): LoopPhase.STREAMING,
    (LoopPhase.STREAMING, "closed"): LoopPhase.STOPPED,
    (LoopPhase.STOPPED, "closed"): LoopPhase.STOPPED,
}
"""(phase, what happened) → next phase."""


@dataclass(slots=True)
class Shown:
    """What the picture on screen says of itself. Revisions and ids count from 1; 0 is none."""

    revision: int = 0
    input_id: int = 0
    exact_revision: int = 0
    frames: int = 0


@dataclass(slots=True)
class ClientLoopState:
    """Owner: GUI thread. Nothing here has a start or stop."""

    phase: LoopPhase = LoopPhase.CONNECTING
    control: ControlStateContext = field(default_factory=ControlStateContext)
    shown: Shown = field(default_factory=Shown)
    ended: str = ""
    """Why the session is over, in one line; empty while it is not."""

    def advance(self, event: str) -> None:
        """Go to the next phase; what does not lead anywhere is ignored."""
        self.phase = PHASES.get((self.phase, event), self.phase)
