"""Intents: what the viewers ask for is done, one after the other, and acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.server.render.outlets import SurfaceHost
from napari_cuda.server.render.stage import Stage

log = logging.getLogger(__name__)

Refused = dict[str, str]
"""Why something was not done, by its name."""


@dataclass(slots=True)
class _PendingAck:
    """What one viewer is told after this turn: its newest intent, and all refusals."""

    intent: int = 0
    refused: list[m.Refusal] = field(default_factory=list)


class Intents:
    """Owner: render thread.

    An intent is acknowledged when it is done, with what else its turn brought; one whose callback runs a dialog of its
    own (`exec()`) when that begins.
    """

    def __init__(
        self,
        stage: Callable[[], Stage],
        let_in: Callable[[Callable[[], Refused]], Refused],
        interrupted: Callable[[KeyboardInterrupt], None],
    ) -> None:
        """Do everything on the `stage` that is shown, within `let_in`, which says that it may be the user's code."""
        self._stage = stage
        self._let_in = let_in
        self._interrupted = interrupted
        self._acks: dict[str, _PendingAck] = {}
        """What the viewers are still to be told; outlives a turn that fails."""
        self._begun: tuple[str, int] | None = None
        """The viewer and number of the intent that is being done."""
        self.applied: dict[str, int] = {}
        """Number of the newest intent that is done, or has begun, of each viewer that is here."""

    def run(self, viewer: str, intent: m.Intent, surfaces: SurfaceHost | None) -> Sequence[str]:
        """Do what an intent asks for; return the reasons of refusals that no ack can tell any more."""
        self._begun = viewer, intent.intent
        refused = self._let_in(lambda: self._apply(viewer, intent, surfaces))
        ack = self.has_begun()
        if ack is None:
            return list(refused.values())
        target = m.target_of(intent)
        ack.refused += [m.Refusal(target, name, reason) for name, reason in refused.items()]
        return ()

    def has_begun(self) -> _PendingAck | None:
        """Have the viewer told that what runs now is done, or has begun; None if that was told."""
        begun, self._begun = self._begun, None
        if begun is None:
            return None
        viewer, number = begun
        ack = self._acks.setdefault(viewer, _PendingAck())
        ack.intent = self.applied[viewer] = number
        return ack

    def acks(self, revision: int) -> dict[str, m.Ack]:
        """Return what is to be told, by viewer."""
        return {viewer: m.Ack(ack.intent, revision, ack.refused) for viewer, ack in self._acks.items()}

    def told(self) -> None:
        """Note that all of `acks` was told."""
        self._acks = {}

    def _apply(self, viewer: str, intent: m.Intent, surfaces: SurfaceHost | None) -> Refused:
        """Apply an intent; a viewer gets its answer whatever a layer or plugin raises."""
        stage = self._stage()
        try:
            if isinstance(intent, m.Command):
                return stage.commands.run(viewer, intent)
            if isinstance(intent, m.InputPointer):
                return stage.input.apply(viewer, intent)
            if isinstance(intent, m.InputKey):
                return stage.keys.apply(viewer, intent)
            if isinstance(intent, s.SurfaceIntent):
                return {} if surfaces is None else surfaces.apply(viewer, intent)
            return stage.bridge.apply(intent)
        except KeyboardInterrupt as error:
            self._interrupted(error)
            return {}
        except Exception as error:  # a layer or plugin may raise anything; its viewer gets the reason
            log.exception("an intent failed; the session goes on")
            reason = f"the server failed: {type(error).__name__}: {error}".splitlines()[0]
            name = intent.name if isinstance(intent, m.Command) else "intent"
            return dict.fromkeys(getattr(intent, "values", {}) or (name,), reason)
