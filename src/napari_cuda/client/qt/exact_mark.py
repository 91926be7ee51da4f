"""ExactMark: the word "exact" beside the menus while the picture is, bit for bit, what the server drew."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QMainWindow

_MEANING = (
    "The picture is, pixel for pixel, what the server drew (its hash was checked).\n"
    "While something moves it is compressed, and this mark is away."
)


class ExactMark:
    """Owner: GUI thread. In the menu bar's corner, where it moves nothing of napari's, come or gone.

    Where the system draws the menus (macOS), which has no corner, it is in the status bar.
    """

    def __init__(self, window: QMainWindow) -> None:
        self._label = QLabel("exact")
        self._label.setObjectName("exact mark")
        self._label.setToolTip(_MEANING)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setFixedWidth(self._label.sizeHint().width() + 12)
        self._exact = True
        self.show(False)
        menus, bar = window.menuBar(), window.statusBar()
        if menus is not None and not menus.isNativeMenuBar():
            menus.setCornerWidget(self._label)
        elif bar is not None:
            bar.addPermanentWidget(self._label)
        self._label.show()  # the window is on screen already, which shows no child that comes later

    def show(self, exact: bool) -> None:
        """Show the mark, or take it away."""
        if exact != self._exact:
            self._exact = exact
            self._label.setText("exact" if exact else "")
