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
from napari_cuda.protocol.files import PAGE_ENTRIES, Entry, EntryKind, FolderPage, Found

COLUMNS = ("Name", "Size", "Kind", "Changed")

KINDS: dict[EntryKind, str] = {"folder": "folder", "file": "file", "zarr": "Zarr", "images": "folder of images"}

_NOWHERE = QModelIndex()

T = TypeVar("T")


class _Search:
    """A search under way. Owner: GUI thread."""

    def __init__(self, path: str, wanted: str) -> None:
        self.path = path
        self.wanted = wanted
        self.folders = 0
        self.left_out = 0
        self.wanted_rows = PAGE_ENTRIES
        """It goes on by itself until so many are shown, then when somebody looks at the last of them."""

    def words(self, shown: int, *, busy: bool, more: bool) -> str:
        """Return how far it is, for the user."""
        text = f"{shown} found in {self.folders} folders"
        if self.left_out:
            text += f", and {self.left_out} more where a folder has very many of them"
        if busy:
            return f"Searching … {text}"
        if more:
            return f"{text} so far; scroll down to search on"
        return text


class FolderModel(QAbstractTableModel):
    """Owner: GUI thread. One request at a time is under way; of what is asked for meanwhile the newest counts."""

    shown = Signal(object)
    """A FolderPage is shown: the first of a folder, or more of it."""

    searched = Signal(str)
    """More of what a search found is shown; how far it is, in words."""

    failed = Signal(str)

    def __init__(self, service: FileService, errands: Errands, parent: QObject) -> None:
        super().__init__(parent)
        self._service = service
        self._errands = errands
        self._entries: list[Entry] = []
        self._path = ""
        self._more: Callable[[], None] | None = None
        """Asks for more of what is shown; None: that is all."""
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
        """Show a folder, or what in it and below has `search` in its name; what was asked for before is given up."""
        if search.strip():
            self._search_on(_Search(path, search.strip()), "")
        else:
            self._list(path, 0)

    def _list(self, path: str, offset: int) -> None:
        self._request(lambda: self._service.list_folder(path, offset=offset), self._listed)

    def _search_on(self, search: _Search, after: str) -> None:
        self._request(lambda: self._service.search(search.path, search.wanted, after), partial(self._found, search))

    def _request(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Ask once the answer that is under way is there; `done` with the answer unless something else is wanted."""
        if self._asking:
            self._next = partial(self._request, work, done)
            return
        self._next = None
        self._asking = True

        def answered(answer: T) -> None:
            self._asking = False
            if self._closed:
                return
            if self._next is not None:
                self._next()
            else:
                done(answer)

        try:
            self._errands.run("listing", work, answered, self._refused)
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

    def _listed(self, page: FolderPage) -> None:
        self._path = page.path
        self._show(page.entries, anew=page.offset == 0)
        shown = len(self._entries)
        # An empty page: the folder has become shorter.
        self._more = partial(self._list, page.path, shown) if page.entries and shown < page.total else None
        self.shown.emit(page)

    def _found(self, search: _Search, found: Found) -> None:
        self._show(found.entries, anew=not search.folders)
        search.folders += found.folders
        search.left_out += found.left_out
        go_on = partial(self._search_on, search, found.after)
        shown = len(self._entries)
        # Each answer is a moment's work for the server: so a search ends as soon as something else is asked for.
        busy = bool(found.after) and shown < search.wanted_rows
        if not busy:
            search.wanted_rows = shown + PAGE_ENTRIES
        self._more = go_on if found.after and not busy else None
        self.searched.emit(search.words(shown, busy=busy, more=bool(found.after)))
        if busy:
            go_on()

    def _show(self, entries: list[Entry], *, anew: bool) -> None:
        if anew:
            self.beginResetModel()
            self._entries = list(entries)
            self.endResetModel()
        elif entries:
            first = len(self._entries)
            self.beginInsertRows(_NOWHERE, first, first + len(entries) - 1)
            self._entries += entries
            self.endInsertRows()

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
        """Whether there is more than was fetched."""
        return not parent.isValid() and not self._asking and self._more is not None

    def fetchMore(self, parent: QModelIndex) -> None:
        """Fetch more: the next page, or what a search finds next."""
        more, self._more = self._more, None
        if more is not None:
            more()

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
