"""ServedViewer: the viewer of a server that runs no script."""

from __future__ import annotations

from typing import Any

import napari.window
from napari.components import ViewerModel
from napari.viewer import Viewer


class ServedViewer(Viewer):
    """napari's own viewer, whose window is made when somebody asks for it: a plugin's widget is put into it.

    Owner: render thread. Before `stage_windows` there is no window to be had.
    """

    _made: Any = None

    def __init__(self, **options: Any) -> None:
        """Make a viewer without layers; `options` are those of `ViewerModel`."""
        ViewerModel.__init__(self, **options)  # napari's own would make its window at once

    @property
    def window(self) -> Any:
        """The window, as far as there is one on a server."""
        if self._made is None:
            self._made = napari.window.Window(self)
        return self._made

    def close(self) -> None:
        """The scene is everybody's here: RuntimeError."""
        raise RuntimeError("the viewer of a server is there as long as the server: a plugin cannot close it")
