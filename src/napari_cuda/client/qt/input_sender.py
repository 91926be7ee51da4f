"""InputSender: what the user does to the window, on its way to the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_cuda.client.control.placement import OwnCanvas
from napari_cuda.client.qt.input_events import message_of
from napari_cuda.protocol import messages as m

RESIZE_SETTLES_MS = 80
"""A drag of the window's edge makes a size every few milliseconds, and each costs the server an
encoder and a keyframe: only the one that stays is sent."""


class InputSender(QObject):
    """Owner: GUI thread.

    Pan, zoom and rotation act on napari's own camera here and travel as camera intents
    (`ViewerMirror`); this sends what belongs to the window itself (its size, and its end) and what the
    pointer does on the canvas while `tool_is_remote()`, or callbacks on the server listen to it (`listened_to()`).
    It watches the canvas only, never the application, and keeps no event from anybody.
    """

    def __init__(
        self,
        window: QWidget,
        canvas: QWidget,
        *,
        send_size: Callable[[OwnCanvas], None],
        send_pointer: Callable[[m.InputPointer], None],
        tool_is_remote: Callable[[], bool],
        listened_to: Callable[[], frozenset[str]],
        on_closed: Callable[[], None],
        on_hidden: Callable[[], None],
    ) -> None:
        super().__init__()
        self._window = window
        self._canvas = canvas
        self._send_size = send_size
        self._send_pointer = send_pointer
        self._tool_is_remote = tool_is_remote
        self._listened_to = listened_to
        self._on_closed = on_closed
        self._on_hidden = on_hidden
        self._hand: Literal["", "tool", "listeners"] = ""
        """For what on the server the buttons that are down were pressed: a tool, only callbacks, or nothing."""
        self._size: OwnCanvas | None = None
        self._held = False
        """Whether the size that was sent is not to follow the canvas's."""
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(RESIZE_SETTLES_MS)
        self._settled.timeout.connect(self._size_settled)
        window.installEventFilter(self)
        canvas.installEventFilter(self)

    def resized(self, canvas: OwnCanvas) -> None:
        """The canvas is another size now, or has other pixels; sent when it stays so."""
        if canvas != self._size:
            self._size = canvas
            if not self._held:
                self._settled.start()

    def hold_size(self, canvas: OwnCanvas) -> None:
        """Send this size now, and no other until `let_go_of_size`: a picture of it is wanted."""
        self._held = True
        self._settled.stop()
        self._send_size(canvas)

    def let_go_of_size(self) -> None:
        """The canvas's own size counts again."""
        self._held = False
        self._settled.start()

    def close(self) -> None:
        """Send nothing more."""
        self._settled.stop()
        self._canvas.removeEventFilter(self)
        self._window.removeEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """See what happens to the window and on its canvas; never keeps an event from anybody."""
        if event is not None and watched is self._canvas:
            self._see(event)
        elif event is not None and event.type() == QEvent.Type.Close:
            # After napari had its say: it may ask the user, and stay.
            QTimer.singleShot(0, self._on_closed)
        elif event is not None and event.type() in (QEvent.Type.Hide, QEvent.Type.WindowStateChange):
            self._on_hidden()
        return False

    def _see(self, event: QEvent) -> None:
        message = message_of(event, self._canvas)
        if message is None:
            return
        if message.action == "wheel":
            if "wheel" in self._listened_to():
                self._send_pointer(replace(message, listeners=True))
            return
        # A drag goes on where it began, whatever the mode is by then, as in napari. And what began here stays here.
        if not self._hand and message.action == "move" and message.buttons:
            return
        hand = self._hand or self._wanted_for(message)
        if hand:
            self._hand = hand if message.buttons else ""
            self._send_pointer(replace(message, listeners=hand == "listeners"))

    def _wanted_for(self, message: m.InputPointer) -> Literal["", "tool", "listeners"]:
        if self._tool_is_remote():
            return "tool"
        kind = {"press": "drag", "move": "move", "double": "double"}.get(message.action)
        return "listeners" if kind in self._listened_to() else ""

    def _size_settled(self) -> None:
        if self._size is not None:
            self._send_size(self._size)
