"""Stage: one viewer of the server, with all that stands between its model and the clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_cuda.protocol import messages as m
from napari_cuda.server.metrics import ServerMetrics
from napari_cuda.server.render.commands import Commands
from napari_cuda.server.render.cursor import CursorQueries
from napari_cuda.server.render.drawing import Drawing
from napari_cuda.server.render.histograms import Histograms
from napari_cuda.server.render.input_replay import InputReplay
from napari_cuda.server.render.key_replay import KeyReplay
from napari_cuda.server.render.layer_actions import LayerActions
from napari_cuda.server.render.margin import CanvasMargin
from napari_cuda.server.render.napari_adapter import HeadlessCanvas
from napari_cuda.server.render.scene_bridge import SceneBridge


class Stage:
    """Owner: render thread.

    A server has one at a time before its clients; a script may make several viewers, each on a stage of its own.
    """

    def __init__(
        self,
        canvas: HeadlessCanvas,
        bridge: SceneBridge,
        commands: Commands,
        deliver: Callable[[str, Sequence[m.ServerMessage]], None],
        metrics: ServerMetrics,
        *,
        reduce_detail: bool,
    ) -> None:
        """Put together what a viewer needs; `deliver` tells one client something."""
        self.canvas = canvas
        self.bridge = bridge
        self.commands = commands
        self.drawing = Drawing(canvas, bridge.view.rendering, metrics, reduce_detail=reduce_detail)
        self.margin = CanvasMargin()
        self.cursors = CursorQueries(canvas.under_cursor, bridge.layer)
        self.input = InputReplay(canvas, canvas.tools)
        self.keys = KeyReplay(canvas)
        self.histograms = Histograms(commands, deliver)
        self.actions = LayerActions(commands, bridge.note_edit)

    def let_go(self, client: str) -> None:
        """A client's hand is off all buttons and keys: its connection is gone, or it looks at another viewer."""
        self.actions.let_go(client)
        self.input.let_go(client)
        self.keys.let_go(client)

    def input_wanted(self) -> m.InputWanted:
        """Return what of keyboard and pointer the user's code listens to."""
        return self.canvas.listeners.wanted(self.bridge.layer_id)
