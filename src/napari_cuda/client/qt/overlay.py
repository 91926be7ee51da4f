"""CanvasOverlay: the HUD and the one line about the connection, over the picture.

Owner: GUI thread.

Qt labels and not napari's text overlay: that is part of the mirrored scene, and vispy draws its
text anew in every frame. Labels are composed by Qt, let the mouse through, and are in no
screenshot of the canvas.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

log = logging.getLogger(__name__)

HUD_INTERVAL_MS = 500
"""Faster, figures cannot be read."""
_MARGIN_PX = 10
# The same over a black and a white canvas, in the dark and the light theme: only the picture's own matters.
_STYLE = """
QLabel {{ background-color: {back}; color: #f2f3f5; border: 1px solid rgba(255, 255, 255, 36);
          border-radius: 6px; padding: {padding}; }}
"""
_HUD_STYLE = _STYLE.format(back="rgba(22, 24, 29, 205)", padding="6px 9px")
_BUTTON_STYLE = """
QPushButton { background-color: rgba(22, 24, 29, 230); color: #f2f3f5; border: 1px solid rgba(255, 255, 255, 90);
              border-radius: 6px; padding: 5px 14px; }
QPushButton:hover { background-color: rgba(70, 74, 84, 240); }
"""
_BANNER_STYLE = _STYLE.format(back="rgba(140, 62, 10, 235)", padding="7px 16px")


class CanvasOverlay(QObject):
    """Two labels over `canvas`: figures top right, the connection's state top centre. Owner: GUI thread.

    Below the latter a button, while there is something to `interrupt`.
    """

    def __init__(
        self, canvas: QWidget, hud_text: Callable[[], str], interrupt: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__()
        self._canvas = canvas
        self._hud_text = hud_text
        self._hud = _label(canvas, _HUD_STYLE)
        self._hud.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._banner = _label(canvas, _BANNER_STYLE)
        self._interrupt = QPushButton("Interrupt", canvas)
        self._interrupt.setStyleSheet(_BUTTON_STYLE)
        self._interrupt.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._interrupt.setCursor(Qt.CursorShape.ArrowCursor)
        self._interrupt.clicked.connect(lambda _checked=False: interrupt())
        self._interrupt.hide()
        self._refresh = QTimer(self)
        self._refresh.setInterval(HUD_INTERVAL_MS)
        self._refresh.timeout.connect(self._update_hud)
        canvas.installEventFilter(self)

    def show_hud(self, visible: bool) -> None:
        """Show or hide the figures; hidden they cost nothing."""
        if visible:
            self._update_hud()
            self._refresh.start()
        else:
            self._refresh.stop()
        self._hud.setVisible(visible)

    def show_banner(self, text: str | None, *, interrupts: bool = False) -> None:
        """Show one line over the picture; None or empty: none. `interrupts`: with a button that does."""
        self._banner.setText(text or "")
        self._banner.setVisible(bool(text))
        self._interrupt.setVisible(bool(text) and interrupts)
        self._place()

    def close(self) -> None:
        """Take the labels away; harmless when repeated."""
        self._refresh.stop()
        try:
            self._canvas.removeEventFilter(self)
            for part in (self._hud, self._banner, self._interrupt):
                part.hide()
                part.deleteLater()
        except RuntimeError:
            log.debug("the canvas was destroyed before its overlay was closed")

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the labels in their places when the canvas changes its size; keeps no event from it."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _update_hud(self) -> None:
        text = self._hud_text()
        if text != self._hud.text():
            self._hud.setText(text)
            self._place()

    def _place(self) -> None:
        width = self._canvas.width()
        self._banner.setMaximumWidth(max(1, width - 2 * _MARGIN_PX))
        for part in (self._hud, self._banner, self._interrupt):
            part.adjustSize()
        self._banner.move((width - self._banner.width()) // 2, _MARGIN_PX)
        # Below the banner, so that neither hides the other in a narrow window.
        below = self._banner.height() + _MARGIN_PX if self._banner.isVisibleTo(self._canvas) else 0
        self._interrupt.move((width - self._interrupt.width()) // 2, _MARGIN_PX + below)
        self._hud.move(max(0, width - self._hud.width() - _MARGIN_PX), _MARGIN_PX + below)


def _label(canvas: QWidget, style: str) -> QLabel:
    label = QLabel(canvas)
    label.setStyleSheet(style)
    label.setTextFormat(Qt.TextFormat.PlainText)  # what a server says is never markup
    label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    label.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    label.hide()
    return label
