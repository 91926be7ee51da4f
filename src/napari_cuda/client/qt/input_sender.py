"""InputSender: what the user does to the window, on its way to the server."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QWidget

from napari_cuda.client.control.cadence import INTERVAL_S, Cadence
from napari_cuda.client.control.input_queue import InputQueue
from napari_cuda.client.qt.input_events import message_of
from napari_cuda.protocol import messages as m

RESIZE_SETTLES_MS = 80
"""A drag of the window's edge makes a size every few milliseconds, and each costs the server an
encoder and a keyframe: only the one that stays is sent."""

Send = Callable[[list[m.InputEvent]], object]


class InputSender(QObject):
    """Owner: GUI thread.

    Pan, zoom and rotation act on napari's own camera here and travel as camera intents
    (`ViewerMirror`); this sends what belongs to the window itself (its size, and its end) and, while
    `forward` is on, what is done on the canvas. It watches the canvas only, never the application,
    and keeps no event from anybody: what is typed into a text field stays there.
    """

    def __init__(
        self,
        window: QWidget,
        canvas: QWidget,
        *,
        send_size: Callable[[tuple[int, int]], None],
        on_closed: Callable[[], None],
        on_hidden: Callable[[], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._window = window
        self._canvas = canvas
        self._send_size = send_size
        self._on_closed = on_closed
        self._on_hidden = on_hidden
        self._clock = clock
        self._size: tuple[int, int] | None = None
        self._settled = _single_shot(self, self._size_settled)
        self._settled.setInterval(RESIZE_SETTLES_MS)
        self._send: Send | None = None
        self._number: Callable[[], int] | None = None
        self._queue = InputQueue()
        self._cadence = Cadence(INTERVAL_S)
        self._due = _single_shot(self, self._flush)
        window.installEventFilter(self)

    def forward(self, send: Send, number: Callable[[], int]) -> None:
        """From now on send what is done on the canvas, each event with the next intent number."""
        if self._send is None:
            self._canvas.installEventFilter(self)
        self._send, self._number = send, number

    def keep(self) -> None:
        """Send nothing of the canvas any more, nor what waits: input is never late."""
        self._queue.clear()
        self._due.stop()
        if self._send is not None:
            self._canvas.removeEventFilter(self)
        self._send = self._number = None

    def resized(self, size_px: tuple[int, int]) -> None:
        """The canvas is now (width, height); sent when it stays so."""
        if size_px != self._size:
            self._size = size_px
            self._settled.start()

    def close(self) -> None:
        """Send nothing more."""
        self._settled.stop()
        self.keep()
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
        if event.type() == QEvent.Type.FocusOut:
            self._queue.release_keys()
        else:
            message = message_of(event, self._canvas.devicePixelRatioF())
            if message is not None:
                self._queue.add(message)
        if len(self._queue):
            now_s = self._clock()
            left_s = self._cadence.note(now_s) - now_s
            if left_s <= 0:
                self._flush()
            elif not self._due.isActive():
                self._due.start(math.ceil(left_s * 1000))

    def _flush(self) -> None:
        self._due.stop()
        if self._send is not None and self._number is not None and len(self._queue):
            self._cadence.taken(self._clock())
            self._send(self._queue.take(self._number))

    def _size_settled(self) -> None:
        if self._size is not None:
            self._send_size(self._size)


def _single_shot(parent: QObject, slot: Callable[[], None]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(slot)
    return timer
