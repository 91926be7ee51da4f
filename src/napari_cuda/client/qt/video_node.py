"""VideoNode: the video as the bottom node of a vispy scene.

Owner: GUI thread.
"""

from __future__ import annotations

from collections.abc import Callable

from OpenGL import GL
from vispy.scene import Node

Viewport = tuple[int, int, int, int]
"""x, y, width, height in framebuffer pixels, as in glViewport."""

# Below every layer and overlay; napari orders its own from 0.
_BOTTOM = -1000


class VideoNode(Node):
    """Calls `paint(viewport)` with raw OpenGL allowed, before anything else of the scene is drawn.

    Owner: GUI thread. `parent` is the root of the scene and not napari's view, because grid
    mode replaces that by its own.
    """

    def __init__(self, paint: Callable[[Viewport], None], parent: Node) -> None:
        self._paint = paint
        super().__init__(parent=parent, name="video")
        self.order = _BOTTOM

    def draw(self) -> None:
        """Paint the video, except while vispy looks for the visual under the mouse.

        That rendering encodes ids as colours; video colours would be read as ids.
        """
        canvas = self.canvas
        if self.picking or canvas is None:
            return
        # vispy queues its commands: without this its glClear would come after the video.
        canvas.context.flush_commands()
        x, y, width, height = GL.glGetIntegerv(GL.GL_VIEWPORT)
        self._paint((int(x), int(y), int(width), int(height)))
