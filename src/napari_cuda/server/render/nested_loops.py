"""NestedLoops: the server turns on while an event loop of Qt's runs within a callback: a dialog's `exec()`."""

from __future__ import annotations

import math
from collections.abc import Callable

from qtpy.QtCore import QAbstractEventDispatcher, QCoreApplication, QObject, QThread, QTimer
from qtpy.QtWidgets import QApplication


class NestedLoops(QObject):
    """Owner: render thread.

    The server's own loop calls Qt and is never called by it. A dialog that a callback opens with `exec()` runs a loop
    of Qt's until it is closed: each time that one is about to wait, the server has a turn.
    """

    def __init__(self, turn: Callable[[], float], over: Callable[[], bool]) -> None:
        """`turn` does what there is to do, and returns the seconds until there may be more.

        Once all is `over`, nobody is there to close a dialog: the loops are ended.
        """
        super().__init__()
        self._turn = turn
        self._over = over
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        dispatcher = QAbstractEventDispatcher.instance()
        if dispatcher is not None:
            dispatcher.aboutToBlock.connect(self._before_it_waits)

    def _before_it_waits(self) -> None:
        thread = QThread.currentThread()
        if thread is None or thread.loopLevel() == 0:
            return
        pause_s = self._turn()
        if self._over():
            pause_s = 0.0
            self._end_innermost()
        # The timer ends Qt's waiting, and so begins the next turn; so does whoever wakes the dispatcher.
        self._again.start(math.ceil(1e3 * pause_s))

    def _end_innermost(self) -> None:
        """End the loop of a dialog or menu as its user would; all loops, if it is another one's."""
        window = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        if window is None or not window.close():
            QCoreApplication.exit()
