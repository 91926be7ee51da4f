"""SurfaceKeys: keys for widgets on the server, and what napari does here with those that no widget wanted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from qtpy.QtCore import QTimer
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget

from napari_cuda.client.qt.input_events import UNNUMBERED, modifiers_of
from napari_cuda.protocol import surface_messages as s
from napari_cuda.shortcut_keys import shortcut_of

MOST_KEYS = 256
"""That may be with the server. Ten seconds of a key that repeats; older ones are nobody's wish any more."""


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of which the server may say that no widget wanted it."""

    number: int
    surface: str
    shortcut: bool
    event: QKeyEvent


class SurfaceKeys:
    """Owner: GUI thread.

    Nothing is offered to napari that was not pressed here, nothing twice, and all in the order in which it was pressed.
    """

    def __init__(
        self,
        window: QMainWindow,
        send: Callable[[s.SurfaceIntent], None],
        dock_of: Callable[[str], QWidget | None],
    ) -> None:
        self._window = window
        self._send = send
        self._dock_of = dock_of
        self._numbers = 0
        self._away: deque[_Key] = deque(maxlen=MOST_KEYS)
        self._left: deque[_Key] = deque()  # bound: what was away

    def send(self, about: s.Surface, action: Literal["press", "release"], event: QKeyEvent) -> None:
        """Send a key for a surface."""
        self._numbers += 1
        docked = about.kind == "dock"
        shortcut = docked and action == "press" and self._shortcut(event) is not None
        if docked:
            self._away.append(_Key(self._numbers, about.surface, shortcut, _copy(event)))
        text, held, repeats = event.text()[:64], modifiers_of(event), event.isAutoRepeat()
        key = max(0, int(event.key()))
        self._send(s.SurfaceKey(UNNUMBERED, about.surface, action, key, text, held, repeats, self._numbers, shortcut))

    def unused(self, number: int) -> None:
        """No widget wanted a key: it goes where it would have gone from a dock that is here, in a turn of its own.

        For it may open a dialog, behind which what the server says would wait.
        """
        while self._away and self._away[0].number <= number:
            key = self._away.popleft()
            if key.number == number:
                self._left.append(key)
                QTimer.singleShot(0, self._offer)

    def _offer(self) -> None:
        key = self._left.popleft()
        act = self._shortcut(key.event) if key.shortcut else None
        if act is not None:
            act()
        else:
            QApplication.sendEvent(self._dock_of(key.surface) or self._window, key.event)

    def _shortcut(self, event: QKeyEvent) -> Callable[[], object] | None:
        return shortcut_of(self._window, int(event.key()), event.modifiers(), QApplication.focusWidget())


def _copy(event: QKeyEvent) -> QKeyEvent:
    """Return such an event that outlives its delivery, and was not delivered."""
    return QKeyEvent(event.type(), event.key(), event.modifiers(), event.text(), event.isAutoRepeat(), event.count())
