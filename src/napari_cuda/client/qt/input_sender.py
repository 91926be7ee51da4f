"""InputSender: what the user does to the window, on its way to the server."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, QTimer

RESIZE_SETTLES_MS = 80
"""A drag of the window's edge makes a size every few milliseconds, and each costs the server an
encoder and a keyframe: only the one that stays is sent."""


class InputSender(QObject):
    """Owner: GUI thread.

    Pan, zoom and rotation act on napari's own camera here and travel as camera intents
    (`ViewerMirror`); this sends what belongs to the window itself: its size, and its end.
    """

    def __init__(
        self,
        window: QObject,
        *,
        send_size: Callable[[tuple[int, int]], None],
        on_closed: Callable[[], None],
        on_hidden: Callable[[], None],
    ) -> None:
        super().__init__()
        self._window = window
        self._send_size = send_size
        self._on_closed = on_closed
        self._on_hidden = on_hidden
        self._size: tuple[int, int] | None = None
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(RESIZE_SETTLES_MS)
        self._settled.timeout.connect(self._send)
        window.installEventFilter(self)

    def resized(self, size_px: tuple[int, int]) -> None:
        """The canvas is now (width, height); sent when it stays so."""
        if size_px != self._size:
            self._size = size_px
            self._settled.start()

    def close(self) -> None:
        """Send nothing more."""
        self._settled.stop()
        self._window.removeEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice that the window closes; never keeps an event from anybody."""
        if event is not None and event.type() == QEvent.Type.Close:
            # After napari had its say: it may ask the user, and stay.
            QTimer.singleShot(0, self._on_closed)
        elif event is not None and event.type() in (QEvent.Type.Hide, QEvent.Type.WindowStateChange):
            self._on_hidden()
        return False

    def _send(self) -> None:
        if self._size is not None:
            self._send_size(self._size)
