"""PresenterFacade: the doorway between napari's canvas and the stream.

Owner: GUI thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

import napari
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QMenu

from napari_cuda.client.control.placement import OwnCanvas
from napari_cuda.client.playout.frame import SubmittedFrame
from napari_cuda.client.qt.gl_renderer import GLRenderer, Place, letterboxed
from napari_cuda.client.qt.napari_adapter import CanvasAdapter, main_window
from napari_cuda.client.qt.overlay import CanvasOverlay
from napari_cuda.client.qt.video_node import Viewport
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.packet import PacketHeader

log = logging.getLogger(__name__)

HUD_TITLE = "Stream Figures"
HUD_SHORTCUT = "Ctrl+Shift+H"
"""Neither napari's menus nor its key bindings have it; on macOS it is Cmd+Shift+H."""

Dispatch = Callable[[list[m.Intent]], object]


class PictureStream(Protocol):
    """Where the pictures come from: the loop."""

    def draw(self, paint: Callable[[SubmittedFrame | None], object]) -> None:
        """Call `paint` with the picture to draw."""

    def drawn(self) -> None:
        """The picture is on screen, or never will be."""


class PresenterFacade:
    """What the stream needs of the window, and the window of the stream. Owner: GUI thread.

    Inwards: `request_draw`, `presented`, `show_state`. Outwards: the canvas draws what the attached
    stream has, and intents leave by the dispatcher. The figures (HUD) are switched in the View menu.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        renderer: GLRenderer,
        *,
        hud_text: Callable[[], str],
        on_resized: Callable[[OwnCanvas], object],
        interrupt: Callable[[], object] = lambda: None,
    ) -> None:
        self._renderer = renderer
        self._stream: PictureStream | None = None
        self._place: Place = letterboxed
        self._dispatcher: Dispatch | None = None
        self._dims_intent = 0
        self._waiting_since_s: float | None = None
        self._closed = False
        self._window = main_window(viewer)
        self.adapter = CanvasAdapter(
            viewer,
            self._paint,
            on_drawn=self._drawn,
            on_resized=on_resized,
            on_context_lost=renderer.lose_context,
        )
        self.adapter.hold_dims_play()
        self._overlay = CanvasOverlay(self.adapter.native, hud_text, interrupt)
        self.hud_action = QAction(HUD_TITLE, self._window)
        self.hud_action.setCheckable(True)
        self.hud_action.setShortcut(QKeySequence(HUD_SHORTCUT))
        self.hud_action.toggled.connect(self._overlay.show_hud)
        # The window's too: napari can hide its menu bar, and shortcuts of hidden menus do nothing.
        self._window.addAction(self.hud_action)
        self._menu: QMenu = viewer.window.view_menu
        self._add_to_menu()
        # napari builds the menu anew when a plugin adds to it.
        self._menu.aboutToShow.connect(self._add_to_menu)

    def attach(self, stream: PictureStream, place: Place = letterboxed) -> None:
        """Draw what `stream` has from now on, where `place` says."""
        self._stream, self._place = stream, place

    def set_intent_dispatcher(self, dispatch: Dispatch | None) -> None:
        """Have what the user does go to `dispatch`; None: nowhere."""
        self._dispatcher = dispatch

    def dispatch(self, intents: list[m.Intent]) -> None:
        """Send what the user did."""
        for intent in intents:
            if isinstance(intent, m.DimsIntent):
                # A slider that plays waits for the picture that includes its step.
                self._dims_intent = intent.intent
        if self._dispatcher is not None:
            self._dispatcher(intents)

    @property
    def waiting_since_s(self) -> float | None:
        """When the picture was announced that is not drawn yet (perf_counter); None if all are drawn."""
        return self._waiting_since_s

    def request_draw(self) -> bool:
        """Have the canvas drawn; False if nothing of it shows, so that there is nothing to draw on."""
        if self._closed or not self._visible():
            return False
        if self._waiting_since_s is None:
            self._waiting_since_s = time.perf_counter()
        self.adapter.request_video_draw()
        return True

    def presented(self, header: PacketHeader) -> None:
        """A picture is on screen: a playing slider may go on if it shows its step."""
        if header.input_id >= self._dims_intent:
            self.adapter.allow_dims_play()

    def viewer_renewed(self) -> None:
        """The intents are numbered from the start again: a playing slider waits for none of before."""
        self._dims_intent = 0
        self.adapter.allow_dims_play()

    def show_state(self, text: str | None, *, interrupts: bool = False) -> None:
        """Show one line about the connection over the picture, perhaps with a button that interrupts the server's
        script; None takes it away.
        """
        if not self._closed:
            self._overlay.show_banner(text, interrupts=interrupts)

    def window_hidden(self) -> None:
        """The window may have been hidden: what waits to be drawn in a hidden one never will be."""
        if not self._visible():
            self._drawn()  # acknowledged, so that scripts go on

    def close(self) -> None:
        """Give the canvas back to napari; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        self._dispatcher = None
        self._overlay.close()
        self._remove_from_menu()
        self._renderer.close(context_current=self.adapter.can_make_current())
        self.adapter.close()

    def _paint(self, viewport: Viewport) -> None:
        if self._stream is not None:
            self._stream.draw(lambda frame: self._renderer.draw(frame, viewport, self.adapter.context_id, self._place))

    def _drawn(self) -> None:
        self._waiting_since_s = None
        if self._stream is not None:
            self._stream.drawn()

    def _visible(self) -> bool:
        try:
            canvas = self.adapter.native
            window = canvas.window() or self._window
            handle = window.windowHandle()
            exposed = handle is None or handle.isExposed()
            # A visible window may be covered, and its canvas squeezed to nothing: neither is ever painted.
            return window.isVisible() and not window.isMinimized() and exposed and not canvas.visibleRegion().isEmpty()
        except RuntimeError:  # it was destroyed
            return False

    def _add_to_menu(self) -> None:
        if self.hud_action not in self._menu.actions():
            self._menu.addAction(self.hud_action)

    def _remove_from_menu(self) -> None:
        try:
            self._menu.aboutToShow.disconnect(self._add_to_menu)
            self._menu.removeAction(self.hud_action)
            self._window.removeAction(self.hud_action)
            self.hud_action.deleteLater()
        except RuntimeError:
            log.debug("the window was destroyed before its menu was put back")
