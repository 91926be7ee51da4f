"""SurfaceView: the picture of a widget on the server, and what the user does on it."""

from __future__ import annotations

import zlib
from typing import Any, Literal, Protocol

from qtpy.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer
from qtpy.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QGuiApplication,
    QHideEvent,
    QImage,
    QInputMethodEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from qtpy.QtWidgets import QWidget

from napari_cuda.client.qt.input_events import buttons_of, modifiers_of, notches_of
from napari_cuda.protocol import surface_messages as s

UNNUMBERED = 0
"""The `intent` of an event until it is put in line with all else that the user does."""

ROOM_SETTLES_MS = 40
"""While an edge is dragged its widget is laid out anew so often, and not for each pixel."""


_ASKED_OF_CARETS = Qt.InputMethodQuery.ImEnabled | Qt.InputMethodQuery.ImCursorRectangle | Qt.InputMethodQuery.ImHints


class SurfaceUser(Protocol):
    """Who has the views. Owner: GUI thread."""

    def send(self, intent: s.SurfaceIntent) -> None:
        """Send what the user did."""

    def key(self, about: s.Surface, action: Literal["press", "release"], event: QKeyEvent) -> None:
        """Send a key for a surface."""

    def paste(self) -> None:
        """Tell the server what the clipboard has, should a widget want it next."""

    def view_at(self, place: QPoint) -> SurfaceView | None:
        """Return the view at a place of the screen, the uppermost pop-up first."""

    def density_changed(self) -> None:
        """The screen has other pixels now."""


class SurfaceView(QWidget):
    """Owner: GUI thread."""

    def __init__(self, about: s.Surface, user: SurfaceUser, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._about = about
        self._user = user
        self._image = QImage()
        self._ratio = 1.0
        self.fits = False
        """Whether a picture that has no room is shown smaller: for who may not ask for the room that there is."""
        self._caret: s.SurfaceCaret | None = None
        """Where text is written, if any is."""
        self._composing = False
        """Whether an input method is at something that is not written yet."""
        self.gone = False
        """The server has no such surface any more."""
        self._room = QTimer(self)
        self._room.setSingleShot(True)
        self._room.setInterval(ROOM_SETTLES_MS)
        self._room.timeout.connect(self._ask_for_room)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setObjectName(f"surface {about.surface}")
        self.describe(about)

    @property
    def about(self) -> s.Surface:
        """What the server says of the surface."""
        return self._about

    @property
    def image(self) -> QImage:
        """The picture."""
        return self._image

    def describe(self, about: s.Surface) -> None:
        """Take over what the server says of the surface."""
        self._about = about
        self.setMinimumSize(*about.smallest)
        if about.kind == "dock":
            self.setMaximumSize(*about.largest)
        self.updateGeometry()

    def show_update(self, update: s.SurfaceUpdate) -> None:
        """Take over what changed of the picture. ValueError if it is not what it says it is."""
        if self._image.size() != QSize(*update.size):
            self._image = QImage(QSize(*update.size), QImage.Format.Format_RGB32)
            self._image.fill(Qt.GlobalColor.black)
        self._ratio = update.pixel_ratio
        painter = QPainter(self._image)
        for block in update.blocks:
            pixels = _inflated(block)
            part = QImage(pixels, block.width, block.height, 4 * block.width, QImage.Format.Format_RGB32)
            painter.drawImage(block.x, block.y, part)
        painter.end()
        # All at once: of a few blocks that is cheaper than to reckon where they are on the screen.
        self.update()

    def write_at(self, caret: s.SurfaceCaret | None) -> None:
        """Text is written there, or none is: an input method composes only where it is."""
        if caret == self._caret:
            return
        self._caret = caret
        self.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled, caret is not None)
        if caret is not None:
            self.setInputMethodHints(Qt.InputMethodHint(caret.hints))
        method = QGuiApplication.inputMethod()
        if self.hasFocus() and method is not None:
            method.update(_ASKED_OF_CARETS)

    def sizeHint(self) -> QSize:
        """Return the size that the widget has on the server."""
        return QSize(*self._about.size)

    @property
    def scale(self) -> float:
        """How much smaller the picture is shown."""
        width, height = self._about.size
        if not self.fits or not width or not height:
            return 1.0
        return min(1.0, self.width() / width, self.height() / height)

    # --- Qt's events --------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the picture, and the window's own colour where there is none."""
        painter = QPainter(self)
        scale = self.scale / self._ratio
        shown = QRectF(0, 0, self._image.width() * scale, self._image.height() * scale)
        if not shown.contains(QRectF(self.rect())):
            painter.fillRect(self.rect(), self.palette().window())
        # Pixel for pixel, unless there is no room, or somebody else has a screen that is finer.
        other = scale * self.devicePixelRatioF() != 1
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, other)
        painter.drawImage(shown, self._image)
        painter.end()

    def event(self, event: QEvent | None) -> bool:
        """Have keys come here before they are a shortcut of the window's, and hear of another screen."""
        if event is not None and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        if event is not None and event.type() == QEvent.Type.DevicePixelRatioChange:
            self._user.density_changed()
        if event is not None and event.type() == QEvent.Type.ParentChange and self._was_thrown_out():
            self._user.send(s.SurfaceClose(UNNUMBERED, self._about.surface))
        return super().event(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        """Leave the tabulator to the widget: it has fields to go through."""
        return False

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Send it; one beside a pop-up and all other surfaces closes the pop-up."""
        if event is None:
            return
        place = event.globalPosition().toPoint()
        if self._is_popup and not self._holds(place) and self._user.view_at(place) is None:
            self._user.send(s.SurfaceClose(UNNUMBERED, self._about.surface))
            return
        method = QGuiApplication.inputMethod()
        if self._composing and method is not None:
            method.commit()  # as a field of Qt's does: the caret goes elsewhere
        if event.button() == Qt.MouseButton.RightButton:
            self._user.paste()  # the menu that comes may have an entry for it
        self._send_mouse("press", event)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Send it."""
        if event is not None:
            self._send_mouse("release", event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Send it."""
        if event is not None:
            self._send_mouse("move", event)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Send it."""
        if event is not None:
            self._send_mouse("double", event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Send it."""
        if event is not None:
            view, place = self._below(event.globalPosition())
            held, keys, delta = buttons_of(event.buttons()), modifiers_of(event), notches_of(event)
            self._user.send(s.SurfacePointer(UNNUMBERED, view.about.surface, "wheel", place, 0, held, keys, delta))
            event.accept()

    def enterEvent(self, event: QEnterEvent | None) -> None:
        """The pointer comes: its moves tell."""

    def leaveEvent(self, event: QEvent | None) -> None:
        """The pointer is not over the widget any more."""
        self._user.send(s.SurfacePointer(UNNUMBERED, self._about.surface, "leave", [-1, -1]))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Send it; with the clipboard before what may paste it."""
        if event is not None:
            if event.matches(QKeySequence.StandardKey.Paste):
                self._user.paste()
            self._send_key("press", event)

    def keyReleaseEvent(self, event: QKeyEvent | None) -> None:
        """Send it."""
        if event is not None:
            self._send_key("release", event)

    def inputMethodEvent(self, event: QInputMethodEvent | None) -> None:
        """Send what an input method wrote, and what it is at."""
        if event is None:
            return
        text, composing = event.commitString(), event.preeditString()
        at = [one.start for one in event.attributes() if one.type == QInputMethodEvent.AttributeType.Cursor]
        self._composing = bool(composing)
        most = s.LONGEST_COMPOSED
        self._user.send(
            s.SurfaceCompose(
                UNNUMBERED,
                self._about.surface,
                text[:most],
                composing[:most],
                min(max(0, at[-1] if at else len(composing)), most),
                (event.replacementStart(), max(0, event.replacementLength())),
            )
        )
        event.accept()

    def inputMethodQuery(self, query: Qt.InputMethodQuery) -> Any:
        """Tell an input method where it writes."""
        if query == Qt.InputMethodQuery.ImEnabled:
            return self._caret is not None
        if query == Qt.InputMethodQuery.ImCursorRectangle and self._caret is not None:
            x, y, width, height = (self.scale * length for length in self._caret.place)
            return QRectF(x, y, width, height)
        return super().inputMethodQuery(query)

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """The keyboard is the widget's."""
        if event is not None and event.reason() != Qt.FocusReason.PopupFocusReason:
            self._user.send(s.SurfaceFocus(UNNUMBERED, self._about.surface))

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """The keyboard is somebody else's, unless only a pop-up has it for now."""
        if event is not None and event.reason() != Qt.FocusReason.PopupFocusReason:
            self._user.send(s.SurfaceFocus(UNNUMBERED, ""))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Ask for the room that there is, when it stays so."""
        if self._about.kind in ("dock", "dialog"):
            self._room.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """A pop-up that is put away here is put away there."""
        if self._is_popup and not self.gone:
            self._user.send(s.SurfaceClose(UNNUMBERED, self._about.surface))

    # --- on their way -------------------------------------------------------------------

    @property
    def _is_popup(self) -> bool:
        return self.windowType() == Qt.WindowType.Popup

    def _was_thrown_out(self) -> bool:
        """Return whether the user has closed the dock for good, with the cross in its title."""
        return self._about.kind == "dock" and self.parent() is None and not self.gone

    def _holds(self, place: QPoint) -> bool:
        return bool(self.rect().contains(self.mapFromGlobal(place)))

    def _below(self, place: QPointF) -> tuple[SurfaceView, list[int]]:
        """Return the view that something at a place of the screen is for, and where in its widget that is.

        That is this one, unless there is a pop-up, which has all that the pointer does: it may be for the other.
        """
        view = (self._user.view_at(place.toPoint()) or self) if self._is_popup else self
        within = view.mapFromGlobal(place)
        return view, [round(within.x() / view.scale), round(within.y() / view.scale)]

    def _send_mouse(self, action: Literal["press", "move", "release", "double"], event: QMouseEvent) -> None:
        view, place = self._below(event.globalPosition())
        button = sum(buttons_of(event.button()))
        held = buttons_of(event.buttons())
        self._user.send(
            s.SurfacePointer(UNNUMBERED, view.about.surface, action, place, button, held, modifiers_of(event))
        )
        event.accept()

    def _send_key(self, action: Literal["press", "release"], event: QKeyEvent) -> None:
        self._user.key(self._about, action, event)
        event.accept()

    def _ask_for_room(self) -> None:
        size = (self.width(), self.height())
        if size != self._about.size and not self.gone:
            self._user.send(s.SurfaceResize(UNNUMBERED, self._about.surface, size))


def _inflated(block: s.SurfaceBlock) -> bytes:
    """Return the pixels of a block; ValueError if they are not as many as it says."""
    size = 4 * block.width * block.height
    unpacker = zlib.decompressobj()
    try:
        pixels = unpacker.decompress(block.pixels, size + 1)
    except zlib.error as error:
        raise ValueError(f"a surface's picture cannot be read: {error}") from None
    if len(pixels) != size:
        raise ValueError(f"a surface's picture has {len(pixels)} bytes instead of {size}")
    return pixels
