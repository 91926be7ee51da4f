"""ExactMark: the word "exact" in the status bar while the picture is, bit for bit, what the server drew."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QMainWindow

_MEANING = (
    "The picture is, pixel for pixel, what the server drew (its hash was checked).\n"
    "While something moves it is compressed, and this mark is away."
)


class ExactMark:
    """Owner: GUI thread. It keeps its place when it is away: nothing beside it moves."""

    def __init__(self, window: QMainWindow) -> None:
        self._label = QLabel("exact")
        self._label.setObjectName("exact mark")
        self._label.setToolTip(_MEANING)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setFixedWidth(self._label.sizeHint().width() + 12)
        self._exact = True
        self.show(False)
        bar = window.statusBar()
        if bar is not None:
            bar.insertPermanentWidget(0, self._label)

    def show(self, exact: bool) -> None:
        """Show the mark, or take it away."""
        if exact != self._exact:
            self._exact = exact
            self._label.setText("exact" if exact else "")
