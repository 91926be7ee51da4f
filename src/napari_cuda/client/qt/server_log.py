"""ServerLogDialog: the newest lines of the server's log, followed while it is open. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QTimer
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QDialog, QPlainTextEdit, QVBoxLayout, QWidget

from napari_cuda.protocol import messages as m

ASK_MS = 1000
MOST_LINES = 5000
"""Kept here: hours of a session, some hundred kilobytes."""


class ServerLogDialog(QDialog):
    """Asks for what is new, once a second. Owner: GUI thread."""

    def __init__(self, parent: QWidget, ask: Callable[[m.LogQuery], object]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Server Log")
        self.resize(760, 360)
        self._ask = ask
        self._newest = 0
        self.text = QPlainTextEdit(self)
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(MOST_LINES)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        QVBoxLayout(self).addWidget(self.text)
        self._timer = QTimer(self)
        self._timer.setInterval(ASK_MS)
        self._timer.timeout.connect(self.ask)
        self.finished.connect(self._timer.stop)

    def open_now(self) -> None:
        """Show the dialog and begin to ask."""
        self.ask()
        self._timer.start()
        self.show()
        self.raise_()

    def ask(self) -> None:
        """Ask for the lines after those shown."""
        self._ask(m.LogQuery(self._newest))

    def add(self, answer: m.LogLines) -> None:
        """Show the lines of an answer."""
        if answer.newest < self._newest:  # another server's log
            self.text.clear()
            self._newest = 0
        # Two answers may overlap: the second query left before the first was answered.
        fresh = answer.lines[max(0, len(answer.lines) - (answer.newest - self._newest)) :]
        self._newest = answer.newest
        if fresh:
            self.text.appendPlainText("\n".join(fresh))
