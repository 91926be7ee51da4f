"""Asking where to connect to: a form, in a dialog or in a panel of another napari window. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from napari.qt import get_current_stylesheet, get_qapp
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cuda.client.config import ClientConfig
from napari_cuda.client.recent import Recent, RecentConnections
from napari_cuda.client.remote_session import Connected
from napari_cuda.protocol.errors import NapariCudaError

V = TypeVar("V", bound=Connected)

Connect = Callable[[str, str | None], ClientConfig]
"""Connects to (address, token or None) and returns the server it is; raises NapariCudaError in one line."""


class ConnectForm(QWidget):
    """Address, token, recent connections. Owner: GUI thread.

    It says why there is no connection; `server` is where the last one leads.
    """

    connected = Signal()

    def __init__(self, recent: Sequence[Recent], connect: Connect, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.server: ClientConfig | None = None
        self._connect = connect
        self.address = QLineEdit(self)
        self.address.setPlaceholderText("http://HOST:PORT/?token=TOKEN, as napari-cuda serve printed it")
        self.token = QLineEdit(self)
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText("if it is not in the address")
        self.keep_token = QCheckBox("Keep the token in the list of recent connections", self)
        self.recent = QListWidget(self)
        self.recent.currentItemChanged.connect(self._choose)
        self.recent.itemActivated.connect(lambda _item: self.try_to_connect())
        self.error = QLabel(self)
        self.error.setTextFormat(Qt.TextFormat.PlainText)  # what a server says is never markup
        self.error.setWordWrap(True)
        self.error.setStyleSheet("color: #e0683c;")
        form = QFormLayout()
        form.addRow("Address", self.address)
        form.addRow("Token", self.token)
        form.addRow("", self.keep_token)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.recent)
        layout.addLayout(form)
        layout.addWidget(self.error)
        self.offer(recent)

    def offer(self, recent: Sequence[Recent]) -> None:
        """List these connections."""
        self.recent.clear()
        for entry in recent:
            item = QListWidgetItem(f"{entry.title} — {entry.address}" if entry.title else entry.address, self.recent)
            item.setData(Qt.ItemDataRole.UserRole, entry)
        self.recent.setVisible(bool(recent))

    def try_to_connect(self) -> None:
        """Connect to what was entered; else say why not."""
        self.error.setText("")
        self.setEnabled(False)
        try:
            self.server = self._connect(self.address.text().strip(), self.token.text().strip() or None)
        except NapariCudaError as error:
            self.error.setText(str(error))
        else:
            self.connected.emit()
        finally:
            self.setEnabled(True)

    def remember(self, recent: RecentConnections, title: str) -> None:
        """Put the server into the list, under what it calls itself."""
        if self.server is not None:
            kept = self.server.token if self.keep_token.isChecked() else ""
            recent.remember(Recent(self.server.address, title, kept))

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            entry: Recent = item.data(Qt.ItemDataRole.UserRole)
            self.address.setText(entry.address)
            self.token.setText(entry.token)
            self.keep_token.setChecked(bool(entry.token))


class ConnectDialog(QDialog):
    """The form, until a connection is there. Owner: GUI thread."""

    def __init__(self, recent: Sequence[Recent], connect: Connect, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Connect — napari-cuda")
        self.setMinimumWidth(480)
        self.form = ConnectForm(recent, connect, self)
        self.form.connected.connect(self.accept)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.buttons.addButton("Connect", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self.form.try_to_connect)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.form)
        layout.addWidget(self.buttons)

    @property
    def server(self) -> ClientConfig | None:
        """Where the connection leads; None if there is none."""
        return self.form.server


class ConnectPanel(QWidget):
    """The form in a dock of a napari window, whose own viewer stays as it is. Owner: GUI thread.

    What `open_window` returns is kept by napari, as every viewer with a window is.
    """

    def __init__(self, recent: RecentConnections, open_window: Callable[[str, str | None], Connected]) -> None:
        super().__init__()
        self._recent = recent
        self._open_window = open_window
        self._title = ""
        self.form = ConnectForm(recent.read(), self._connect, self)
        self.form.connected.connect(self._connected)
        self.button = QPushButton("Connect", self)
        self.button.clicked.connect(self.form.try_to_connect)
        for field in (self.form.address, self.form.token):
            field.returnPressed.connect(self.form.try_to_connect)
        layout = QVBoxLayout(self)
        layout.addWidget(self.form)
        layout.addWidget(self.button)
        layout.addStretch()

    def _connect(self, address: str, token: str | None) -> ClientConfig:
        viewer = self._open_window(address, token)
        self._title = viewer.session_title
        return viewer.server

    def _connected(self) -> None:
        self.form.remember(self._recent, self._title)
        self.form.token.clear()
        self.form.offer(self._recent.read())


def ask_and_connect(recent: RecentConnections, open_window: Callable[[str, str | None], V]) -> V | None:
    """Ask until there is a window; None if the user gives up. The connection is remembered."""
    get_qapp()
    viewer: V | None = None

    def connect(address: str, token: str | None) -> ClientConfig:
        nonlocal viewer
        viewer = open_window(address, token)
        return viewer.server

    dialog = ConnectDialog(recent.read(), connect)
    dialog.setStyleSheet(get_current_stylesheet())
    dialog.exec()
    if viewer is not None:
        dialog.form.remember(recent, viewer.session_title)
    return viewer
