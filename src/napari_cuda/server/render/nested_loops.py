"""NestedLoops: the server turns on while an event loop of Qt's runs within a callback: a dialog's `exec()`."""

from __future__ import annotations

import math
from collections.abc import Callable

from qtpy.QtCore import QAbstractEventDispatcher, QObject, QThread, QTimer


class NestedLoops(QObject):
    """Owner: render thread.

    The server's own loop calls Qt and is never called by it. A dialog that a callback opens with `exec()` runs a loop
    of Qt's until it is closed: each time that one is about to wait, the server has a turn.
    """

    def __init__(self, turn: Callable[[], float]) -> None:
        """`turn` does what there is to do, and returns the seconds until there may be more."""
        super().__init__()
        self._turn = turn
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        dispatcher = QAbstractEventDispatcher.instance()
        if dispatcher is not None:
            dispatcher.aboutToBlock.connect(self._before_it_waits)

    @property
    def running(self) -> bool:
        """True within a loop of Qt's."""
        thread = QThread.currentThread()
        return thread is not None and thread.loopLevel() > 0

    def _before_it_waits(self) -> None:
        if self.running:
            # The timer ends Qt's waiting, and so begins the next turn; so does whoever wakes the dispatcher.
            self._again.start(math.ceil(1e3 * self._turn()))
