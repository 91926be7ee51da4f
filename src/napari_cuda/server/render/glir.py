"""DrawingCommands: vispy's interpreter of what a scene wants of OpenGL, for scenes of many objects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from vispy.gloo.glir import GlirParser

from napari_cuda.server.render.resting_uniforms import (
    RestingFragmentShader,
    RestingGeometryShader,
    RestingProgram,
    RestingVertexShader,
)


class DrawingCommands(GlirParser):
    """Owner: render thread.

    vispy's own goes through all OpenGL objects before the commands of each visual, looking for those that were
    deleted: of 500 images, 5000 objects 500 times in a draw. Here it looks when some were. Uniforms that rest
    are constants.
    """

    exact = True
    """Whether to draw each pixel as stock napari's; what moves is drawn more quickly without."""
    inexact = False
    """True once something was drawn that may differ from stock napari's; for others to set False."""
    _deleted = False

    def __init__(self) -> None:
        super().__init__()
        self.twinless: set[RestingProgram] = set()
        """Those that drew, and would have to be linked once more to draw exactly."""
        self._classmap |= {
            "Program": RestingProgram,
            "VertexShader": RestingVertexShader,
            "FragmentShader": RestingFragmentShader,
            "GeometryShader": RestingGeometryShader,
        }

    def link_twins(self, longest_s: float) -> bool:
        """Link what draws exactly in place of what drew, for about so long; True once nothing is left to link."""
        until_s = time.monotonic() + longest_s
        while self.twinless:
            self.twinless.pop().ready_twin()
            if time.monotonic() >= until_s:
                break
        return not self.twinless

    def parse(self, commands: Sequence[tuple[Any, ...]]) -> None:
        """Carry out commands, each (what, the object's id, …)."""
        if self._deleted:
            super().parse([])  # it forgets the objects that the commands before these deleted
        self._deleted = any(command[0] == "DELETE" for command in commands)
        for command in commands:
            self._parse(command)
