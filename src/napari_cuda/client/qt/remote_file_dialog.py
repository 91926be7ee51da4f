"""Dialogs to choose files on the server: to open, and where to save. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtpy.QtCore import QModelIndex, Qt, QTimer
from qtpy.QtGui import QKeyEvent, QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from napari_cuda.client.errands import Errands
from napari_cuda.client.net.file_service import FileService, Writer
from napari_cuda.client.qt.folder_model import FolderModel
from napari_cuda.protocol.files import Entry, FolderPage

SEARCH_AFTER_MS = 250
"""Typing goes on for that long between two letters."""

AUTOMATIC = "choose automatically"


class FolderDialog(QDialog):
    """A folder on the server: path, search, entries, one line for what went wrong. Owner: GUI thread.

    Return opens a folder or takes a file, Alt+Up goes up, Ctrl+F searches, Ctrl+L goes to the path.
    """

    def __init__(self, parent: QWidget | None, title: str, service: FileService, errands: Errands, start: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.resize(760, 480)
        self.service = service
        self.model = FolderModel(service, errands, self)
        self.model.shown.connect(self._on_shown)
        self.model.searched.connect(lambda words: self.message.setText(words))
        self.model.failed.connect(self._on_failed)
        self._parent_path = ""
        self.up = QToolButton()
        self.up.setArrowType(Qt.ArrowType.UpArrow)
        self.up.setToolTip("Folder above (Alt+Up)")
        self.up.clicked.connect(self._go_up)
        self.path = QLineEdit()
        self.path.setPlaceholderText("Path on the server")
        self.path.returnPressed.connect(lambda: self.go(self.path.text()))
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search here and below")
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(200)
        self._search_timer = QTimer(self)
        self._search_timer.setSingleShot(True)
        self._search_timer.timeout.connect(lambda: self.model.look(self.model.path, self.search.text()))
        self.search.textEdited.connect(lambda _text: self._search_timer.start(SEARCH_AFTER_MS))
        self.view = _table(self.model)
        self.view.activated.connect(self._on_activated)
        self.message = QLabel()
        self.message.setTextFormat(Qt.TextFormat.PlainText)  # what a server says is never markup
        self.message.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.buttons.rejected.connect(self.reject)
        above = QHBoxLayout()
        for widget in (self.up, self.path, self.search):
            above.addWidget(widget)
        self.below = QHBoxLayout()
        layout = QVBoxLayout(self)
        layout.addLayout(above)
        layout.addWidget(self.view)
        layout.addLayout(self.below)
        layout.addWidget(self.message)
        layout.addWidget(self.buttons)
        self._shortcut("Alt+Up", self._go_up)
        self._shortcut("Ctrl+F", self.search.setFocus)
        self._shortcut("Ctrl+L", self.path.setFocus)
        self.view.setFocus()
        self.go(start)

    def go(self, path: str) -> None:
        """Show a folder; "" for the places where to begin."""
        self.search.clear()
        self.message.setText("Looking …")
        self.model.look(path.strip())

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Return belongs to what has the focus: Qt would press a button besides."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
        else:
            super().keyPressEvent(event)

    def done(self, result: int) -> None:
        """The dialog is closed, one way or another."""
        self.model.close()
        super().done(result)

    def selected(self) -> list[Entry]:
        """Return the selected entries, in the order of the list."""
        selection = self.view.selectionModel()
        rows: list[QModelIndex] = selection.selectedRows() if selection is not None else []
        return [self.model.entry(row) for row in sorted(rows, key=QModelIndex.row)]

    def take(self, entry: Entry) -> None:
        """The user chose an entry that is no folder to look into."""

    def _shortcut(self, keys: str, do: Callable[[], object]) -> None:
        QShortcut(QKeySequence(keys), self).activated.connect(lambda: do())

    def _go_up(self) -> None:
        if self.model.path:
            self.go(self._parent_path)

    def _on_activated(self, index: QModelIndex) -> None:
        entry = self.model.entry(index)
        if entry.kind in ("folder", "images"):
            self.go(entry.path)
        else:
            self.take(entry)

    def _on_shown(self, page: FolderPage) -> None:
        self.message.setText("" if page.total else "Nothing here.")
        if page.offset == 0:
            self._parent_path = page.parent
            self.path.setText(page.path)
            self.up.setEnabled(bool(page.path))

    def _on_failed(self, why: str) -> None:
        self.message.setText(why)


def _table(model: FolderModel) -> QTreeView:
    view = QTreeView()
    view.setModel(model)
    view.setRootIsDecorated(False)
    view.setUniformRowHeights(True)
    view.setAllColumnsShowFocus(True)
    header = view.header()
    if header is not None:
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return view


@dataclass(frozen=True, slots=True)
class OpenChoice:
    """What the user wants to open; `plugin` "" leaves the choice to the server."""

    paths: list[str]
    stack: bool
    plugin: str


class OpenDialog(FolderDialog):
    """Chooses files, Zarr groups and folders to open. Owner: GUI thread."""

    def __init__(
        self,
        parent: QWidget | None,
        service: FileService,
        errands: Errands,
        start: str,
        *,
        stack: bool = False,
    ) -> None:
        super().__init__(parent, "Open on the server", service, errands, start)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.stack = QCheckBox("Open as &stack")
        self.stack.setChecked(stack)
        self.plugin = QComboBox()
        self.plugin.addItem(AUTOMATIC, "")
        self._asked = ""
        label = QLabel("&Reader:")
        label.setBuddy(self.plugin)
        self.below.addWidget(self.stack)
        self.below.addStretch()
        self.below.addWidget(label)
        self.below.addWidget(self.plugin)
        self.open_button = QPushButton("&Open")
        self.open_button.setEnabled(False)
        self.open_button.clicked.connect(self.accept)
        self.buttons.addButton(self.open_button, QDialogButtonBox.ButtonRole.ActionRole)
        selection = self.view.selectionModel()
        if selection is not None:
            selection.selectionChanged.connect(lambda *_: self._on_selected())
        self.model.modelReset.connect(self._on_selected)

    def choice(self) -> OpenChoice:
        """Return what was chosen."""
        return OpenChoice([entry.path for entry in self.selected()], self.stack.isChecked(), self.plugin.currentData())

    def take(self, entry: Entry) -> None:
        """Open what was double-clicked."""
        self.accept()

    def _on_selected(self) -> None:
        entries = self.selected()
        self.open_button.setEnabled(bool(entries))
        first = entries[0].path if entries else ""
        if first and first != self._asked:
            self._asked = first
            self.model.ask(lambda: self.service.readers(first), lambda readers: self._show_readers(first, readers))

    def _show_readers(self, path: str, readers: dict[str, str]) -> None:
        if path != self._asked:
            return
        chosen = self.plugin.currentData()
        self.plugin.clear()
        self.plugin.addItem(AUTOMATIC, "")
        for name, title in sorted(readers.items()):
            self.plugin.addItem(title, name)
        self.plugin.setCurrentIndex(max(0, self.plugin.findData(chosen)))


@dataclass(frozen=True, slots=True)
class SaveChoice:
    """Where the user wants to save, on the server; "" on this computer."""

    path: str
    plugin: str
    overwrite: bool


class SaveDialog(FolderDialog):
    """Chooses where on the server to save, and in which format. Owner: GUI thread."""

    def __init__(
        self,
        parent: QWidget | None,
        service: FileService,
        errands: Errands,
        start: str,
        *,
        name: str,
        writers: Sequence[Writer],
    ) -> None:
        super().__init__(parent, "Save on the server", service, errands, start)
        self.name = QLineEdit(name)
        self.name.selectAll()
        self.name.returnPressed.connect(self._save)
        self.format = QComboBox()
        for plugin, title, suffixes in writers:
            self.format.addItem(f"{title} ({' '.join(suffixes[:4]) or 'folder'})", (plugin, list(suffixes)))
        self.overwrite = QCheckBox("Over&write")
        self.overwrite.setToolTip("Replace what is there already")
        label = QLabel("&Name:")
        label.setBuddy(self.name)
        for widget in (label, self.name, self.format, self.overwrite):
            self.below.addWidget(widget)
        self.local = False
        here = QPushButton("On &This Computer …")
        here.clicked.connect(self._save_here)
        save = QPushButton("&Save")
        save.clicked.connect(self._save)
        self.buttons.addButton(here, QDialogButtonBox.ButtonRole.ActionRole)
        self.buttons.addButton(save, QDialogButtonBox.ButtonRole.ActionRole)
        self.name.setFocus()

    def choice(self) -> SaveChoice:
        """Return what was chosen."""
        plugin, _ = self._format()
        path = "" if self.local else f"{self.model.path.rstrip('/')}/{self.file_name()}"
        return SaveChoice(path, plugin, self.overwrite.isChecked())

    def file_name(self) -> str:
        """Return the name, with a suffix of the format."""
        name = self.name.text().strip()
        _, suffixes = self._format()
        return name if not suffixes or any(name.lower().endswith(end) for end in suffixes) else name + suffixes[0]

    def take(self, entry: Entry) -> None:
        """Take over the name of what was double-clicked."""
        self.name.setText(entry.name)

    def _format(self) -> tuple[str, list[str]]:
        data: tuple[str, list[str]] | None = self.format.currentData()
        return data if data is not None else ("", [])

    def _save(self) -> None:
        name = self.file_name()
        if not self.model.path:
            self.message.setText("Go into a folder first.")
        elif not name or "/" in name:
            self.message.setText("Give it a name, without a slash.")
        else:
            self._accept_unless_there(name)

    def _accept_unless_there(self, name: str) -> None:
        """Ask before overwriting: the list may not have been fetched to its end, so ask the server."""
        if self.overwrite.isChecked():
            self.accept()
            return

        def found(page: FolderPage) -> None:
            if any(entry.name == name for entry in page.entries):
                self.message.setText(f"{name} exists already: check Overwrite, or give another name.")
            else:
                self.accept()

        folder = self.model.path
        self.model.ask(lambda: self.service.list_folder(folder, name), found)

    def _save_here(self) -> None:
        self.local = True
        self.accept()
