"""QtWait: waiting in Qt's event loop, so that timers and threads of scripts have their turn at once."""

from __future__ import annotations

import math

from qtpy.QtCore import QAbstractEventDispatcher, QEventLoop, QTimer

from napari_cuda.server.render.napari_adapter import application


class QtWait:
    """Owner: render thread; `wake` from any."""

    def __init__(self) -> None:
        self._app = application()
        self._dispatcher = QAbstractEventDispatcher.instance()
        self._timer = QTimer()
        self._timer.setSingleShot(True)

    def wait(self, timeout_s: float) -> None:
        """Return when Qt has run something, after `wake`, or after `timeout_s`."""
        self._timer.start(math.ceil(1e3 * timeout_s))
        self._app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        self._timer.stop()

    def wake(self) -> None:
        """End the present or the next wait."""
        if self._dispatcher is not None:
            self._dispatcher.wakeUp()
