"""SessionWidget: the session in a cell, by anywidget; and what is left of it in a saved notebook."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets
from IPython.display import publish_display_data
from napari.components import ViewerModel
from PIL import Image

from napari_cuda import web
from napari_cuda.notebook.kernel import Kernel
from napari_cuda.notebook.session import NotebookSession

HEIGHT_PX = 560


class SessionWidget(anywidget.AnyWidget):
    """A live session: shown wherever a cell ends with it, in as many cells as you like.

    Owner: the kernel's main thread; messages of pages come on any, and go on to the network thread.
    """

    _esm = web.widget_module()
    _css = web.asset("viewer.css")
    height = traitlets.Int(HEIGHT_PX, help="of the viewer in a cell, in CSS pixels").tag(sync=True)

    def __init__(self, kernel: Kernel, session: NotebookSession, **traits: Any) -> None:
        super().__init__(**traits)
        self._kernel = kernel
        self._live = session
        self._display = ""
        """What the newest output is known by; empty until there is one."""
        self._channels = session.open_channels(self._tell)
        self._came = False
        """A page has been here."""
        self.on_msg(self._hear)
        session.after_cells(self._renew_picture)

    @property
    def viewer(self) -> ViewerModel:
        """napari's viewer, in this kernel: what a cell does to it shows at once."""
        return self._live.viewer

    @property
    def ended(self) -> bool:
        """True once it was closed."""
        return self._live.closed

    def url(self) -> str:
        """Return the session's address for a browser or `napari-cuda connect` on this machine, with the token.

        The server has no port before this is called for the first time. Through JupyterHub: docs/notebooks.md.
        """
        return self._live.url()

    def screenshot(self) -> npt.NDArray[np.uint8]:
        """Return the exact picture of the present state, overlays included: (H, W, 4) uint8 RGBA."""
        return self._live.screenshot()

    def refresh(self, seconds: float = 0.0) -> None:
        """Within a long cell: have the picture follow, once or for so many seconds; else it does when the cell ends."""
        self._live.refresh(seconds)

    def close(self) -> None:
        """End the session; its cells and pages say so. The viewer stays yours."""
        self._live.close()
        super().close()

    # --- pages ----------------------------------------------------------------------------

    def _hear(self, _widget: object, content: Any, _buffers: object) -> None:
        self._came = True
        self._channels.receive(content)

    def _tell(self, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        self.send(dict(message), list(buffers))

    # --- its place in a notebook --------------------------------------------------------------

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the live view, and for who has no kernel the exact picture of now."""
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None or self._live.closed:
            return bundle
        data, metadata = bundle
        return data | {"image/png": self._png()}, metadata

    def _ipython_display_(self, **options: Any) -> None:
        """Show it, so that the picture of the output can be another later."""
        self._display = uuid4().hex
        self._publish(update=False, **options)

    def _publish(self, *, update: bool, **options: Any) -> None:
        bundle = self._repr_mimebundle_(**options)
        if bundle is not None:
            publish_display_data(*bundle, transient={"display_id": self._display}, update=update)  # type: ignore[no-untyped-call] # it has no annotations

    def _renew_picture(self) -> None:
        """After a cell that a program ran, and nobody watches: what is saved is the last picture.

        Before a page an output that is renewed would be mounted anew under the user's hand; and a page may be there
        that has not said so yet.
        """
        if self._display and not self._came and not self._live.closed and not self._kernel.is_run_by_page():
            self._publish(update=True)

    def _png(self) -> str:
        file = io.BytesIO()
        Image.fromarray(self.screenshot()).save(file, "png")
        return base64.b64encode(file.getvalue()).decode()
