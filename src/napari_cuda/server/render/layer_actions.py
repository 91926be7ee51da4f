"""LayerActions: napari's key actions on layers' data, asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Generator

from napari.layers import Layer

from napari_cuda.layer_state import kind_of
from napari_cuda.protocol import commands as c
from napari_cuda.protocol.errors import CommandError
from napari_cuda.protocol.layer_actions import LAYER_ACTIONS
from napari_cuda.server.render.commands import CommandContext, Commands
from napari_cuda.server.render.napari_model import layer_action


class LayerActions:
    """Carries out the command `layer.action`. Owner: render thread.

    `edited` is told of every layer whose data may be other data now.
    """

    def __init__(self, commands: Commands, edited: Callable[[Layer], None]) -> None:
        self._edited = edited
        self._held: dict[tuple[str, str], Generator[None, None, None]] = {}
        """(viewer, action) → what is done when the key is let go. Bound: the actions of the table, per viewer."""
        commands.register("layer.action", self._run)

    def let_go(self, viewer: str) -> None:
        """A viewer's connection is gone: it holds no key any more."""
        for holder, action in list(self._held):
            if holder == viewer:
                self._release(holder, action)

    def _run(self, context: CommandContext, args: c.ActOnLayer) -> None:
        layer = context.layer(args.layer)
        kind = kind_of(layer)
        if args.action not in LAYER_ACTIONS.get(kind, ()):
            raise CommandError(f"layers of kind {kind} have no action {args.action!r}")
        self._release(context.sender, args.action)
        if args.released:
            return
        held = layer_action(kind, args.action)(layer)
        if isinstance(held, Generator):
            next(held, None)
            self._held[context.sender, args.action] = held
        self._edited(layer)

    def _release(self, viewer: str, action: str) -> None:
        held = self._held.pop((viewer, action), None)
        if held is not None:
            next(held, None)
