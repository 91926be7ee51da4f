"""ConnectionDialog: how the connection does, and what can be done about it. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

REFRESH_MS = 500
"""As often as the figures over the picture."""


class ConnectionDialog(QDialog):
    """Shows rows of (what, value), looked up anew while it is open. Owner: GUI thread."""

    def __init__(
        self,
        parent: QWidget,
        rows: Callable[[], list[tuple[str, str]]],
        buttons: list[tuple[str, Callable[[], object]]],
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Connection")
        self.setMinimumWidth(420)
        self._rows = rows
        self._shown: list[tuple[str, str]] = []
        self._form = QFormLayout()
        bar = QHBoxLayout()
        bar.addStretch()
        for title, do in buttons:
            button = QPushButton(title, self)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, do=do: do())
            bar.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addLayout(self._form)
        layout.addLayout(bar)
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self.finished.connect(self._timer.stop)

    def open_now(self) -> None:
        """Show the dialog beside the window, not before it."""
        self.refresh()
        self._timer.start()
        self.show()
        self.raise_()

    def refresh(self) -> None:
        """Look the rows up."""
        rows = self._rows()
        if rows == self._shown:
            return
        self._shown = rows
        while self._form.rowCount():
            self._form.removeRow(0)
        for what, value in rows:
            label = QLabel(value, self)
            label.setTextFormat(Qt.TextFormat.PlainText)  # what a server says is never markup
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setWordWrap(True)
            self._form.addRow(f"{what}:", label)
