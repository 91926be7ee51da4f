"""A scene with one layer of each kind, and all that carries out commands on it, without a canvas."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel

from layers_of_each_kind import layer_of
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.properties import LAYER_KINDS
from napari_cuda.server.data.jobs import Jobs
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.render.commands import Commands
from napari_cuda.server.render.histograms import Histograms
from napari_cuda.server.render.layer_actions import LayerActions
from napari_cuda.server.render.layer_commands import LayerCommands
from napari_cuda.server.render.scene_bridge import SceneBridge


class CommandStage:
    """`L1` … are layers of `LAYER_KINDS`, in that order."""

    def __init__(self, roots: ServedRoots | None = None) -> None:
        self.viewer = ViewerModel()
        self.bridge = SceneBridge(self.viewer, on_change=lambda: None)
        for kind in LAYER_KINDS:
            self.viewer.add_layer(layer_of(kind))
        self.posted: queue.Queue[Callable[[], None]] = queue.Queue()
        self.told: list[tuple[str, m.JobUpdate]] = []
        self.delivered: list[tuple[str, m.LayerHistogram]] = []
        self.jobs = Jobs(self.posted.put, lambda viewer, update: self.told.append((viewer, update)))
        self.commands = Commands(self.viewer, self.bridge.layer, self.jobs)
        LayerCommands(self.commands, self.bridge, roots or ServedRoots())
        LayerActions(self.commands, self.bridge.note_edit)
        self.histograms = Histograms(
            self.commands, lambda viewer, messages: self.delivered.extend((viewer, one) for one in messages)
        )

    def do(self, name: str, viewer: str = "V1", /, **args: Any) -> str:
        """Carry out a command; return why it was refused, "" if it was not."""
        return "".join(self.commands.run(viewer, m.Command(1, name, args)).values())

    def run_posted(self) -> None:
        """Do what a job wants done on the render thread."""
        self.posted.get(timeout=20)()
