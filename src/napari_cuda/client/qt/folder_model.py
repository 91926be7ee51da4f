"""FolderModel: a folder on the server as rows of a table, fetched as they come into view. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal

from napari_cuda.client.errands import Errands
from napari_cuda.client.net.file_service import FileService
from napari_cuda.protocol.errors import NapariCudaError
from napari_cuda.protocol.files import Entry, EntryKind, FolderPage

COLUMNS = ("Name", "Size", "Kind", "Changed")

KINDS: dict[EntryKind, str] = {"folder": "folder", "file": "file", "zarr": "Zarr", "images": "folder of images"}

_NOWHERE = QModelIndex()

T = TypeVar("T")


class FolderModel(QAbstractTableModel):
    """Owner: GUI thread. One request at a time is under way; of what is asked for meanwhile the newest counts."""

    shown = Signal(object)
    """A FolderPage is shown: the first of a folder, or more of it."""

    failed = Signal(str)

    def __init__(self, service: FileService, errands: Errands, parent: QObject) -> None:
        super().__init__(parent)
        self._service = service
        self._errands = errands
        self._entries: list[Entry] = []
        self._total = 0
        self._path = ""
        self._search = ""
        self._asking = False
        self._closed = False
        self._next: Callable[[], None] | None = None
        """What to ask when the answer is there. Bound: one, the newest wins."""

    @property
    def path(self) -> str:
        """The folder shown; "" for the places where to begin."""
        return self._path

    def close(self) -> None:
        """Nobody looks any more: answers that are still to come are dropped."""
        self._closed = True

    def entry(self, index: QModelIndex) -> Entry:
        """Return the entry of a row."""
        return self._entries[index.row()]

    def look(self, path: str, search: str = "") -> None:
        """Show a folder, or what of it has `search` in its name."""
        self._ask(path, search, 0)

    def _ask(self, path: str, search: str, offset: int) -> None:
        if self._asking:
            self._next = partial(self._ask, path, search, offset)
            return
        self._next = None
        self._asking = True
        try:
            self._errands.run(
                "listing",
                lambda: self._service.list_folder(path, search, offset),
                lambda page: self._answered(page, search),
                self._refused,
            )
        except NapariCudaError as error:
            self._refused(error)

    def ask(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Ask the server something else about its files; `done` with the answer unless nobody looks any more."""

        def answered(answer: T) -> None:
            if not self._closed:
                done(answer)

        try:
            self._errands.run("files", work, answered, self._tell)
        except NapariCudaError as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._closed:
            self.failed.emit(str(error))

    def _answered(self, page: FolderPage, search: str) -> None:
        self._asking = False
        if self._closed:
            return
        if self._next is not None:
            self._next()
            return
        self._search, self._path, self._total = search, page.path, page.total
        if page.offset and not page.entries:
            self._total = len(self._entries)  # the folder has become shorter
        elif page.offset == 0:
            self.beginResetModel()
            self._entries = list(page.entries)
            self.endResetModel()
        else:
            first = len(self._entries)
            self.beginInsertRows(_NOWHERE, first, first + len(page.entries) - 1)
            self._entries += page.entries
            self.endInsertRows()
        self.shown.emit(page)

    def _refused(self, error: Exception) -> None:
        self._asking = False
        if self._next is not None and not self._closed:
            self._next()
        else:
            self._tell(error)

    # --- Qt -----------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Rows fetched so far."""
        return 0 if parent.isValid() else len(self._entries)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def canFetchMore(self, parent: QModelIndex) -> bool:
        """Whether the folder has more than was fetched."""
        return not parent.isValid() and not self._asking and len(self._entries) < self._total

    def fetchMore(self, parent: QModelIndex) -> None:
        """Fetch the next page."""
        self._ask(self._path, self._search, len(self._entries))

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a column's title."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        entry = self._entries[index.row()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.path
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == 1:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return _cells(entry)[index.column()] if role == Qt.ItemDataRole.DisplayRole else None


def _cells(entry: Entry) -> tuple[str, str, str, str]:
    name = entry.name if entry.kind == "file" else f"{entry.name}/"
    size = size_text(entry.size_bytes) if entry.kind == "file" else ""
    return name, size, KINDS[entry.kind], _date_text(entry.modified_s)


def _date_text(modified_s: float) -> str:
    try:
        return datetime.fromtimestamp(modified_s).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return ""  # a file system may say anything


def size_text(size_bytes: float) -> str:
    """Return a size as people read it, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size_bytes < 1000 or unit == "TB":
            break
        size_bytes /= 1000
    return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
